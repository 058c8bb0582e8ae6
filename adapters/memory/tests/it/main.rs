//! The memory adapters: what every adapter promises, and the services of the domain on them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that a test builds on must work"
)]
#![expect(clippy::indexing_slicing, reason = "indices come from the simulator itself")]

mod contract;
mod deleting;
mod lanes;
mod requester;
mod restored;
mod services;
mod simulator;
