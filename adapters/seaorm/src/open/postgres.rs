//! Opens databases on a `PostgreSQL` server. Opening a database does not change it. Its schema is
//! brought up to date by a separate command, once for all processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_migrations::{Migration, TABLE};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{Connection, PgConnection};
use sea_orm::{ConnectionTrait, DbErr, sqlx};
use tokio::time::{Instant, timeout};

use super::schema::{self, Applied, ask};
use super::{Migrated, Opened};
use crate::connection::OwnConnection;
use crate::database_url::DatabaseUrl;
use crate::dialect::POSTGRES;
use crate::error::{Failure, driver_failed, timed_out};
use crate::open_error::OpenError;
use crate::pool::Connect;
use crate::readers::Readers;
use crate::settings::StoreSettings;
use crate::statement::statement;
use crate::writers::Writers;
use session::Purpose;

mod session;

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
    let server = Server::new(url, settings)?;
    // The check closes its connection. The pools connect when they need to.
    server.check().await?;
    let set: Arc<str> = server.set.into();
    let patience = patience(settings);
    let (readers, wait) = (settings.readers.get(), settings.connect_timeout);
    let connections = Connections { options: server.options, set, patience, wait };
    // A writer does not wait here: it gets an error at once, and tries again by its own rules.
    let of_writers = Connections { wait: Duration::ZERO, ..connections.clone() };
    Ok(Opened {
        writers: Writers::of_server(of_writers, settings.writers.get()),
        readers: Readers::of_server(connections, readers, patience),
        file: None,
        dialect: &POSTGRES,
        patience,
    })
}

