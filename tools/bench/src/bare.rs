//! The database alone: its own driver reads the rows of a batch and writes them back with a higher
//! version, with a receipt of the usual size, in one transaction. Nothing is decoded or decided.
//! So every other speed can be compared with what the database itself can do.

pub(crate) mod postgres;
pub(crate) mod sqlite;

/// How many shops a transaction writes: as many as `engine.batch` lets the programs write.
const BATCH: usize = 2_000;
/// The approximate number of bytes that a request takes in a receipt.
const RECEIPT_BYTES: usize = 7;
