//! What applying a batch does to the database, and bringing shops in: the statements that
//! decide the speed, so that each database has its own. Each does with constant SQL, however
//! many shops there are.

use std::fmt::Debug;
use std::pin::Pin;

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, CampaignRef, Deadline, Lane, Loaded, Receipt, ShopId, ShopState, Timestamp,
};

use crate::connection::OwnConnection;
use crate::store::SeaOrmStore;
#[cfg(feature = "postgres")]
pub(crate) use postgres::PostgresPath;
pub(crate) use sqlite::SqlitePath;

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

/// How a database applies batches and brings shops in.
#[async_trait]
pub(crate) trait HotPath: Debug + Send + Sync {
    /// Reads what can be read of a batch before its transaction.
    async fn read_ahead(&self, store: &SeaOrmStore, batch: &Batch) -> Ahead;

    /// Moves the lane on, which fails where another owner took over or where the batch does
    /// not begin where the lane stands; locks the batch's shops in the order of their ids, and
    /// returns what the batch is judged by.
    async fn open(
        &self,
        store: &SeaOrmStore,
        connection: &OwnConnection,
        batch: &Batch,
        ahead: Ahead,
    ) -> Result<Loaded, StoreError>;

    /// Stores what judging left, and deletes receipts that nobody needs.
    async fn close(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError>;

    /// Locks shops of a lane in the order of their ids, and returns what is in force there;
    /// `None` where there is no such shop.
    async fn load(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        ids: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError>;

    /// Stores what is in force at shops of a lane that were loaded, and adds those that were
    /// not there.
    async fn store(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[StoredShop<'_>],
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

/// An epoch that no owner has, for the receipts of bare batches.
pub(crate) const NO_EPOCH: i64 = -1;

/// About as many bytes as the receipt of a request takes.
const BARE_RECEIPT_BYTES: usize = 9;

/// What was read of a batch before its transaction, where that is worth it.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Those of its campaigns that the database knew.
    pub(crate) campaigns: Option<Vec<CampaignRef>>,
    /// What was in force at its shops.
    pub(crate) states: Option<LoadedStates>,
}

/// What is in force at shops of one lane, and when that was so.
#[derive(Debug)]
pub(crate) struct LoadedStates {
    /// How many imports there were.
    pub(crate) imports: i64,
    /// Where the lane stood, if it was claimed before.
    pub(crate) applied_next: Option<i64>,
    /// What was in force, in the order of the ids; `None` where there is no such shop.
    pub(crate) states: Vec<Option<ShopState>>,
}

/// A batch that was judged.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) batch: &'a Batch,
    /// The shops that were changed, in the order of their ids.
    pub(crate) changed: Vec<(&'a ShopId, &'a ShopState)>,
    pub(crate) receipt: &'a Receipt,
    pub(crate) now: Timestamp,
    /// The highest deadline that was treated as passed, where that is more than before.
    pub(crate) mark: Option<Deadline>,
    /// Receipts that were stored before are not kept, once they are answered.
    pub(crate) kept_from: Timestamp,
}

/// A shop that is brought in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredShop<'a> {
    pub(crate) id: &'a ShopId,
    pub(crate) state: &'a ShopState,
    /// Whether it was not there.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "only PostgreSQL tells inserts from updates")
    )]
    pub(crate) is_new: bool,
}
