//! The composition root of storage: which adapter stands behind the ports.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use catchment_bootstrap::settings::Database;
use catchment_domain::ports::{
    CampaignLedger, CampaignRepository, Clock, ReplyLanes, ShopLedger, ShopRepository, StoreError,
};
use catchment_domain::{Lane, Receipt};
use catchment_memory::SystemClock;
use catchment_seaorm::{SeaOrmStore, StoreSettings};

/// The storage ports, all on one database.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) shops: Arc<dyn ShopRepository>,
    pub(crate) campaigns: Arc<dyn CampaignRepository>,
    pub(crate) ledger: Arc<dyn ShopLedger>,
    pub(crate) campaign_ledger: Arc<dyn CampaignLedger>,
    pub(crate) reply_lanes: Arc<dyn ReplyLanes>,
    pub(crate) clock: Arc<dyn Clock>,
    store: Arc<SeaOrmStore>,
}

impl Stores {
    /// Opens the database, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub(crate) async fn open(database: &Database) -> anyhow::Result<Self> {
        Self::connect(database, true).await
    }

    /// Opens the database that is there.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be used.
    pub(crate) async fn open_existing(database: &Database) -> anyhow::Result<Self> {
        Self::connect(database, false).await
    }

    async fn connect(database: &Database, create: bool) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let settings = StoreSettings {
            create,
            receipts_kept: database.receipts_kept,
            ..StoreSettings::new(database.lanes, Arc::clone(&clock))
        };
        let store = SeaOrmStore::connect(database.url.expose(), &settings).await;
        let store = Arc::new(store.context("could not open the database")?);
        Ok(Self {
            shops: Arc::<SeaOrmStore>::clone(&store),
            campaigns: Arc::<SeaOrmStore>::clone(&store),
            ledger: Arc::<SeaOrmStore>::clone(&store),
            campaign_ledger: Arc::<SeaOrmStore>::clone(&store),
            reply_lanes: Arc::<SeaOrmStore>::clone(&store),
            clock,
            store,
        })
    }

    /// The file of an embedded database by its one true name; a server's has none.
    pub(crate) fn file(&self) -> Option<&Path> {
        Some(self.store.file())
    }

    /// Whether the engine runs in processes of this command.
    pub(crate) fn is_embedded(&self) -> bool {
        self.file().is_some()
    }

    /// Shows every receipt that is kept.
    ///
    /// # Errors
    ///
    /// When the database says so.
    pub(crate) async fn visit_receipts(
        &self,
        visit: impl FnMut(Lane, Receipt) + Send,
    ) -> Result<(), StoreError> {
        self.store.visit_receipts(visit).await
    }

    /// The bare transactions of all shops: see [`SeaOrmStore::bare_batches`].
    ///
    /// # Errors
    ///
    /// When the database says so.
    pub(crate) async fn bare_batches(&self, size: usize) -> Result<Duration, StoreError> {
        self.store.bare_batches(size).await
    }

    /// Closes the database. That nothing is written any more is all that matters here, and a
    /// file that could not be closed well is opened well all the same.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "could not close the database");
        }
    }
}
