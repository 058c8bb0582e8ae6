//! What makes a file our database, and one clear line for each that is not.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DbErr, EntityTrait,
};

use crate::connection::{OwnConnection, driver_failed};
use crate::entity::installation;
use crate::error::Failure;
use crate::open_error::OpenError;
use crate::settings::StoreSettings;
use crate::writer::{Writer, begin};

/// `PRAGMA application_id` of our files: `CaMt` in ASCII.
const APPLICATION_ID: i32 = 0x4361_4d74;

/// The size of a page of a new file: neighbours are written together, and with twice the
/// usual 4 KiB there are fewer pages to find, to check and to copy.
const PAGE_BYTES: u32 = 8_192;

/// A database that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) readers: DatabaseConnection,
    /// The database's file by its one true name.
    pub(crate) file: PathBuf,
}

/// Opens a database, creates it where that is wanted, and brings its schema up to date.
pub(crate) async fn open(url: &str, settings: &StoreSettings) -> Result<Opened, OpenError> {
    let path = file(url)?;
    let opening = Opening { path: &path, url, settings };
    if !settings.create && !Path::new(&path).exists() {
        return Err(OpenError::Missing { path });
    }
    let connection = opening.connect(1, false).await?;
    if !opening.is_up_to_date(&connection).await? {
        opening.set_up(&connection).await?;
    }
    opening.check_lanes(&connection).await?;
    let readers = opening.connect(settings.readers.get(), true).await?;
    let file = Path::new(&path).canonicalize();
    let file = file.map_err(|_| OpenError::CannotOpen { path: path.clone() })?;
    let writer = Writer::new(opening.own(&connection).await?);
    Ok(Opened { writer, readers, file })
}

/// The file that a URL names.
fn file(url: &str) -> Result<String, OpenError> {
    let options = url.parse::<SqliteConnectOptions>().ok().filter(|_| url.starts_with("sqlite:"));
    let path = options.map(|options| options.get_filename().to_string_lossy().into_owned());
    // A database in memory would be another one for each connection.
    path.filter(|path| {
        !path.is_empty() && !path.contains(":memory:") && !path.contains("file:sqlx-in-memory")
    })
    .ok_or_else(|| OpenError::Url { url: url.to_owned() })
}

struct Opening<'a> {
    path: &'a str,
    url: &'a str,
    settings: &'a StoreSettings,
}

