//! The statements that apply batches and import shops. They decide the speed, so each database has
//! its own. The SQL text of a statement does not depend on the number of shops.

use std::fmt::Debug;

use async_trait::async_trait;
use catchment_domain::ports::{Clock, StoreError};
use catchment_domain::{
    Batch, Deadline, ImportNumber, Lane, LaneProblem, Loaded, Mismatch, Receipt, ShopId, ShopState,
    Timestamp,
};

use crate::connection::OwnConnection;
use crate::error::Row;
use crate::readers::Readers;
use crate::writers::{Transaction, Writers};
#[cfg(feature = "postgres")]
pub(crate) use postgres::PostgresPath;
pub(crate) use sqlite::SqlitePath;

mod campaigns;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// The connections of a database.
#[derive(Clone, Copy)]
pub(crate) struct Database<'a> {
    pub(crate) readers: &'a Readers,
    pub(crate) writers: &'a Writers,
    /// The clock of this process, for a database without one.
    pub(crate) clock: &'a dyn Clock,
}

/// The statements of one database for batches and imports.
#[async_trait]
pub(crate) trait HotPath: Debug + Send + Sync {
    /// Begins the transaction of a batch, and returns the stored data by which the batch is judged.
    ///
    /// Moves the lane on. This fails if another owner took over, or if the batch does not begin at
    /// the lane's position. From then on nobody else writes the lane's shops, so the shops that are
    /// read stay current until the end.
    ///
    /// Campaigns and revisions are read after the batch was received. That is late enough: a
    /// requester commits everything on which a request relies before it sends the request. If a
    /// campaign is ended after that, its releases are sent later and come after this batch.
    async fn begin_batch(
        &self,
        database: Database<'_>,
        batch: &Batch,
    ) -> Result<(Transaction, Loaded), StoreError>;

    /// Stores the results of judging, and deletes receipts that are no longer needed.
    async fn store_batch(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError>;

    /// Begins the transaction of an import, or of a repair.
    ///
    /// Counts the import in the lane's row, which does not change the position. From then on nobody
    /// else writes the lane's shops.
    async fn begin_import(
        &self,
        database: Database<'_>,
        lane: Lane,
    ) -> Result<(Transaction, CountedImport), StoreError>;

    /// Reads the states of a lane's shops, which come in the order of their ids, or `None` for a
    /// shop without a state.
    async fn load_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError>;

    /// Stores the states of a lane's shops, old and new.
    async fn store_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
    ) -> Result<(), StoreError>;
}

/// The error for a lane without a row. Every database has these rows from the beginning. The row
/// does not belong to a single shop, so nothing of the lane can go on.
pub(crate) fn no_lane(lane: Lane) -> StoreError {
    LaneProblem::of(lane, Mismatch::NoRow).into()
}

/// Returns the number of an import, from the lane's counter.
fn import_number(lane: Lane, number: i64) -> Result<ImportNumber, StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {lane}") };
    Ok(ImportNumber(row.number("imports", number)?))
}

/// An import that was counted in its lane's row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedImport {
    /// The number of the import in its lane.
    pub(crate) number: ImportNumber,
    /// The current time of the database's clock.
    pub(crate) now: Timestamp,
}

/// A batch that was judged.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) batch: &'a Batch,
    /// The shops that were changed, in the order of their ids.
    pub(crate) changed: Vec<(&'a ShopId, &'a ShopState)>,
    /// The versions of these shops when they were read.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "a file has one writer at a time")
    )]
    pub(crate) versions: Vec<u64>,
    pub(crate) receipt: &'a Receipt,
    pub(crate) now: Timestamp,
    /// The highest deadline that was treated as passed, if it has risen.
    pub(crate) mark: Option<Deadline>,
    /// The time before which answered receipts are deleted.
    pub(crate) kept_from: Timestamp,
}
