//! What a `SQLite` file adds to the contract: opening it, sharing it, and being interrupted.

mod opening;
mod sharing;
