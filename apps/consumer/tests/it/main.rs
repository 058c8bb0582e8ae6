//! The built consumer on real services: how it starts, works and ends.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step that a test builds on must work"
)]

mod accepting;
mod at_work;
#[path = "../../../bootstrap/tests/service/built.rs"]
mod built;
mod campaign;
mod counterpart;
mod life;
mod process;
mod refusals;
mod standstill;
mod world;

use std::path::Path;

use crate::refusals::check;

/// The name of the program.
const NAME: &str = "consumer";

/// The built consumer.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_consumer"))
}
