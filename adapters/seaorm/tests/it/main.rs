//! The storage ports on real databases: a `SQLite` file, and a `PostgreSQL` server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by a panic, as tests do"
)]

mod contract;
mod database;
#[cfg(feature = "postgres")]
mod postgres;
mod scene;
#[cfg(feature = "postgres")]
mod server;
mod world;
