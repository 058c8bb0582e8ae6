//! The use cases, called as a way in calls them, on a store in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that a test builds on must work")]

mod accepted;
mod calls;
mod campaigns;
mod city;
mod fake_cluster;
mod listed;
mod moved;
mod progress;
mod restored;
mod shops;
mod world;
