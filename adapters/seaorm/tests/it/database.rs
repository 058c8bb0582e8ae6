//! Tests that only a `SQLite` file needs beside the contract: opening it, sharing it, and failing
//! writes.

mod copies;
mod damage;
mod opening;
mod repairing;
mod sharing;
mod writing;
