//! The adapter on a real broker, which `CATCHMENT_TEST_KAFKA` names: `scripts/services` starts
//! one. Each test has topics of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every function is a test: a panic is how it fails"
)]

mod answers;
mod calls;
mod contract;
mod lanes;
mod poison;
mod topics;
mod world;
