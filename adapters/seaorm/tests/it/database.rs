//! What a `SQLite` file adds to the contract: opening it, sharing it, and writing it where that
//! fails.

mod copies;
mod opening;
mod sharing;
mod writing;
