//! What applying a batch does to the database, and bringing shops in: the statements that
//! decide the speed, so that each database has its own. Each uses the same SQL text, however many
//! shops there are.

use std::fmt::Debug;
use std::pin::Pin;

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, Deadline, ImportNumber, Lane, LaneProblem, Loaded, Mismatch, Receipt, Revision, ShopId,
    ShopState, Timestamp,
};

use crate::connection::OwnConnection;
use crate::error::Row;
use crate::store::SeaOrmStore;
use crate::writers::Transaction;
#[cfg(feature = "postgres")]
pub(crate) use postgres::PostgresPath;
pub(crate) use sqlite::SqlitePath;

mod campaigns;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// How a database applies batches and brings shops in.
#[async_trait]
pub(crate) trait HotPath: Debug + Send + Sync {
    /// Begins the transaction of a batch, and returns what the batch is judged by.
    ///
    /// Moves the lane on, which fails where another owner took over or where the batch does not
    /// begin where the lane stands. From then on nobody else writes the lane's shops, so what is
    /// read of them stays true until the end.
    ///
    /// Campaigns and revisions are read once the batch was received. That is late enough: a
    /// requester commits what a request relies on before it sends the request. Where a campaign is
    /// ended after that, its releases are sent later still, and so stand behind this batch.
    async fn begin_batch(
        &self,
        store: &SeaOrmStore,
        batch: &Batch,
    ) -> Result<(Transaction, Loaded), StoreError>;

    /// Stores what judging left, and deletes receipts that nobody needs.
    async fn store_batch(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError>;

    /// Begins the transaction of an import, or of a repair.
    ///
    /// Counts the import at the lane, which moves no position. From then on nobody else writes
    /// the lane's shops.
    async fn begin_import(
        &self,
        store: &SeaOrmStore,
        lane: Lane,
    ) -> Result<(Transaction, CountedImport), StoreError>;

    /// Reads what is in force at shops of a lane, which stand in id order; `None` where nothing
    /// is stored of that.
    async fn load_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError>;

    /// Stores what is in force at shops of a lane that were brought in, those that are new too.
    async fn store_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
    ) -> Result<(), StoreError>;

    /// The transaction of a batch with constant values, which are made when it is asked for:
    /// what the database alone can do.
    fn bare_batch(
        &self,
        store: SeaOrmStore,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
        number: i64,
    ) -> Result<BareBatch, StoreError>;
}

/// A transaction that was not begun.
pub(crate) type BareBatch = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// The row of a lane is not there, which every database has from the beginning. It is no data of
/// a shop, so nothing can go on without it.
pub(crate) fn no_lane(lane: Lane) -> StoreError {
    StoreError::Refused { what: LaneProblem::of(lane, Mismatch::NoRow).to_string() }
}

/// Which import a lane counted.
fn import_number(lane: Lane, number: i64) -> Result<ImportNumber, StoreError> {
    let row = Row { table: "lane_state", key: &format_args!("lane {lane}") };
    Ok(ImportNumber(row.number("imports", number)?))
}

/// The newest revision that was given out.
pub(crate) fn newest_revision(revision: Option<i64>) -> Result<Revision, StoreError> {
    let row = Row { table: "installation", key: &"the only one" };
    let revision = revision.ok_or_else(|| row.bad("revision", "there is no row"))?;
    Ok(Revision(row.number("revision", revision)?))
}

/// An epoch that no owner has, for the receipts of bare batches.
pub(crate) const NO_EPOCH: i64 = -1;

/// About as many bytes as the receipt of a request takes.
const BARE_RECEIPT_BYTES: usize = 7;

/// An import that was counted at its lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedImport {
    /// Which import of the lane it is.
    pub(crate) number: ImportNumber,
    /// Now, by the database's clock.
    pub(crate) now: Timestamp,
}

/// A batch that was judged.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) batch: &'a Batch,
    /// The shops that were changed, in the order of their ids.
    pub(crate) changed: Vec<(&'a ShopId, &'a ShopState)>,
    /// The versions of these shops as they were read.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "a file has one writer at a time")
    )]
    pub(crate) versions: Vec<u64>,
    pub(crate) receipt: &'a Receipt,
    pub(crate) now: Timestamp,
    /// The highest deadline that was treated as passed, where that is more than before.
    pub(crate) mark: Option<Deadline>,
    /// Receipts that were stored before are not kept, once they are answered.
    pub(crate) kept_from: Timestamp,
}