impl Opening<'_> {
    /// Opens connections. Nothing is written yet: the file may be another program's.
    async fn connect(&self, count: u32, reads_only: bool) -> Result<DatabaseConnection, OpenError> {
        let (create, lock_timeout) = (self.settings.create, self.settings.lock_timeout);
        let mut options = ConnectOptions::new(self.url);
        options
            .max_connections(count)
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .test_before_acquire(false)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            .map_sqlx_sqlite_opts(move |sqlite| {
                let sqlite = sqlite
                    .create_if_missing(create && !reads_only)
                    .busy_timeout(lock_timeout)
                    .synchronous(SqliteSynchronous::Normal)
                    .page_size(PAGE_BYTES)
                    .pragma("temp_store", "memory");
                if reads_only { sqlite.pragma("query_only", "true") } else { sqlite }
            });
        Database::connect(options).await.map_err(|error| self.failed(error))
    }

    /// Takes the connection out of its pool.
    async fn own(&self, pool: &DatabaseConnection) -> Result<OwnConnection, OpenError> {
        let taken = pool.get_sqlite_connection_pool().acquire().await;
        let taken = taken.map_err(|error| self.failed(driver_failed(error)))?;
        Ok(OwnConnection::new(taken.detach()))
    }

    /// Whether there is nothing to do. Else the file is new, or of an older version.
    async fn is_up_to_date(&self, connection: &DatabaseConnection) -> Result<bool, OpenError> {
        // In this order: another process may set the file up in between, and its tables and its
        // id come to be at once.
        let objects = self.number(connection, "SELECT count(*) FROM sqlite_schema").await?;
        let id = self.number(connection, "PRAGMA application_id").await?;
        if id != APPLICATION_ID {
            let is_new = id == 0 && objects == 0 && self.settings.create;
            return if is_new { Ok(false) } else { Err(OpenError::Foreign { path: self.path() }) };
        }
        let sql = "SELECT version FROM seaql_migrations ORDER BY version";
        let rows = connection.query_all_raw(statement(connection, sql)).await;
        let applied: Vec<String> = rows
            .and_then(|rows| rows.iter().map(|row| row.try_get_by_index(0)).collect())
            .map_err(|error| self.failed(error))?;
        let known: Vec<String> =
            Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
        if applied.iter().any(|step| !known.contains(step)) {
            return Err(OpenError::Newer { path: self.path() });
        }
        Ok(applied.len() == known.len())
    }

    /// Brings the schema up to date in one transaction, so that of two processes that open a
    /// new file at once, the second finds what the first made.
    async fn set_up(&self, connection: &DatabaseConnection) -> Result<(), OpenError> {
        self.switch_to_wal(connection).await?;
        begin(connection).await.map_err(|error| self.failed(error))?;
        let made = match self.is_up_to_date(connection).await {
            Ok(true) => Ok(()),
            Ok(false) => self.migrate(connection).await.map_err(|error| self.failed(error)),
            Err(error) => Err(error),
        };
        let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_unprepared(end).await;
        made.and(ended.map(drop).map_err(|error| self.failed(error)))
    }

    /// The write-ahead log lets others read while one writes. `SQLite` does not wait for a
    /// lock here, so this is tried again when somebody else does the same.
    async fn switch_to_wal(&self, connection: &DatabaseConnection) -> Result<(), OpenError> {
        let mut attempt = 1;
        loop {
            match connection.execute_unprepared("PRAGMA journal_mode = WAL").await {
                Ok(_) => return Ok(()),
                Err(error) if Failure::of(&error) == Failure::Busy && attempt < 50 => {
                    tokio::time::sleep(Duration::from_millis(5 + attempt)).await;
                    attempt += 1;
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    async fn migrate(&self, connection: &DatabaseConnection) -> Result<(), DbErr> {
        connection.execute_unprepared(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
        Migrator::up(connection, None).await?;
        if installation::Entity::find_by_id(installation::ONLY).one(connection).await?.is_none() {
            let row = installation::ActiveModel {
                id: ActiveValue::Set(installation::ONLY),
                lanes: ActiveValue::Set(self.settings.lanes.count().into()),
                revision: ActiveValue::Set(0),
                imports: ActiveValue::Set(0),
            };
            row.insert(connection).await?;
        }
        Ok(())
    }

    async fn check_lanes(&self, connection: &DatabaseConnection) -> Result<(), OpenError> {
        let row = installation::Entity::find_by_id(installation::ONLY).one(connection).await;
        let row = row.map_err(|error| self.failed(error))?;
        let found = row.and_then(|row| NonZeroU16::new(u16::try_from(row.lanes).ok()?));
        match found.map(Lanes) {
            Some(lanes) if lanes == self.settings.lanes => Ok(()),
            found => Err(OpenError::LanesDiffer {
                path: self.path(),
                found: found.map_or(0, Lanes::count),
                wanted: self.settings.lanes.count(),
            }),
        }
    }

    async fn number(&self, connection: &DatabaseConnection, sql: &str) -> Result<i32, OpenError> {
        let row = connection.query_one_raw(statement(connection, sql)).await;
        let number = row.and_then(|row| row.map_or(Ok(0), |row| row.try_get_by_index(0)));
        number.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(self.path(), error)
    }

    fn path(&self) -> String {
        self.path.to_owned()
    }
}

fn statement(connection: &DatabaseConnection, sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(connection.get_database_backend(), sql)
}
