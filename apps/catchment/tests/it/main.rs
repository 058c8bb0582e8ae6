//! The built command, from outside: what it prints, how it exits, and what it leaves behind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that a test builds on must work")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod app;
mod campaigns;
mod cluster;
mod databases;
mod mistakes;
mod processes;
mod services;
mod settings;
mod shops;
mod world;
