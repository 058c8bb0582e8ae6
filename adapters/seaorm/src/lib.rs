//! The domain's storage ports on a relational database, through `SeaORM`: a `SQLite` file, or a
//! `PostgreSQL` server.
//!
//! [`SeaOrmStore`] implements all of them. Read in this order: `open` (checks and opens a
//! database), `writers` (write transactions), `entity` (the tables), `codec` (the contents of their
//! blobs), then one file per port. Batches of requests are applied with constant SQL, in
//! `hot_path`. Many shops are listed and moved with that of `dialect`, because thousands of ids
//! travel in one value. Everything else uses entities. The folders of `open`, `connection`, `error`,
//! `dialect` and `hot_path` have a file for each database. Another database needs its own file in
//! each of these folders, and the rest stays.
//!
//! # Locks
//!
//! A file has one writer at a time. On a server, transactions run side by side at READ COMMITTED,
//! and each locks the rows that it reads to write them. A lane's row also locks the lane's shops:
//! every transaction that writes shops takes that row first. No statement waits for a lock within a
//! join, because the join may then lose rows (`hot_path`). All transactions take their locks in the
//! same order, so they never wait in a circle:
//!
//! 1. the reply lane: wholly to lease it, lightly (`FOR KEY SHARE`) to act under the lease;
//! 2. campaigns, the oldest first: wholly to steer one, less (`FOR NO KEY UPDATE`) to record
//!    answers, lightly to mark what is sent;
//! 3. chunks of a campaign by their numbers;
//! 4. the lane of requests, and with it its shops;
//! 5. the installation: wholly to move the database, less to take a revision, lightly to divide a
//!    list among the lanes.
//!
//! A transaction is rolled back and tried again a few times (`retry`) if a foreign program takes
//! locks in another order, if another transaction adds the same row, or if a foreign program
//! changes shops between reading and writing.
//!
//! # What survives
//!
//! On a server, everything that was reported as stored survives as long as the server's disks do.
//! If the server does not wait for its disks by default, our sessions still do. The server's
//! timeouts, which every session sets, evict a process that froze within a transaction. A process
//! that froze half way through a message is not evicted until its connection ends.
//!
//! `SQLite` runs with a write-ahead log and `synchronous = NORMAL`. A process that is killed, even
//! by `kill -9`, loses nothing that was reported as stored. If the machine loses power, the latest
//! commits may be lost, but never an earlier one without the later ones. The database stays
//! consistent, and a log that lasts sends the lost requests again. A process that froze within a
//! transaction blocks every other writer until it goes on or is killed: `SQLite` cannot evict it.

mod acceptances;
mod applying;
mod audit;
mod backup;
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
mod moves;
mod open;
mod open_error;
mod output_file;
mod pages;
mod place;
mod pool;
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
mod statement;
mod store;
mod writers;

pub use backup::{BackupError, Restored, Summary};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use open::Migrated;
pub use open_error::OpenError;
pub use output_file::{OutputFile, OutputFileError};
pub use place::{engine_lock_of, irregular_file};
pub use settings::StoreSettings;
pub use store::SeaOrmStore;
