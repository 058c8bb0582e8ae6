//! Databases that cannot be used: each gives one clear error, and nothing is changed.

use std::num::NonZeroU16;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_seaorm::{Migrated, OpenError, SeaOrmStore, StoreSettings};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::server::{Server, base_url};

/// Expects that opening fails with this error, in one line without a password.
async fn check(url: &str, settings: &StoreSettings, expected: fn(&OpenError) -> bool) -> String {
    let error = SeaOrmStore::connect(url, settings).await.unwrap_err();
    assert!(expected(&error), "{error:?}");
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("secret"), "{line}");
    line
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_database_without_tables_is_not_made_by_opening_it() {
    let server = Server::empty();
    let settings = Server::settings();
    let empty = |error: &OpenError| matches!(error, OpenError::EmptySchema { .. });
    let line = check(&server.url(), &settings, empty).await;
    assert!(line.contains("run `catchment database migrate`"), "{line}");
    assert!(line.contains(&server.schema), "{line}");
    let migrated = SeaOrmStore::migrate(&server.url(), &settings).await.unwrap();
    assert!(!migrated.created && !migrated.steps.is_empty(), "{migrated:?}");
    SeaOrmStore::check(&server.url(), &settings).await.unwrap();
    let again = SeaOrmStore::migrate(&server.url(), &settings).await.unwrap();
    assert_eq!(again, Migrated { steps: Vec::new(), ..migrated });
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn the_tables_of_another_program_are_left_alone() {
    for sql in ["CREATE TABLE shop (id integer)", "CREATE TABLE catchment_migrations (id integer)"]
    {
        let server = Server::empty();
        server.execute(sql);
        let expected = |error: &OpenError| matches!(error, OpenError::Foreign { .. });
        check(&server.url(), &Server::settings(), expected).await;
        let refused = SeaOrmStore::migrate(&server.url(), &Server::settings()).await.unwrap_err();
        assert!(expected(&refused), "{refused:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn another_version_is_left_alone() {
    let server = Server::new().await;
    let settings = Server::settings();
    server.execute(
        "INSERT INTO catchment_migrations SELECT 9999, '9999_more', installed_on, success, checksum,
         execution_time FROM catchment_migrations WHERE version = 1",
    );
    check(&server.url(), &settings, |error| matches!(error, OpenError::Newer { .. })).await;
    server.execute("DELETE FROM catchment_migrations WHERE 1 < version");
    let older = |error: &OpenError| matches!(error, OpenError::Older { .. });
    let line = check(&server.url(), &settings, older).await;
    assert!(line.contains("run `catchment database migrate`"), "{line}");
    server.execute("UPDATE catchment_migrations SET checksum = ''");
    let changed = |error: &OpenError| matches!(error, OpenError::Changed { .. });
    check(&server.url(), &settings, changed).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_database_keeps_its_number_of_lanes() {
    let server = Server::new().await;
    let lanes = Lanes(NonZeroU16::new(3).unwrap());
    let settings = StoreSettings { lanes, ..Server::settings() };
    let expected =
        |error: &OpenError| matches!(error, OpenError::LanesDiffer { found: 8, wanted: 3, .. });
    check(&server.url(), &settings, expected).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn what_a_url_names_wrongly_is_told() {
    let settings = hasty();
    let host = base_url().rsplit_once('@').map(|(_, host)| host.to_owned()).unwrap();
    let url = format!("postgres://no_such_user:secret@{host}");
    check(&url, &settings, |error| matches!(error, OpenError::Denied { .. })).await;
    let url = named("no_such_database");
    check(&url, &settings, |error| matches!(error, OpenError::Unknown { .. })).await;
    let url = format!("{}?options[search_path]=no_such_schema", base_url());
    check(&url, &settings, |error| matches!(error, OpenError::NoSchema { .. })).await;
}

#[tokio::test]
async fn a_url_that_leads_to_no_server_is_told() {
    let settings = hasty();
    let url = "postgres://user:secret@no-such-host.invalid/catchment";
    check(url, &settings, |error| matches!(error, OpenError::UnknownHost { .. })).await;
    let url = "postgres://user:secret@localhost:port/catchment";
    check(url, &settings, |error| matches!(error, OpenError::Url { .. })).await;
    // The listener is gone, so nothing listens at this address.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("postgres://user:secret@{free}/catchment");
    check(&url, &settings, |error| matches!(error, OpenError::Unreachable { .. })).await;
}

#[tokio::test]
async fn a_setting_of_a_url_that_would_be_overruled_is_told() {
    // Nothing listens on this port any more.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = |option| format!("postgres://user:secret@{free}/catchment?{option}");
    let without = "take it out of the URL";
    for (option, setting, advice) in [
        ("options[lock_timeout]=1s", "lock_timeout", ", and set `database.lock_timeout`"),
        ("options=-c%20Plan_Cache_Mode%3Dauto", "plan_cache_mode", ""),
        ("options[search_path]=a&options[tcp_user_timeout]=0", "tcp_user_timeout", ""),
        ("options[synchronous_commit]=OFF", "synchronous_commit", ""),
    ] {
        let overruled = |error: &OpenError| matches!(error, OpenError::Overruled { .. });
        let line = check(&url(option), &hasty(), overruled).await;
        assert!(line.contains(&format!(" names `{setting}`, ")), "{line}");
        assert!(line.ends_with(&format!("; {without}{advice}")), "{line}");
    }
    for option in ["options[search_path]=a", "options[synchronous_commit]=remote_apply"] {
        let unreachable = |error: &OpenError| matches!(error, OpenError::Unreachable { .. });
        check(&url(option), &hasty(), unreachable).await;
    }
}

/// Returns settings that give up soon.
fn hasty() -> StoreSettings {
    StoreSettings { connect_timeout: Duration::from_millis(300), ..Server::settings() }
}

/// The server ends the first connection, like a server that is still starting.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_is_not_ready_is_tried_again() {
    let server = Server::new().await;
    let url = server.url();
    let (user, rest) = url.rsplit_once('@').unwrap();
    let (address, rest) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{user}@{}/{rest}", listener.local_addr().unwrap());
    let address = address.to_owned();
    let forwarding = tokio::spawn(async move {
        drop(listener.accept().await.unwrap());
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move {
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    SeaOrmStore::connect(&url, &Server::settings()).await.unwrap();
    forwarding.abort();
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_missing_database_is_created_where_that_is_wanted() {
    let name = format!("test_{}", Uuid::now_v7().simple());
    let url = named(&name);
    let settings = StoreSettings { create: false, ..Server::settings() };
    let missing = SeaOrmStore::migrate(&url, &settings).await.unwrap_err();
    assert!(matches!(missing, OpenError::Unknown { .. }), "{missing:?}");
    let settings = Server::settings();
    let mut migrating = JoinSet::new();
    for _ in 0..3 {
        let (url, settings) = (url.clone(), settings.clone());
        migrating.spawn(async move { SeaOrmStore::migrate(&url, &settings).await.unwrap() });
    }
    let migrated = migrating.join_all().await;
    let took_steps = migrated.iter().filter(|migrated| !migrated.steps.is_empty()).count();
    assert_eq!(took_steps, 1, "{migrated:?}");
    let store = SeaOrmStore::connect(&url, &settings).await.unwrap();
    assert_eq!(store.take_revision().await.unwrap().0, 1);
    store.close().await.unwrap();
    Server::empty().execute(&format!("DROP DATABASE {name}"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_database_of_another_encoding_is_refused() {
    let name = format!("test_{}", Uuid::now_v7().simple());
    let server = Server::empty();
    server.execute(&format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'
         TEMPLATE template0"
    ));
    let expected = |error: &OpenError| matches!(error, OpenError::Encoding { .. });
    check(&named(&name), &Server::settings(), expected).await;
    server.execute(&format!("DROP DATABASE {name}"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_user_without_rights_may_look_and_not_touch() {
    let server = Server::new().await;
    let user = format!("test_{}", Uuid::now_v7().simple());
    let schema = &server.schema;
    server.execute(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA {schema} TO {user};
         GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}"
    ));
    let url = server.url();
    let host = url.rsplit_once('@').map(|(_, host)| host).unwrap();
    let url = format!("postgres://{user}:secret@{host}");
    let store = SeaOrmStore::connect(&url, &Server::settings()).await.unwrap();
    assert_eq!(store.regions().await.unwrap(), Vec::<String>::new());
    let refused = store.take_revision().await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
    store.close().await.unwrap();
    server.execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
}

/// Returns the URL of another database on the same server.
fn named(name: &str) -> String {
    let base = base_url();
    let (server, _) = base.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}
