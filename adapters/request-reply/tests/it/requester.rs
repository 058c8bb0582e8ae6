//! The requester against a real broker, which `scripts/services` starts.

mod batches;
mod broker;
mod calls;
mod peer;
mod repliers;
mod setup;
