//! What each database says in its own way. Everything else goes by entities.

use crate::hot_path::HotPath;
#[cfg(feature = "postgres")]
pub(crate) use postgres::POSTGRES;
pub(crate) use sqlite::SQLITE;

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// What is not portable.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The database's clock, in milliseconds since 1970, as a part of a statement; `None` where it
    /// is the clock of this process.
    pub(crate) clock: Option<&'static str>,
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
    /// Applies batches and brings shops in.
    pub(crate) hot_path: &'static dyn HotPath,
}
