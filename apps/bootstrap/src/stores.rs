//! The composition root of storage: it chooses the adapter behind the ports.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use catchment_application::LaneStores;
use catchment_domain::ports::{
    Acceptances, CampaignLedger, CampaignRepository, Clock, Deletions, Moves, Repairs, ReplyLanes,
    Restores, ShopLedger, ShopRepository,
};
use catchment_seaorm::{BackupError, Migrated, Restored, SeaOrmStore, StoreSettings, Summary};

use crate::database::store_settings;
use crate::settings::Database;

/// The number of connections for reading a file, on which the engine works. On a server, a command
/// reads with one connection.
const READERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
/// The number of connections for writing to a server.
const WRITERS: u32 = 4;

/// Returns the store settings of a database.
fn settings(database: &Database, create: bool) -> StoreSettings {
    let readers = if database.url.is_postgres() { NonZeroU32::MIN } else { READERS };
    StoreSettings { create, ..store_settings(database, readers, WRITERS) }
}

/// Brings the schema up to date. Creates a missing database if `create` is set.
///
/// # Errors
///
/// When the database cannot be used.
pub async fn migrate(database: &Database, create: bool) -> anyhow::Result<Migrated> {
    let migrated = SeaOrmStore::migrate(database.url.expose(), &settings(database, create)).await;
    migrated.context("could not bring the database up to date")
}

/// Checks that the database can be used as it is. Returns its name.
///
/// # Errors
///
/// When the database cannot be used as it is.
pub async fn check(database: &Database) -> anyhow::Result<String> {
    let checked = SeaOrmStore::check(database.url.expose(), &settings(database, false)).await;
    checked.context("the database cannot be used")
}

/// Copies the database into a file. Other processes may use the database meanwhile.
///
/// # Errors
///
/// When the copy cannot be made, or the work was interrupted.
pub async fn back_up(
    database: &Database,
    file: &Path,
    replaces: bool,
    interrupt: impl Future<Output = ()> + Send,
) -> Result<Summary, BackupError> {
    let settings = settings(database, false);
    SeaOrmStore::back_up(database.url.expose(), file, replaces, &settings, interrupt).await
}

/// Replaces the database with a copy: see [`SeaOrmStore::restore`].
///
/// # Errors
///
/// When the copy cannot be used, the database is in use, or the work was interrupted.
pub async fn restore(
    database: &Database,
    file: &Path,
    incomplete: bool,
    interrupt: impl Future<Output = ()> + Send,
) -> Result<Restored, BackupError> {
    let settings = settings(database, true);
    SeaOrmStore::restore(database.url.expose(), file, incomplete, &settings, interrupt).await
}

/// The storage ports, all on the same database.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct Stores {
    /// The shops.
    pub shops: Arc<dyn ShopRepository>,
    /// The campaigns, for those who start and follow them.
    pub campaigns: Arc<dyn CampaignRepository>,
    /// What consumers read and write.
    pub ledger: Arc<dyn ShopLedger>,
    /// What requesters read and write.
    pub campaign_ledger: Arc<dyn CampaignLedger>,
    /// Which requester has which reply lane.
    pub reply_lanes: Arc<dyn ReplyLanes>,
    /// Deleting old campaigns.
    pub deletions: Arc<dyn Deletions>,
    /// Mending what is damaged.
    pub repairs: Arc<dyn Repairs>,
    /// What a restored database lacks.
    pub restores: Arc<dyn Restores>,
    /// Taking lanes as they are.
    pub acceptances: Arc<dyn Acceptances>,
    /// Moving the database to other lanes.
    pub moves: Arc<dyn Moves>,
    /// The clock of this process.
    pub clock: Arc<dyn Clock>,
    store: Arc<SeaOrmStore>,
}

impl Stores {
    /// Opens the database, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn open(database: &Database) -> anyhow::Result<Self> {
        Self::connect(database, true).await
    }

    /// Opens an existing database.
    ///
    /// # Errors
    ///
    /// When the database does not exist, or cannot be used.
    pub async fn open_existing(database: &Database) -> anyhow::Result<Self> {
        Self::connect(database, false).await
    }

    async fn connect(database: &Database, create: bool) -> anyhow::Result<Self> {
        let settings = settings(database, create);
        let clock = Arc::clone(&settings.clock);
        let store = SeaOrmStore::connect(database.url.expose(), &settings).await;
        let store = Arc::new(store.context("could not open the database")?);
        Ok(Self {
            shops: Arc::<SeaOrmStore>::clone(&store),
            campaigns: Arc::<SeaOrmStore>::clone(&store),
            ledger: Arc::<SeaOrmStore>::clone(&store),
            campaign_ledger: Arc::<SeaOrmStore>::clone(&store),
            reply_lanes: Arc::<SeaOrmStore>::clone(&store),
            deletions: Arc::<SeaOrmStore>::clone(&store),
            repairs: Arc::<SeaOrmStore>::clone(&store),
            restores: Arc::<SeaOrmStore>::clone(&store),
            acceptances: Arc::<SeaOrmStore>::clone(&store),
            moves: Arc::<SeaOrmStore>::clone(&store),
            clock,
            store,
        })
    }

    /// Returns the lanes, and what is compared with their logs.
    #[must_use]
    pub fn lanes(&self) -> LaneStores<'_> {
        let Self { acceptances, ledger, restores, .. } = self;
        LaneStores { acceptances: &**acceptances, ledger: &**ledger, restores: &**restores }
    }

    /// Returns the file of an embedded database, without symbolic links, or `None` for a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.store.file()
    }

    /// Returns whether commands run the engine themselves.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.file().is_some()
    }

    /// Closes the idle connections for writing: see [`SeaOrmStore::rest`].
    pub async fn rest(&self) {
        self.store.rest().await;
    }

    /// Closes the database. An error is only logged: nothing is written any more, and a file that
    /// was not closed properly can still be opened.
    pub async fn close(&self) {
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "could not close the database");
        }
    }
}
