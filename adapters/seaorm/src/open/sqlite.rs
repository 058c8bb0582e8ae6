//! Opens, checks and migrates database files. A file that is not a usable Catchment database gets
//! an error of one clear line.

use std::path::Path;
use std::time::Duration;

use catchment_migrations::TABLE;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, SqliteConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, SqlxSqliteConnector};

pub(crate) use self::folder_lock::FolderLock;
use super::schema::{self, Applied, ask};
use super::{Migrated, Opened};
use crate::connection::OwnConnection;
use crate::database_url::DatabaseUrl;
use crate::dialect::SQLITE;
use crate::error::{Failure, driver_failed};
use crate::open_error::OpenError;
use crate::place::{self, APPLICATION_ID};
use crate::readers::Readers;
use crate::retry::while_busy;
use crate::settings::StoreSettings;
use crate::statement::value;
use crate::writers::Writers;

pub(crate) mod checks;
mod folder_lock;
pub(crate) mod objects;

/// The page size of a new file. Neighbouring rows are written together, and with twice the usual
/// 4 KiB there are fewer pages to find, to check and to copy.
const PAGE_BYTES: u32 = 8_192;

/// Opens a database, creates it if the settings allow that, and brings its schema up to date.
pub(crate) async fn open(
    file: &Path,
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<Opened, OpenError> {
    let opening = Opening::new(file, url, settings);
    let (connection, _) = opening.prepare().await?;
    let readers = opening.connect(settings.readers.get(), true).await?;
    let file = file.canonicalize();
    let file = file.map_err(|_| OpenError::cannot_open(opening.name()))?;
    let writers = Writers::of_file(connection);
    let readers = Readers::File(readers);
    Ok(Opened { writers, readers, file: Some(file), dialect: &SQLITE, patience: Duration::MAX })
}

/// Brings a database up to date, and returns the steps that this took.
pub(crate) async fn migrate(
    file: &Path,
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<Migrated, OpenError> {
    let created = !file.exists();
    let opening = Opening::new(file, url, settings);
    let (connection, before) = opening.prepare().await?;
    connection.close().await.map_err(|error| opening.failed(error))?;
    Ok(Migrated { steps: before.missing(), database: opening.name(), created })
}

/// Opens an existing database of this version or an older version, and marks it as in use. The
/// schema stays as it is. Returns the steps of the schema that the database has.
pub(crate) async fn open_older(
    file: &Path,
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<(OwnConnection, Applied), OpenError> {
    let settings = StoreSettings { create: false, ..settings.clone() };
    Opening { updates: false, ..Opening::new(file, url, &settings) }.prepare().await
}

/// Checks a database without changing it.
pub(crate) async fn check(
    file: &Path,
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<String, OpenError> {
    let settings = StoreSettings { create: false, ..settings.clone() };
    let opening = Opening::new(file, url, &settings);
    checks::check_absent(file, &opening.name)?;
    if !file.exists() {
        return Err(OpenError::Missing { database: opening.name() });
    }
    checks::check(file, &opening.name)?;
    let had_log = place::has_log(file);
    let connection = look(file, &settings).await.map_err(|error| opening.failed(error))?;
    let checked = async {
        opening.applied(&connection).await?.check(&opening.name)?;
        check_log(&connection, file, had_log).await?;
        schema::check_lanes(&connection, settings.lanes, &opening.name).await
    };
    let checked = checked.await;
    connection.close_as_it_is().await.map_err(|error| opening.failed(error))?;
    checked.map(|()| opening.name())
}

/// Connects to an existing file without changing the file or its log.
pub(crate) async fn look(file: &Path, settings: &StoreSettings) -> Result<OwnConnection, DbErr> {
    let options = look_at(file, settings);
    let connection = SqliteConnection::connect_with(&options).await.map_err(driver_failed)?;
    Ok(OwnConnection::sqlite(connection, Some(file)))
}

/// Returns the options of a connection that changes neither the file nor its log.
fn look_at(file: &Path, settings: &StoreSettings) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(settings.lock_timeout)
        .pragma("temp_store", "memory")
}

struct Opening<'a> {
    file: &'a Path,
    url: &'a str,
    settings: &'a StoreSettings,
    /// The name of the file in messages.
    name: String,
    /// Whether the schema is brought up to date.
    updates: bool,
}

impl<'a> Opening<'a> {
    fn new(file: &'a Path, url: &'a DatabaseUrl, settings: &'a StoreSettings) -> Self {
        let name = file.display().to_string();
        Self { file, url: url.expose(), settings, name, updates: true }
    }

    /// Opens, checks and marks the file, and brings it up to date if `updates` is set. Returns a
    /// connection, and the steps that the file had before.
    async fn prepare(&self) -> Result<(OwnConnection, Applied), OpenError> {
        checks::check_absent(self.file, &self.name)?;
        if !self.settings.create && !self.file.exists() {
            return Err(OpenError::Missing { database: self.name() });
        }
        // No process replaces the file until this connection has marked it as in use.
        let wait = self.settings.lock_timeout;
        let _opening = FolderLock::Opening.take(self.file, wait, &self.name).await?;
        checks::check(self.file, &self.name)?;
        let had_log = place::has_log(self.file);
        let connection = self.own(&self.connect(1, false).await?).await?;
        match self.take(&connection, had_log).await {
            Ok(before) => Ok((connection, before)),
            Err(error) => {
                // The first error says what is wrong. Closing removes an empty log.
                let _ = connection.close_as_it_is().await;
                Err(error)
            }
        }
    }

    /// Checks that the file is a Catchment database, brings it up to date if `updates` is set, and
    /// marks it. Returns the steps that the file had before.
    async fn take(&self, connection: &OwnConnection, had_log: bool) -> Result<Applied, OpenError> {
        let before = self.applied(connection).await?;
        check_log(connection, self.file, had_log).await?;
        if self.updates && !before.is_up_to_date() {
            self.set_up(connection).await?;
        }
        schema::check_lanes(connection, self.settings.lanes, &self.name).await?;
        self.mark_in_use(connection).await?;
        Ok(before)
    }

    /// Opens connections, and writes nothing yet: the file may belong to another program.
    async fn connect(&self, count: u32, reads_only: bool) -> Result<DatabaseConnection, OpenError> {
        let (create, lock_timeout) = (self.settings.create, self.settings.lock_timeout);
        let (mut options, file) = (ConnectOptions::new(self.url), self.file.to_owned());
        options
            .max_connections(count)
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .test_before_acquire(false)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            .map_sqlx_sqlite_opts(move |sqlite| {
                let sqlite = sqlite
                    .filename(&file)
                    .create_if_missing(create && !reads_only)
                    .busy_timeout(lock_timeout)
                    .synchronous(SqliteSynchronous::Full)
                    .page_size(PAGE_BYTES)
                    .pragma("temp_store", "memory");
                if reads_only { sqlite.pragma("query_only", "true") } else { sqlite }
            });
        // Not with `Database`, whose own parser refuses blanks. This connector parses the URL as
        // `DatabaseUrl` does.
        SqlxSqliteConnector::connect(options).await.map_err(|error| self.failed(error))
    }

    /// Takes the connection out of its pool.
    async fn own(&self, pool: &DatabaseConnection) -> Result<OwnConnection, OpenError> {
        let taken = pool.get_sqlite_connection_pool().acquire().await;
        let taken = taken.map_err(|error| self.failed(driver_failed(error)))?;
        Ok(OwnConnection::sqlite(taken.detach(), Some(self.file)))
    }

    /// Returns the steps of the schema that the file has.
    async fn applied(&self, connection: &impl ConnectionTrait) -> Result<Applied, OpenError> {
        applied(connection, &self.name, self.settings.create).await
    }

    /// Writes the file's identity into its header, then turns the write-ahead log on, so that
    /// others can read while one process writes. From then on the header says that the file is in
    /// use, until the last process that has the file open closes it.
    async fn mark_in_use(&self, connection: &OwnConnection) -> Result<(), OpenError> {
        let identity = place::identity(self.file);
        let marked = async {
            if ask::<i32>(connection, &self.name, "PRAGMA user_version").await? != identity {
                // The identity belongs in the file, not in the log. If another process has the file
                // open, the identity goes into the log, and then the log must not be lost either.
                if let Err(error) = connection.leave().await {
                    tracing::debug!(%error, "the identity goes into the log");
                }
                let sql = format!("PRAGMA user_version = {identity}");
                let write = || connection.execute_unprepared(&sql);
                while_busy(write).await.map_err(|error| self.failed(error))?;
            }
            self.switch_to_wal(connection).await?;
            // From here on a commit need not wait for the disk: the file stays consistent without
            // that.
            let sql = "PRAGMA synchronous = NORMAL";
            let set = connection.execute_unprepared(sql).await;
            set.map(drop).map_err(|error| self.failed(error))
        };
        match marked.await {
            // If this process may only read the file, the header stays as it is.
            Err(OpenError::ReadOnly { .. }) => Ok(()),
            marked => marked,
        }
    }

    /// Brings the schema up to date in one transaction. If two processes open a new file at once,
    /// the second therefore finds the tables of the first.
    async fn set_up(&self, connection: &OwnConnection) -> Result<(), OpenError> {
        let begin = || connection.execute_unprepared("BEGIN IMMEDIATE");
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

    /// Turns the write-ahead log on. `SQLite` does not wait for a lock here, so this function tries
    /// again if another process does the same, or turns the log off before this connection has it
    /// open.
    async fn switch_to_wal(&self, connection: &OwnConnection) -> Result<(), OpenError> {
        let mut attempt = 1;
        loop {
            match open_log(connection).await {
                Ok(true) => return Ok(()),
                Ok(false) if attempt < 50 => {}
                Ok(false) => return Err(OpenError::Locked { database: self.name() }),
                Err(error) if Failure::of(&error) == Failure::Busy && attempt < 50 => {}
                Err(error) => return Err(self.failed(error)),
            }
            tokio::time::sleep(Duration::from_millis(5 + attempt)).await;
            attempt += 1;
        }
    }

    async fn migrate(&self, connection: &OwnConnection, applied: &Applied) -> Result<(), DbErr> {
        connection.execute_unprepared(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
        applied.complete(connection, self.settings.lanes).await
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(&self.name, error)
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// Returns the steps of the schema that a file has. A new file has none, and is refused unless
/// `may_be_new` is set.
pub(crate) async fn applied(
    connection: &impl ConnectionTrait,
    name: &str,
    may_be_new: bool,
) -> Result<Applied, OpenError> {
    let (database, steps) = (|| name.to_owned(), catchment_migrations::sqlite());
    // In this order: another process may set the file up in between, and it writes the tables and
    // the id in one transaction.
    let objects: i32 = ask(connection, name, "SELECT count(*) FROM sqlite_schema").await?;
    let id: i32 = ask(connection, name, "PRAGMA application_id").await?;
    if id == APPLICATION_ID {
        let table = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{TABLE}'");
        if ask::<i32>(connection, name, &table).await? == 0 {
            return Err(OpenError::Early { database: database() });
        }
        return Applied::read(connection, &steps, name).await;
    }
    let is_new = id == 0 && objects == 0 && may_be_new;
    if is_new {
        Ok(Applied::nothing(&steps))
    } else {
        Err(OpenError::Foreign { database: database() })
    }
}

/// Fails on a file that was copied, renamed or moved without its log while it was in use.
pub(crate) async fn check_log(
    connection: &impl ConnectionTrait,
    file: &Path,
    had_log: bool,
) -> Result<(), OpenError> {
    let name = file.display().to_string();
    let written = ask(connection, &name, "PRAGMA user_version").await?;
    let mode: String = ask(connection, &name, "PRAGMA journal_mode").await?;
    if place::lacks_log(file, had_log, written, &mode) {
        return Err(OpenError::Incomplete { database: name });
    }
    Ok(())
}

/// Turns the write-ahead log of a file on and opens it. Returns whether the log is open. An open
/// log locks the file until the connection is closed, so no other process can turn the log off.
async fn open_log(connection: &OwnConnection) -> Result<bool, DbErr> {
    connection.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    // Turning the log on takes the lock only for a moment. The first read opens the log.
    value::<i32>(connection, "PRAGMA user_version").await?;
    Ok(value::<String>(connection, "PRAGMA journal_mode").await? == "wal")
}
