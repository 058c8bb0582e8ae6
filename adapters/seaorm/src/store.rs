//! The store: connections for writing and connections for reading.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{Deadline, Lanes, OtherLanes, Revision, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use tokio::time::timeout;

use crate::dialect::Dialect;
use crate::entity::{installation, lane_state};
use crate::error::{classify, timed_out};
use crate::hot_path::Database;
use crate::open::{self, Migrated, Opened};
use crate::open_error::OpenError;
use crate::readers::Readers;
use crate::settings::StoreSettings;
use crate::statement::value;
use crate::writers::{Transaction, Writers};

/// The domain's storage ports on a relational database. Clones are cheap.
///
/// Several processes may open the same database. Within a process, writers wait for their turn in
/// the order in which they came.
#[derive(Clone, Debug)]
pub struct SeaOrmStore {
    writers: Writers,
    pub(crate) readers: Readers,
    file: Option<PathBuf>,
    pub(crate) dialect: &'static Dialect,
    /// How long a server may be silent before it counts as gone.
    patience: Duration,
    pub(crate) settings: Arc<StoreSettings>,
}

impl SeaOrmStore {
    /// Opens the database at a URL such as `sqlite://catchment.db` or
    /// `postgres://user@host/catchment`.
    ///
    /// A file that does not exist is created if the settings allow that, and the file's schema is
    /// brought up to date. A server's database is opened as it is: see [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Its data are then unchanged, but an empty file may have
    /// been created, or the schema of a file brought up to date.
    pub async fn connect(url: &str, settings: &StoreSettings) -> Result<Self, OpenError> {
        let opened = open::open(url, settings).await?;
        let Opened { writers, readers, file, dialect, patience } = opened;
        let settings = Arc::new(settings.clone());
        Ok(Self { writers, readers, file, dialect, patience, settings })
    }

    /// Brings the schema of a database up to date, and returns the steps that this took. A database
    /// that does not exist is created if the settings allow that.
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Its data are then unchanged, but an empty database may
    /// have been created, or the schema of a file brought up to date.
    pub async fn migrate(url: &str, settings: &StoreSettings) -> Result<Migrated, OpenError> {
        open::migrate(url, settings).await
    }

    /// Checks that a database can be opened as it is, and does not change it. Returns the
    /// database's name: its file, or its URL without a password.
    ///
    /// # Errors
    ///
    /// When the database cannot be used as it is.
    pub async fn check(url: &str, settings: &StoreSettings) -> Result<String, OpenError> {
        open::check(url, settings).await
    }

    /// Runs statements on a server as a foreign program would, for tests and benchmarks. To open a
    /// schema that they make, add `?options[search_path]=` and the schema's name to the URL.
    ///
    /// # Errors
    ///
    /// When the server refuses the statements.
    #[cfg(feature = "postgres")]
    pub async fn execute_as_another(
        url: &str,
        sql: &str,
        settings: &StoreSettings,
    ) -> Result<(), OpenError> {
        open::postgres::execute(url, sql, settings).await
    }

    /// Returns the file of the database, however the URL spells it, or `None` for a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Closes the idle connections for writing to a server. A process that only watches calls this.
    /// The next write connects again.
    pub async fn rest(&self) {
        self.writers.rest().await;
    }

    /// Waits for what is being written and closes the database: the last process that does so
    /// leaves one file behind. A server that is silent is not waited for longer than for the answer
    /// to a statement.
    ///
    /// # Errors
    ///
    /// When closing fails; the database is closed nevertheless.
    pub async fn close(&self) -> Result<(), StoreError> {
        let closing = async {
            self.readers.close().await.map_err(classify)?;
            self.writers.close().await
        };
        let closed = timeout(self.patience, closing).await;
        closed.unwrap_or_else(|elapsed| Err(classify(timed_out(elapsed))))
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        self.writers.begin().await
    }

    pub(crate) fn database(&self) -> Database<'_> {
        Database { readers: &self.readers, writers: &self.writers, clock: &*self.settings.clock }
    }

    /// Returns the current time of the database's clock.
    pub(crate) async fn now(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<Timestamp, StoreError> {
        let Some(clock) = self.dialect.clock else { return Ok(self.settings.clock.now()) };
        let millis = value(connection, &format!("SELECT {clock}")).await;
        millis.map(Timestamp::from_millis).map_err(classify)
    }

    /// Returns the expression for the present time by the database's clock.
    pub(crate) fn clock(&self) -> Expr {
        match self.dialect.clock {
            Some(clock) => Expr::cust(clock),
            None => Expr::value(self.settings.clock.now().millis()),
        }
    }

    /// Returns the instant before which stored receipts are old enough to be deleted.
    pub(crate) fn kept_from(&self, now: Timestamp) -> Timestamp {
        let kept = i64::try_from(self.settings.receipts_kept.as_millis());
        Timestamp::from_millis(now.millis().saturating_sub(kept.unwrap_or(i64::MAX)))
    }

    /// Fails if the database was moved to another number of lanes since it was opened. `lock` says
    /// how to keep the number from changing until the transaction ends.
    pub(crate) async fn check_lanes(
        &self,
        connection: &impl ConnectionTrait,
        lock: Option<LockType>,
    ) -> Result<(), StoreError> {
        let row = installation::Entity::find_by_id(installation::ONLY);
        let row = if let Some(lock) = lock { row.lock(lock) } else { row };
        let row = row.one(connection).await.map_err(classify)?;
        let before = self.lanes().count();
        match row.map(|row| row.lanes) {
            Some(now) if now != i32::from(before) => {
                Err(StoreError::OtherLanes(OtherLanes { before, now }))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn lanes(&self) -> Lanes {
        self.settings.lanes
    }
}

/// Takes the next revision, in the transaction that uses it.
pub(crate) async fn next_revision(
    connection: &impl ConnectionTrait,
) -> Result<Revision, StoreError> {
    let taken = installation::Entity::update_many()
        .col_expr(installation::Column::Revision, Expr::col(installation::Column::Revision).add(1))
        .filter(installation::Column::Id.eq(installation::ONLY))
        .exec_with_returning(connection)
        .await
        .map_err(classify)?;
    installation::newest_revision(taken.first().map(|row| row.revision))
}

/// Returns the highest deadline that any lane treated as passed.
pub(crate) async fn highest_mark(
    connection: &impl ConnectionTrait,
) -> Result<Deadline, StoreError> {
    let highest = highest(connection, lane_state::Entity::find(), lane_state::Column::ExpiredUpTo);
    Ok(lane_state::mark(highest.await?))
}

/// Returns the highest value of a column in some rows.
pub(crate) async fn highest<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    rows: Select<E>,
    column: E::Column,
) -> Result<Option<i64>, StoreError> {
    let highest = rows.select_only().column_as(column.max(), "highest").into_tuple();
    let highest: Option<Option<i64>> = highest.one(connection).await.map_err(classify)?;
    Ok(highest.flatten())
}
