//! The common parts of every app: its settings, its log lines, its storage, and the loop that
//! drives a service. With the feature `engine`, also the embedded engine. With the feature `servers`,
//! also everything around the work of a service on Kafka and `PostgreSQL`: the command line, the
//! probes, and the end.

pub mod settings;
pub mod telemetry;
pub mod database;
pub mod random;
pub mod stores;
#[cfg(feature = "engine")]
pub mod engine;
mod clock;
mod drive;
#[cfg(feature = "servers")]
pub mod service;
mod held_up;
mod said_damage;
mod one_line;
pub mod duration;
mod allocator;

pub use clock::SystemClock;
pub use drive::{Stepper, drive};
pub use held_up::HeldUp;
pub use one_line::{chain, without_secrets_of_arguments, without_usage};
pub use said_damage::SaidDamage;
#[cfg(feature = "servers")]
pub use service::{ProcessError, Readiness, Role, Service, Shutdown, health, reasons, run};
