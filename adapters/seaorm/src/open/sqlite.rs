//! What makes a file our database, and one clear line for each that is not.

use std::path::Path;
use std::time::Duration;

use catchment_migrations::{Migration, TABLE};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

use super::schema::{self, Applied};
use super::{Migrated, Opened};
use crate::connection::OwnConnection;
use crate::dialect::SQLITE;
use crate::error::{Failure, driver_failed};
use crate::open_error::OpenError;
use crate::readers::Readers;
use crate::retry::while_busy;
use crate::settings::StoreSettings;
use crate::store::statement;
use crate::writers::Writers;

/// `PRAGMA application_id` of our files: `CaMt` in ASCII.
const APPLICATION_ID: i32 = 0x4361_4d74;

/// The size of a page of a new file: neighbours are written together, and with twice the
/// usual 4 KiB there are fewer pages to find, to check and to copy.
const PAGE_BYTES: u32 = 8_192;

/// Opens a database, creates it where that is wanted, and brings its schema up to date.
pub(crate) async fn open(url: &str, settings: &StoreSettings) -> Result<Opened, OpenError> {
    let path = file(url)?;
    let opening = Opening::new(&path, url, settings);
    let (connection, _) = opening.prepare().await?;
    let readers = opening.connect(settings.readers.get(), true).await?;
    // The database is in this process, and nothing that is read waits for who writes.
    let readers = Readers::new(readers, Duration::MAX);
    let file = Path::new(&path).canonicalize();
    let file = file.map_err(|_| OpenError::CannotOpen { database: path.clone() })?;
    let writers = Writers::of_file(connection);
    Ok(Opened { writers, readers, file: Some(file), dialect: &SQLITE })
}

/// Brings a database up to date, and says what that took.
pub(crate) async fn migrate(url: &str, settings: &StoreSettings) -> Result<Migrated, OpenError> {
    let path = file(url)?;
    let created = !Path::new(&path).exists();
    let opening = Opening::new(&path, url, settings);
    let (connection, before) = opening.prepare().await?;
    connection.close().await.map_err(|error| opening.failed(error))?;
    Ok(Migrated { steps: before.missing(), database: path, created })
}

/// Looks at a database without changing it.
pub(crate) async fn check(url: &str, settings: &StoreSettings) -> Result<String, OpenError> {
    let path = file(url)?;
    let settings = StoreSettings { create: false, ..settings.clone() };
    let opening = Opening::new(&path, url, &settings);
    if !Path::new(&path).exists() {
        return Err(OpenError::Missing { database: path });
    }
    let connection = opening.connect(1, true).await?;
    opening.applied(&connection).await?.check(&path)?;
    schema::check_lanes(&connection, settings.lanes, &path).await?;
    Ok(path)
}

/// The file that a URL names.
fn file(url: &str) -> Result<String, OpenError> {
    let options = url.parse::<SqliteConnectOptions>().ok().filter(|_| url.starts_with("sqlite:"));
    let path = options.map(|options| options.get_filename().to_string_lossy().into_owned());
    // A database in memory would be another one for each connection.
    path.filter(|path| {
        !path.is_empty() && !path.contains(":memory:") && !path.contains("file:sqlx-in-memory")
    })
    .ok_or_else(|| OpenError::url(url))
}

struct Opening<'a> {
    path: &'a str,
    url: &'a str,
    settings: &'a StoreSettings,
    steps: Vec<Migration>,
}

impl<'a> Opening<'a> {
    fn new(path: &'a str, url: &'a str, settings: &'a StoreSettings) -> Self {
        Self { path, url, settings, steps: catchment_migrations::sqlite() }
    }

    /// Brings the file up to date. Returns a connection to it, and what it was before.
    async fn prepare(&self) -> Result<(OwnConnection, Applied), OpenError> {
        if !self.settings.create && !Path::new(self.path).exists() {
            return Err(OpenError::Missing { database: self.path() });
        }
        let connection = self.own(&self.connect(1, false).await?).await?;
        let before = self.applied(&connection).await?;
        if !before.is_up_to_date() {
            self.set_up(&connection).await?;
        }
        schema::check_lanes(&connection, self.settings.lanes, self.path).await?;
        Ok((connection, before))
    }

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
        Ok(OwnConnection::sqlite(taken.detach()))
    }

    /// The steps of the schema that the file has; none for one that is new.
    async fn applied(&self, connection: &impl ConnectionTrait) -> Result<Applied, OpenError> {
        // In this order: another process may set the file up in between, and its tables and its
        // id come to be at once.
        let objects = self.number(connection, "SELECT count(*) FROM sqlite_schema").await?;
        let id = self.number(connection, "PRAGMA application_id").await?;
        if id == APPLICATION_ID {
            let table = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{TABLE}'");
            if self.number(connection, &table).await? == 0 {
                return Err(OpenError::Early { database: self.path() });
            }
            return Applied::read(connection, &self.steps, self.path).await;
        }
        let is_new = id == 0 && objects == 0 && self.settings.create;
        if is_new {
            Ok(Applied::nothing(&self.steps))
        } else {
            Err(OpenError::Foreign { database: self.path() })
        }
    }

    /// Brings the schema up to date in one transaction, so that of two processes that open a
    /// new file at once, the second finds what the first made.
    async fn set_up(&self, connection: &OwnConnection) -> Result<(), OpenError> {
        let begin = || connection.execute_unprepared("BEGIN IMMEDIATE");
        self.switch_to_wal(connection).await?;
        while_busy(begin).await.map_err(|error| self.failed(error))?;
        let made = match self.applied(connection).await {
            Ok(applied) if applied.is_up_to_date() => Ok(()),
            Ok(applied) => {
                self.migrate(connection, &applied).await.map_err(|error| self.failed(error))
            }
            Err(error) => Err(error),
        };
        let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_unprepared(end).await;
        made.and(ended.map(drop).map_err(|error| self.failed(error)))
    }

    /// The write-ahead log lets others read while one writes. `SQLite` does not wait for a
    /// lock here, so this is tried again when somebody else does the same.
    async fn switch_to_wal(&self, connection: &OwnConnection) -> Result<(), OpenError> {
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

    async fn migrate(&self, connection: &OwnConnection, applied: &Applied) -> Result<(), DbErr> {
        connection.execute_unprepared(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
        applied.complete(connection, self.settings.lanes).await
    }

    async fn number(&self, connection: &impl ConnectionTrait, sql: &str) -> Result<i32, OpenError> {
        let row = connection.query_one_raw(statement(connection, sql, [])).await;
        let number = row.and_then(|row| row.map_or(Ok(0), |row| row.try_get_by_index(0)));
        number.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(self.path, error)
    }

    fn path(&self) -> String {
        self.path.to_owned()
    }
}
