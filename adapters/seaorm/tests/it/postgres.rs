//! Tests that only a `PostgreSQL` server needs beside the contract: opening its databases,
//! transactions in the way, and lost connections.

mod losing;
mod opening;
mod roles;
mod silence;
mod storing;
mod waiting;
mod words;
