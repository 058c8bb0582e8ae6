//! The domain's storage ports on a relational database, by `SeaORM`: a `SQLite` file, or a
//! `PostgreSQL` server.
//!
//! [`SeaOrmStore`] is all seven of them. Read in this order: `open` (what makes a database ours),
//! `writers` (write transactions), `entity` (the tables), `codec` (what stands in their blobs),
//! then one file per port. What a batch of requests does to the database is constant SQL, in
//! `hot_path`; everything else goes by entities. What databases do each in its own way stands
//! in the folders of `open`, `connection`, `error`, `dialect` and `hot_path`: another one needs
//! its own file in each of these, and the rest stays.
//!
//! # Locks
//!
//! A file has one writer at a time. On a server, transactions run side by side at READ
//! COMMITTED, and each locks the rows that it reads to write them; the shops of a lane are locked
//! by the lane's row, which everybody takes first who writes them. No statement waits for a lock
//! within a join, because what it joins may be lost then (`hot_path`). All take their locks in one
//! order, so that they wait for each other and never in a circle:
//!
//! 1. the reply lane: wholly to lease it, lightly (`FOR KEY SHARE`) to act under the lease;
//! 2. campaigns, the oldest first: wholly to steer one, less (`FOR NO KEY UPDATE`) to record
//!    answers, lightly to mark what is sent;
//! 3. chunks of a campaign by their numbers;
//! 4. the lane of requests, and with it its shops;
//! 5. the installation, whose revision everybody takes.
//!
//! Whoever meets a foreign program's locks in another order is rolled back and tried again a
//! few times (`retry`). So is who adds a row that another transaction was adding, and who finds
//! that a foreign program changed shops since they were read.
//!
//! # What survives
//!
//! On a server, everything that was reported as stored, as far as its disks do; a session that
//! would not wait for them is set to. A process that is frozen within a transaction is evicted
//! by the server's time-outs, which every session sets; one that froze half way through a
//! message is not, until its connection ends.
//!
//! `SQLite` runs with a write-ahead log and `synchronous = NORMAL`. A process that is killed,
//! by kill -9 too, loses nothing that was reported as stored. When the machine loses power,
//! the last moments before it may be lost, as a whole and from the end: what is there is
//! consistent, and what was lost is what a log that lasts would send again. A process that is
//! frozen within a transaction holds up every other writer until it goes on or is killed:
//! `SQLite` cannot evict it.

mod acceptances;
mod applying;
mod audit;
mod backup;
mod baseline;
mod campaign_ledger;
mod campaign_repository;
mod campaign_rows;
mod codec;
mod connection;
mod damaged;
mod database_url;
mod deletions;
mod dialect;
mod entity;
mod error;
mod groups;
mod hot_path;
mod open;
mod open_error;
mod output_file;
mod pages;
mod readers;
mod repairs;
mod reply_lanes;
mod restores;
mod retry;
mod rights;
mod scan;
mod settings;
mod shop_ledger;
mod shop_repository;
mod store;
mod writers;

pub use backup::{BackupError, Restored, Summary};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use open::Migrated;
pub use open::sqlite::place::{engine_lock_of, irregular_file};
pub use open_error::OpenError;
pub use output_file::{OutputFile, OutputFileError};
pub use settings::StoreSettings;
pub use store::SeaOrmStore;
