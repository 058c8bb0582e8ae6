//! The built requester on real services: how it starts, works and ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that a test builds on must work")]

#[path = "../../../consumer/tests/it/campaign.rs"]
mod campaign;
mod counterpart;
mod damage;
mod life;
#[path = "../../../consumer/tests/it/process.rs"]
mod process;
#[path = "../../../consumer/tests/it/refusals.rs"]
mod refusals;
mod standstill;
#[path = "../../../consumer/tests/it/world.rs"]
mod world;

use std::path::Path;

use crate::refusals::check;

/// The name of the program.
const NAME: &str = "requester";

/// The built requester.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_requester"))
}
