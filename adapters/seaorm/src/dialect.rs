//! The SQL that differs between databases.

use crate::hot_path::HotPath;
#[cfg(feature = "postgres")]
pub(crate) use postgres::POSTGRES;
pub(crate) use sqlite::SQLITE;

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// The parts that are not portable.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The expression for the database's clock, in milliseconds since 1970, or `None` if the database
    /// uses the clock of this process.
    pub(crate) clock: Option<&'static str>,
    /// Reads the next page of shops behind a shop, as one JSON array of
    /// `[lane, id, category, region, latitude, longitude]` in the order of lane and id.
    ///
    /// Binds lane and id of the last shop, JSON arrays of regions and categories or NULL,
    /// and south, north, west and east.
    pub(crate) scan_shops: &'static str,
    /// The tables with what is stored of shops: their profiles, and what is in force at them.
    pub(crate) shop_tables: [ShopTable; 2],
    /// Applies batches and imports shops.
    pub(crate) hot_path: &'static dyn HotPath,
}

/// A table whose rows stand in the lanes of their shops.
#[derive(Debug)]
pub(crate) struct ShopTable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Reads the next page of a lane's shops behind a shop: their ids in order as a JSON array, which
    /// is empty or NULL if there are no more.
    ///
    /// Binds the lane and the id of the last shop.
    pub(crate) scan: &'static str,
    /// Moves shops of a lane to other lanes.
    ///
    /// Binds the lane and a JSON array of `[id, lane]`.
    pub(crate) update: &'static str,
}
