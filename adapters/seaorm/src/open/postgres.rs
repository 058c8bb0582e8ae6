//! Opens databases on a `PostgreSQL` server. Opening a database does not change it. Its schema is
//! brought up to date by a separate command, once for all processes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use catchment_migrations::{Migration, TABLE};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::{Connection, PgConnection};
use sea_orm::{ConnectionTrait, DbErr, SqlxPostgresConnector, sqlx};
use tokio::time::{Instant, timeout};

use super::schema::{self, Applied};
use super::{Migrated, Opened};
use crate::connection::OwnConnection;
use crate::database_url::{DatabaseUrl, DatabaseUrlError};
use crate::dialect::POSTGRES;
use crate::error::{Failure, driver_failed};
use crate::open_error::OpenError;
use crate::readers::Readers;
use crate::settings::StoreSettings;
use crate::store::statement;
use crate::writers::{Connect, Writers};

/// How long one attempt at a connection may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How long to wait between attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// The extra time in which a server can report that a statement takes too long. After that, the
/// server counts as gone.
const GRACE: Duration = Duration::from_secs(5);

/// The number of the lock for bringing a schema up to date: `CaMt` in ASCII.
const MIGRATING: i64 = 0x4361_4d74;

/// Opens a database that is up to date.
pub(crate) async fn open(url: &DatabaseUrl, settings: &StoreSettings) -> Result<Opened, OpenError> {
    let mut server = Server::new(url, settings)?;
    let connection = server.reach().await?;
    server.applied(&connection).await?.check(&server.name)?;
    schema::check_lanes(&connection, settings.lanes, &server.name).await?;
    if server.text(&connection, "SHOW synchronous_commit").await? == "off" {
        // What was reported as stored must be on the disk.
        server.options = server.options.options([("synchronous_commit", "on")]);
    }
    // The check is over. Its connection is closed, and the pools connect when they need to.
    connection.close().await.map_err(|error| server.failed(error))?;
    let readers = server.options.clone().options([("default_transaction_read_only", "on")]);
    let readers = PgPoolOptions::new()
        .max_connections(settings.readers.get())
        .acquire_timeout(settings.connect_timeout)
        .max_lifetime(None)
        .connect_lazy_with(readers);
    Ok(Opened {
        writers: Writers::of_server(
            Connections { options: server.options, settings: settings.clone() },
            settings.writers.get(),
        ),
        readers: Readers::new(
            SqlxPostgresConnector::from_sqlx_postgres_pool(readers),
            patience(settings),
        ),
        file: None,
        dialect: &POSTGRES,
    })
}