/// Checks a database without changing it.
pub(crate) async fn check(
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<String, OpenError> {
    let server = Server::new(url, settings)?;
    server.check().await?;
    Ok(server.name)
}

/// Creates the database if it does not exist and the settings allow that, then applies the missing
/// steps in one transaction. If two processes do this at once, the second finds the steps of the
/// first.
pub(crate) async fn migrate(
    url: &DatabaseUrl,
    settings: &StoreSettings,
) -> Result<Migrated, OpenError> {
    let server = Server::for_purpose(Purpose::Migrate, url, settings)?;
    let (connection, created) = match server.reach().await {
        Err(OpenError::Unknown { .. }) if settings.create => (server.create().await?, true),
        reached => (reached?, false),
    };
    let steps = match server.check_session(&connection).await {
        Ok(()) => server.migrate(&connection).await,
        Err(refused) => Err(refused),
    };
    // Rolls back what was not committed.
    let closed = connection.close().await;
    let steps = steps?;
    closed.map_err(|error| server.failed(error))?;
    Ok(Migrated { database: server.name, created, steps })
}

/// Runs statements on a separate connection.
pub(crate) async fn execute(
    url: &str,
    sql: &str,
    settings: &StoreSettings,
) -> Result<(), OpenError> {
    let refused = |reason| OpenError::Url { url: DatabaseUrl::redact(url), reason };
    let server = Server::new(&url.parse().map_err(refused)?, settings)?;
    let connection = server.reach().await?;
    let executed = connection.execute_unprepared(sql).await;
    let closed = connection.close().await;
    executed.map(drop).and(closed).map_err(|error| server.failed(error))
}

/// Makes one connection, and sets its session by these statements.
async fn connect(
    options: &PgConnectOptions,
    set: &str,
    patience: Duration,
) -> Result<OwnConnection, DbErr> {
    let connected = timeout(ATTEMPT, async {
        let connection = PgConnection::connect_with(options).await.map_err(driver_failed)?;
        let connection = OwnConnection::postgres(connection, patience);
        connection.query_unprepared(set).await?;
        Ok(connection)
    });
    connected.await.unwrap_or_else(|elapsed| Err(timed_out(elapsed)))
}

/// Makes the connections of a store.
#[derive(Clone)]
struct Connections {
    options: PgConnectOptions,
    set: Arc<str>,
    patience: Duration,
    /// How long to try again if a connection is refused or lost, because the server may be starting.
    wait: Duration,
}

/// Hides the password that the `Debug` of the driver would show.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("patience", &self.patience).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connect for Connections {
    async fn connect(&self) -> Result<OwnConnection, DbErr> {
        let deadline = Instant::now() + self.wait;
        loop {
            match connect(&self.options, &self.set, self.patience).await {
                Err(error)
                    if Failure::of(&error) == Failure::Lost
                        && Instant::now() + PAUSE < deadline =>
                {
                    tracing::debug!(%error, "the server gave no connection; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
                connected => return connected,
            }
        }
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
    purpose: Purpose,
    /// The statements that set a session.
    set: String,
    /// The settings that the URL names.
    named: Vec<(String, String)>,
    steps: Vec<Migration>,
}

impl<'a> Server<'a> {
    fn new(url: &DatabaseUrl, settings: &'a StoreSettings) -> Result<Self, OpenError> {
        Self::for_purpose(Purpose::Work, url, settings)
    }

    fn for_purpose(
        purpose: Purpose,
        url: &DatabaseUrl,
        settings: &'a StoreSettings,
    ) -> Result<Self, OpenError> {
        let name = url.to_string();
        let parsed = session::parse(url);
        let (options, named) =
            parsed.map_err(|reason| OpenError::Url { url: name.clone(), reason })?;
        if let Some(setting) = session::overruled(settings, &named) {
            let advice = session::advice(setting);
            return Err(OpenError::Overruled { database: name, setting, advice });
        }
        let set = session::statement(purpose, settings, &named);
        let steps = catchment_migrations::postgres();
        Ok(Self { options, settings, name, purpose, set, named, steps })
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<OwnConnection, DbErr> {
        let patience = match self.purpose {
            Purpose::Migrate => Duration::MAX,
            Purpose::Work => patience(self.settings),
        };
        connect(options, &self.set, patience).await
    }

    /// Finds out whether the database can be used, without changing it.
    async fn check(&self) -> Result<(), OpenError> {
        let connection = self.reach().await?;
        self.check_session(&connection).await?;
        let applied = self.applied(&connection).await?;
        if applied.is_empty() {
            let schema = ask(&connection, &self.name, "SELECT current_schema()::text").await?;
            return Err(OpenError::EmptySchema { database: self.name.clone(), schema });
        }
        applied.check(&self.name)?;
        schema::check_lanes(&connection, self.settings.lanes, &self.name).await?;
        connection.close().await.map_err(|error| self.failed(error))
    }

    /// Refuses a session that only reads or does not have the settings that it was given, and a
    /// pooler that gives a session of the server to several connections in turn: settings, locks
    /// and prepared statements of one connection would be another's.
    ///
    /// There are two signs of a pooler that shares sessions. One connection gets different sessions
    /// in turn. Or a second connection gets the session that the first one just used. Other clients
    /// may take a session in between, so this checks three times.
    async fn check_session(&self, connection: &OwnConnection) -> Result<(), OpenError> {
        let database = || self.name.clone();
        let shared = || OpenError::SharedSessions { database: database() };
        if self.now(connection, "SELECT pg_is_in_recovery()::text").await? == "true" {
            return Err(OpenError::Standby { database: database() });
        }
        if self.now(connection, "SHOW default_transaction_read_only").await? == "on" {
            let place = session::place_of_read_only(&self.named);
            return Err(OpenError::ReadsOnly { database: database(), place });
        }
        let other = self.reach().await?;
        let session = "SELECT pg_backend_pid()::text";
        for _ in 0..3 {
            let mine = self.now(connection, session).await?;
            if mine != self.now(connection, session).await? {
                return Err(shared());
            }
            match other.query_unprepared("BEGIN").await {
                Ok(_) => {}
                Err(error) if Failure::of(&error) == Failure::Lost => {
                    return Err(self.failed(error));
                }
                // A pooler that shares sessions between statements takes no transactions.
                Err(_) => return Err(shared()),
            }
            // Asked in this order: the first connection would wait for a pool of one session.
            if mine == self.now(&other, session).await?
                || mine != self.now(connection, session).await?
            {
                return Err(shared());
            }
            self.now(&other, "ROLLBACK").await?;
        }
        other.close().await.map_err(|error| self.failed(error))?;
        let differing = session::differing(self.purpose, self.settings);
        let settings = self.now(connection, &differing).await?;
        if settings.is_empty() {
            return Ok(());
        }
        Err(OpenError::NotKept { database: database(), settings })
    }

    /// Connects to a server that may still be starting. Tries again until `connect_timeout` ends if
    /// a connection is refused or lost.
    async fn reach(&self) -> Result<OwnConnection, OpenError> {
        let waited = self.settings.connect_timeout;
        let deadline = Instant::now() + waited;
        loop {
            let error = match self.connect(&self.options).await {
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
        let encoding: String = ask(connection, &self.name, "SHOW server_encoding").await?;
        if encoding != "UTF8" {
            return Err(OpenError::Encoding { database: database(), encoding });
        }
        let schema = "SELECT coalesce(current_schema()::text, '')";
        if ask::<String>(connection, &self.name, schema).await?.is_empty() {
            return Err(OpenError::NoSchema { database: database() });
        }
        // Tables of an extension do not count.
        let tables = "
            SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
              AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                              AND objid = pg_class.oid AND deptype = 'e')";
        let tables: String = ask(connection, &self.name, tables).await?;
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
        let connection = self.connect(&options).await.map_err(|error| self.failed(error))?;
        match connection.execute_unprepared(&sql).await {
            // If the database already exists, another process was first.
            Err(error) if !is_there_already(&error) => return Err(self.failed(error)),
            _ => connection.close().await.map_err(|error| self.failed(error))?,
        }
        self.reach().await
    }

    /// The text that a statement returns, without preparing it.
    async fn now(&self, connection: &OwnConnection, sql: &str) -> Result<String, OpenError> {
        let rows = connection.query_unprepared(sql).await;
        let text = rows
            .and_then(|rows| rows.first().map_or(Ok(String::new()), |row| row.try_get_by_index(0)));
        text.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DbErr) -> OpenError {
        OpenError::of(&self.name, error)
    }
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
