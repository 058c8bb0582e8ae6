//! What a `PostgreSQL` server adds to the contract: opening its databases, those who are in
//! the way, and connections that are lost.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by a panic, as tests do"
)]

#[path = "postgres/losing.rs"]
mod losing;
#[path = "postgres/opening.rs"]
mod opening;
#[path = "database/scene.rs"]
mod scene;
#[path = "contract/server.rs"]
mod server;
#[path = "postgres/storing.rs"]
mod storing;
#[path = "postgres/waiting.rs"]
mod waiting;