/// Checks a database without changing it.
pub(crate) async fn check(
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<String, OpenError> {
    let server = Server::new(url, settings)?;
    let connection = server.reach().await?;
    server.applied(&connection).await?.check(&server.name)?;
    schema::check_lanes(&connection, settings.lanes, &server.name).await?;
    connection.close().await.map_err(|error| server.failed(error))?;
    Ok(server.name)
}

/// Creates the database if it does not exist and the settings allow that, then applies the missing
/// steps in one transaction. If two processes do this at once, the second finds the steps of the
/// first.
pub(crate) async fn migrate(
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<Migrated, OpenError> {
    let mut server = Server::new(url, settings)?;
    // A step may take long, and so may another process that applies it.
    server.options = server.options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    server.patience = Duration::MAX;
    let (connection, created) = match server.reach().await {
        Err(OpenError::Unknown { .. }) if settings.create => (server.create().await?, true),
        reached => (reached?, false),
    };
    let steps = server.migrate(&connection).await;
    // Rolls back what was not committed.
    let closed = connection.close().await;
    let steps = steps?;
    closed.map_err(|error| server.failed(error))?;
    Ok(Migrated { database: server.name, created, steps })
}

/// Makes an empty schema for a search path.
pub(crate) async fn create_schema(
    url: &str,
    name: &str,
    settings: &StoreSettings,
) -> Result<(), OpenError> {
    Server::parse(url, settings)?.execute(&format!("CREATE SCHEMA {}", quoted(name))).await
}

/// Drops a schema with all its contents.
pub(crate) async fn drop_schema(
    url: &str,
    name: &str,
    settings: &StoreSettings,
) -> Result<(), OpenError> {
    Server::parse(url, settings)?.execute(&format!("DROP SCHEMA {} CASCADE", quoted(name))).await
}

/// Runs statements on a separate connection.
pub(crate) async fn execute(
    url: &str,
    sql: &str,
    settings: &StoreSettings,
) -> Result<(), OpenError> {
    Server::parse(url, settings)?.execute(sql).await
}

/// Makes one connection.
pub(crate) async fn connect(
    options: &PgConnectOptions,
    settings: &StoreSettings,
) -> Result<OwnConnection, DbErr> {
    connect_with(options, patience(settings)).await
}

async fn connect_with(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<OwnConnection, DbErr> {
    let connected = timeout(ATTEMPT, PgConnection::connect_with(options)).await;
    let connected = connected.unwrap_or_else(|elapsed| Err(std::io::Error::from(elapsed).into()));
    let connection = connected.map_err(driver_failed)?;
    Ok(OwnConnection::postgres(connection, patience))
}

/// Makes the connections that write.
struct Connections {
    options: PgConnectOptions,
    settings: StoreSettings,
}

/// Hides the password that the `Debug` of the driver would show.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connect for Connections {
    async fn connect(&self) -> Result<OwnConnection, DbErr> {
        connect(&self.options, &self.settings).await
    }
}

/// Returns how long the answer to a statement may take.
fn patience(settings: &StoreSettings) -> Duration {
    settings.statement_timeout.saturating_add(GRACE)
}

/// A database on a server.
struct Server<'a> {
    options: PgConnectOptions,
    settings: &'a StoreSettings,
    /// The database's URL, without a password.
    name: String,
    /// How long the answer to a statement may take.
    patience: Duration,
    steps: Vec<Migration>,
}

impl<'a> Server<'a> {
    fn parse(url: &str, settings: &'a StoreSettings) -> Result<Self, OpenError> {
        let refused = |reason| OpenError::Url { url: DatabaseUrl::redact(url), reason };
        Self::new(&url.parse().map_err(refused)?, settings)
    }

    fn new(url: &DatabaseUrl, settings: &'a StoreSettings) -> Result<Self, OpenError> {
        let options = url.expose().parse::<PgConnectOptions>();
        let reason = DatabaseUrlError::Value;
        let options = options.map_err(|_| OpenError::Url { url: url.to_string(), reason })?;
        let options = with_session(options, settings);
        let (name, patience) = (url.to_string(), patience(settings));
        Ok(Self { options, settings, name, patience, steps: catchment_migrations::postgres() })
    }

    /// Connects to a server that may still be starting. Tries again until `connect_timeout` ends if
    /// a connection is refused or lost.
    async fn reach(&self) -> Result<OwnConnection, OpenError> {
        let waited = self.settings.connect_timeout;
        let deadline = Instant::now() + waited;
        loop {
            let error = match connect_with(&self.options, self.patience).await {
                Ok(connection) => return Ok(connection),
                Err(error) if Failure::of(&error) == Failure::Lost => error,
                Err(error) => return Err(self.failed(error)),
            };
            if !self.is_host_known().await {
                return Err(OpenError::UnknownHost { database: self.name.clone() });
            }
            if deadline < Instant::now() + PAUSE {
                let (database, source) = (self.name.clone(), error.into());
                return Err(OpenError::Unreachable { database, waited, source });
            }
            tracing::debug!(%error, "the server gave no connection; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn is_host_known(&self) -> bool {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        let is_socket = self.options.get_socket().is_some() || host.starts_with('/');
        is_socket || tokio::net::lookup_host((host, port)).await.is_ok()
    }

    /// Returns the steps of the schema that the database has. A database without tables has none.
    async fn applied(&self, connection: &impl ConnectionTrait) -> Result<Applied, OpenError> {
        let database = || self.name.clone();
        let encoding = self.text(connection, "SHOW server_encoding").await?;
        if encoding != "UTF8" {
            return Err(OpenError::Encoding { database: database(), encoding });
        }
        if self.text(connection, "SELECT coalesce(current_schema()::text, '')").await?.is_empty() {
            return Err(OpenError::NoSchema { database: database() });
        }
        // Tables of an extension do not count.
        let tables = "
            SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
              AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                              AND objid = pg_class.oid AND deptype = 'e')";
        let tables = self.text(connection, tables).await?;
        if tables.is_empty() {
            return Ok(Applied::nothing(&self.steps));
        }
        if tables.split(' ').any(|table| table == TABLE) {
            Applied::read(connection, &self.steps, &self.name).await
        } else {
            Err(OpenError::Foreign { database: database() })
        }
    }

    /// Applies the missing steps in one transaction, and returns their names.
    async fn migrate(&self, connection: &OwnConnection) -> Result<Vec<String>, OpenError> {
        let failed = |error| self.failed(error);
        connection.execute_unprepared("BEGIN").await.map_err(failed)?;
        let lock = statement(connection, "SELECT pg_advisory_xact_lock($1)", [MIGRATING.into()]);
        connection.query_one_raw(lock).await.map_err(failed)?;
        let applied = self.applied(connection).await?;
        if !applied.is_up_to_date() {
            applied.complete(connection, self.settings.lanes).await.map_err(failed)?;
        }
        schema::check_lanes(connection, self.settings.lanes, &self.name).await?;
        connection.execute_unprepared("COMMIT").await.map_err(failed)?;
        Ok(applied.missing())
    }

    /// Creates the database, and connects to it.
    async fn create(&self) -> Result<OwnConnection, OpenError> {
        let name = self.options.get_database().unwrap_or(self.options.get_username());
        let sql = format!("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", quoted(name));
        let options = self.options.clone().database("postgres");
        let connection = connect(&options, self.settings).await;
        let connection = connection.map_err(|error| self.failed(error))?;
        match connection.execute_unprepared(&sql).await {
            // If the database already exists, another process was first.
            Err(error) if !is_there_already(&error) => return Err(self.failed(error)),
            _ => connection.close().await.map_err(|error| self.failed(error))?,
        }
        self.reach().await
    }

    async fn execute(&self, sql: &str) -> Result<(), OpenError> {
        let connection = self.reach().await?;
        let executed = connection.execute_unprepared(sql).await;
        let closed = connection.close().await;
        executed.map(drop).and(closed).map_err(|error| self.failed(error))
    }

    async fn text(
        &self,
        connection: &impl ConnectionTrait,
        sql: &str,
    ) -> Result<String, OpenError> {
        let row = connection.query_one_raw(statement(connection, sql, [])).await;
        let text = row.and_then(|row| row.map_or(Ok(String::new()), |row| row.try_get_by_index(0)));
        text.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(&self.name, error)
    }
}

/// Sets the options of every session, so that a session does not hold locks for long after its
/// process froze or lost the connection.
fn with_session(options: PgConnectOptions, settings: &StoreSettings) -> PgConnectOptions {
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("catchment"),
    };
    let millis = |duration: Duration| duration.as_millis().to_string();
    options
        .options([
            (
                "idle_in_transaction_session_timeout",
                millis(settings.idle_in_transaction_session_timeout),
            ),
            ("lock_timeout", millis(settings.lock_timeout)),
            ("statement_timeout", millis(settings.statement_timeout)),
        ])
        .options([
            // A client that vanished without a word is noticed within 25 seconds.
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "25000"),
            // Rows are locked one by one, in one order. Read committed is enough for that, and the
            // statements were written for it.
            ("default_transaction_isolation", "read committed"),
            // The statements are constant, and the contents of their arrays do not say how many
            // rows they match. A plan for each set of values takes longer than running it.
            ("plan_cache_mode", "force_generic_plan"),
            // Every statement goes by a key, in its order. While a table has no statistics, as
            // after its first import, a bitmap scan would sort the rest of the table for each page.
            ("enable_bitmapscan", "off"),
        ])
}

/// Returns a name quoted for a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_there_already(error: &DbErr) -> bool {
    let (DbErr::Exec(source) | DbErr::Query(source) | DbErr::Conn(source)) = error else {
        return false;
    };
    let sea_orm::RuntimeErr::SqlxError(source) = source else { return false };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("42P04" | "23505"))
}
