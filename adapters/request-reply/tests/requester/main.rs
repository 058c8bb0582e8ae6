//! The requester against a real broker, which `scripts/services` starts.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects")]

mod batches;
mod broker;
mod calls;
mod peer;
mod repliers;
mod scene;
