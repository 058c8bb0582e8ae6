//! Sender, reader and topics on a real broker.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;
mod group;
mod outage;
mod reader;
mod replier;
mod sender;
mod topics;
