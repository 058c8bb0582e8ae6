//! The statements of the hot path, which each database says in its own way.
//!
//! A batch is a handful of statements whatever its size, so what goes in and comes out is one
//! value.

mod sqlite;

pub(crate) use sqlite::SQLITE;

/// What a batch runs, and what writes shops.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Moves a lane that stands where its owner thinks; returns what it treated as passed, and
    /// how many imports there were.
    ///
    /// Binds lane, epoch, from, to, everything answered below, last id.
    pub(crate) move_lane: &'static str,
    /// Reads what is in force at shops of a lane: how many imports there were, where the lane
    /// stands, and one text: a line for each shop that is there, of its place, base radius,
    /// base revision, base effect, radius, version and causes in hex, with blanks between.
    ///
    /// Binds the lane and a JSON array of ids.
    pub(crate) load_states: &'static str,
    /// Writes what is in force at so many shops, those that are new too.
    ///
    /// Binds for each shop lane, id, base radius, base revision, base effect, radius, version
    /// and causes.
    pub(crate) store_states: fn(usize) -> String,
    /// Reads a page of the shops of a lane behind one: their ids, one in a line and in order;
    /// NULL behind the last. (Ids hold no line breaks.)
    ///
    /// Binds the lane and the id of the last shop.
    pub(crate) scan_ids: &'static str,
    /// Reads a page of shops behind one, as one JSON array of
    /// `[lane, id, category, region, latitude, longitude]` in the order of lane and id.
    ///
    /// Binds lane and id of the last shop, JSON arrays of regions and categories or NULL,
    /// and south, north, west and east.
    pub(crate) scan_shops: &'static str,
    /// Adds the receipt of a batch, of the log that its lane belongs to.
    ///
    /// Binds lane, epoch, from, to, instant, entries.
    pub(crate) insert_receipt: &'static str,
    /// Deletes a few receipts of a lane, from the oldest, that were stored before an instant
    /// and are below what is answered or of another log.
    ///
    /// Binds lane and instant.
    pub(crate) prune_receipts: &'static str,
}
