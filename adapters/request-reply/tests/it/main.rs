//! The library from outside: on a real broker, and its pure parts against naive versions.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects, and fails by a panic"
)]

mod broker;
mod kept_out;
mod leaderless;
mod pending;
mod profile;
mod quickstart;
mod requester;

/// The broker that tests use.
#[expect(clippy::disallowed_methods, reason = "a test has no settings but this")]
fn brokers() -> String {
    std::env::var("CATCHMENT_TEST_KAFKA")
        .expect("CATCHMENT_TEST_KAFKA names no broker: run the tests by `scripts/services`")
}
