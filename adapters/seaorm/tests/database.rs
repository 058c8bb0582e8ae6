//! What a `SQLite` file adds to the contract: opening it, sharing it, and being interrupted.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by a panic, as tests do")]

#[path = "contract/world.rs"]
mod world;

#[path = "database/opening.rs"]
mod opening;
#[path = "database/scene.rs"]
mod scene;
#[path = "database/sharing.rs"]
mod sharing;
