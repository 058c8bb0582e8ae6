//! The built command seen from outside: what it prints, how it exits, and what it leaves behind.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that a test builds on must work"
)]
#![cfg_attr(feature = "servers", expect(clippy::panic, reason = "a step of a test must work"))]

mod app;
mod backups;
#[cfg(feature = "servers")]
#[path = "../../../bootstrap/tests/service/built.rs"]
mod built;
mod campaigns;
#[cfg(feature = "servers")]
mod cluster;
mod databases;
mod deleting;
#[cfg(unix)]
mod exports;
mod files;
mod forged;
#[cfg(feature = "servers")]
mod forged_replies;
mod lanes;
mod mistakes;
mod moved;
#[cfg(not(feature = "servers"))]
mod no_servers;
mod processes;
mod repairs;
#[cfg(feature = "servers")]
mod restored;
mod secrets;
#[cfg(feature = "servers")]
mod services;
mod settings;
mod shops;
mod strays;
#[cfg(feature = "servers")]
mod world;
