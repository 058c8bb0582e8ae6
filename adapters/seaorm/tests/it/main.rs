//! The storage ports on real databases: a `SQLite` file, and a `PostgreSQL` server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by a panic, as tests do"
)]

mod contract;
mod database;
mod postgres;
mod scene;
mod server;
mod world;
