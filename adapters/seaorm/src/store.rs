//! The store: one connection that writes, a few that read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catchment_domain::ports::StoreError;
use catchment_domain::{Deadline, Lanes, Revision, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect,
    Statement, Value,
};

use crate::dialect::{Dialect, SQLITE};
use crate::entity::{installation, lane_state};
use crate::error::{Row, classify};
use crate::open::{Opened, open};
use crate::open_error::OpenError;
use crate::settings::StoreSettings;
use crate::writer::{Transaction, Writer};

/// The domain's storage ports on a relational database. Cheap to clone.
///
/// Several processes may have one database open. Within a process, those who write wait for
/// their turn in the order in which they came.
#[derive(Clone, Debug)]
pub struct SeaOrmStore {
    writer: Writer,
    pub(crate) readers: DatabaseConnection,
    file: PathBuf,
    pub(crate) dialect: &'static Dialect,
    pub(crate) settings: Arc<StoreSettings>,
}

impl SeaOrmStore {
    /// Opens the database at a URL such as `sqlite://catchment.db`.
    ///
    /// A file that is not there is created, where the settings say so, and the schema is
    /// brought up to date.
    ///
    /// # Errors
    ///
    /// When it cannot be used; nothing of it was changed then.
    pub async fn connect(url: &str, settings: &StoreSettings) -> Result<Self, OpenError> {
        let Opened { writer, readers, file } = open(url, settings).await?;
        let settings = Arc::new(settings.clone());
        Ok(Self { writer, readers, file, dialect: &SQLITE, settings })
    }

    /// The file of the database, the same however the URL spells it.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Waits for what is being written and closes the database: the last process that does so
    /// leaves one file behind.
    ///
    /// # Errors
    ///
    /// When the database says so; it is closed nevertheless.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close_by_ref().await.map_err(classify)?;
        self.writer.close().await
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        self.writer.begin().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    pub(crate) fn lanes(&self) -> Lanes {
        self.settings.lanes
    }
}

/// A statement of the dialect with its values.
pub(crate) fn statement(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}

/// Takes the next revision, in the transaction that uses it.
pub(crate) async fn next_revision(
    connection: &impl ConnectionTrait,
) -> Result<Revision, StoreError> {
    let only = installation::Column::Id.eq(installation::ONLY);
    installation::Entity::update_many()
        .col_expr(installation::Column::Revision, Expr::col(installation::Column::Revision).add(1))
        .filter(only)
        .exec(connection)
        .await
        .map_err(classify)?;
    let row = installation::Entity::find_by_id(installation::ONLY).one(connection).await;
    let missing = Row { table: "installation", key: &installation::ONLY };
    let model = row.map_err(classify)?.ok_or_else(|| missing.bad("id", "the row is not there"))?;
    Ok(Revision(missing.number("revision", model.revision)?))
}

/// The highest deadline that any lane treated as passed.
pub(crate) async fn highest_mark(
    connection: &impl ConnectionTrait,
) -> Result<Deadline, StoreError> {
    let mark: Option<Option<i64>> = lane_state::Entity::find()
        .select_only()
        .column_as(lane_state::Column::ExpiredUpTo.max(), "mark")
        .into_tuple()
        .one(connection)
        .await
        .map_err(classify)?;
    Ok(lane_state::mark(mark.flatten()))
}
