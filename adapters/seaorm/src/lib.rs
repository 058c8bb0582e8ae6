//! The domain's storage ports on a relational database, by `SeaORM`.
//!
//! [`SeaOrmStore`] is all five of them. Read in this order: `open` (what makes a file our
//! database), `writer` (one write transaction at a time), `entity` (the tables), `codec` (what
//! stands in their blobs), then one file per port. What a batch of requests does to the
//! database is constant SQL, in `dialect`; everything else goes by entities. What only `SQLite`
//! does stands in `open`, `connection`, `writer`, `error` and `dialect/sqlite`: another database
//! needs its own of these, and the rest stays.
//!
//! # What survives
//!
//! `SQLite` runs with a write-ahead log and `synchronous = NORMAL`. A process that is killed,
//! by kill -9 too, loses nothing that was reported as stored. When the machine loses power,
//! the last moments before it may be lost, as a whole and from the end: what is there is
//! consistent, and what was lost is what a log that lasts would send again. A process that is
//! frozen within a transaction holds up every other writer until it goes on or is killed:
//! `SQLite` cannot evict it.

mod applying;
mod audit;
mod baseline;
mod campaign_ledger;
mod campaign_repository;
mod campaign_rows;
mod codec;
mod connection;
mod dialect;
mod entity;
mod error;
mod hot_path;
mod open;
mod open_error;
mod pages;
mod reply_lanes;
mod retry;
mod scan;
mod settings;
mod shop_ledger;
mod shop_repository;
mod store;
mod writers;

pub use open::Migrated;
pub use open_error::OpenError;
pub use settings::StoreSettings;
pub use store::SeaOrmStore;
