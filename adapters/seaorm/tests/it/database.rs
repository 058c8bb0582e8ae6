//! What a `SQLite` file adds to the contract: opening it, sharing it, and writing it where that
//! fails.

mod copies;
mod damage;
mod opening;
mod repairing;
mod sharing;
mod writing;
