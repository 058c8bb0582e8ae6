//! What every app begins with: its settings, its log lines, and for a service everything around
//! its work: the command line, probes, and the end.

pub mod settings;
pub mod telemetry;
pub mod database;
pub mod kafka;
pub mod topics;
pub mod random;
mod clock;
mod arguments;
mod service;
mod readiness;
mod probes;
pub mod health;
mod shutdown;
mod held_up;
mod ending;
pub mod duration;
pub mod nearest;
mod allocator;

pub use arguments::one_line;
pub use clock::SystemClock;
pub use ending::{ProcessError, chain};
pub use held_up::HeldUp;
pub use readiness::Readiness;
pub use service::{Role, Service, run};
pub use shutdown::Shutdown;
