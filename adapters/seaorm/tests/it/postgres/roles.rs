//! Users and databases with settings of their own: ours count instead, and what would keep us from
//! working is told when a database is opened.

use catchment_domain::ports::ShopRepository;
use catchment_seaorm::{OpenError, SeaOrmStore};
use uuid::Uuid;

use crate::server::{Server, base_url};

/// Settings by which a process that froze could hold a lane for ever, a plan could be made for
/// each batch, or what was reported as stored could be lost. Our sessions set their own.
const OVERRULED: [&str; 11] = [
    "statement_timeout = 0",
    "lock_timeout = 0",
    "idle_in_transaction_session_timeout = 0",
    "transaction_timeout = '5s'",
    "idle_session_timeout = '5s'",
    "tcp_user_timeout = 0",
    "plan_cache_mode = force_custom_plan",
    "enable_bitmapscan = on",
    "synchronous_commit = off",
    "default_transaction_isolation = serializable",
    "standard_conforming_strings = off",
];

/// A user who may do everything in the server's schema, which its URL does not name.
struct User<'a> {
    server: &'a Server,
    name: String,
}

impl<'a> User<'a> {
    fn of(server: &'a Server) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let schema = &server.schema;
        server.execute(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'secret';
             GRANT ALL ON SCHEMA {schema} TO {name};
             GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {name}"
        ));
        let user = Self { server, name };
        user.alter(&format!("SET search_path = {schema}, pg_catalog"));
        user
    }

    fn alter(&self, how: &str) {
        self.server.execute(&format!("ALTER ROLE {} {how}", self.name));
    }

    fn url(&self) -> String {
        let base = base_url();
        let host = base.rsplit_once('@').map(|(_, host)| host).unwrap();
        format!("postgres://{}:secret@{host}", self.name)
    }

    async fn check(&self) -> Result<String, OpenError> {
        SeaOrmStore::check(&self.url(), &Server::settings()).await
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        self.server.execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn what_a_user_is_set_to_is_overruled() {
    let server = Server::new().await;
    let user = User::of(&server);
    for setting in OVERRULED {
        user.alter(&format!("SET {setting}"));
    }
    // This reads every one of them back.
    user.check().await.unwrap();
    let store = SeaOrmStore::connect(&user.url(), &Server::settings()).await.unwrap();
    assert_eq!(store.take_revision().await.unwrap().0, 1);
    store.close().await.unwrap();
}

/// Two settings are not kept, as by a pooler that answers the statements which set them itself.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn settings_that_are_not_kept_are_told() {
    let server = Server::new().await;
    let user = User::of(&server);
    // It stands before the server's own in the user's search path.
    server.execute(&format!(
        "CREATE FUNCTION {}.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$
             SELECT CASE WHEN $1 IN ('plan_cache_mode', 'lock_timeout') THEN $2
                         ELSE pg_catalog.set_config($1, $2, $3) END $$",
        server.schema
    ));
    let refused = user.check().await.unwrap_err();
    assert!(matches!(refused, OpenError::NotKept { .. }), "{refused:?}");
    let line = refused.to_string();
    assert!(line.contains(" were set to: lock_timeout, plan_cache_mode; "), "{line}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_setting_in_the_url_of_a_server_is_told() {
    let server = Server::new().await;
    let url = format!("{}&options[statement_timeout]=5s", server.url());
    let settings = Server::settings();
    for refused in [
        SeaOrmStore::check(&url, &settings).await.unwrap_err(),
        SeaOrmStore::connect(&url, &settings).await.unwrap_err(),
        SeaOrmStore::migrate(&url, &settings).await.unwrap_err(),
    ] {
        assert!(matches!(refused, OpenError::Overruled { .. }), "{refused:?}");
        let line = refused.to_string();
        assert!(line.contains("set `database.statement_timeout`"), "{line}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_user_who_only_reads_is_told_so() {
    let server = Server::new().await;
    let user = User::of(&server);
    user.alter("SET default_transaction_read_only = on");
    let refused = user.check().await.unwrap_err();
    assert!(matches!(refused, OpenError::ReadsOnly { .. }), "{refused:?}");
    let line = refused.to_string();
    assert!(line.contains("`default_transaction_read_only` is on for this user, "), "{line}");
    let refused = SeaOrmStore::migrate(&user.url(), &Server::settings()).await.unwrap_err();
    assert!(matches!(refused, OpenError::ReadsOnly { .. }), "{refused:?}");
    let url = format!("{}&options[default_transaction_read_only]=on", server.url());
    let refused = SeaOrmStore::check(&url, &Server::settings()).await.unwrap_err().to_string();
    assert!(refused.contains("`default_transaction_read_only` is on in the URL; "), "{refused}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_search_path_that_leads_elsewhere_is_told() {
    let (server, elsewhere) = (Server::new().await, Server::empty());
    let user = User::of(&server);
    let other = &elsewhere.schema;
    user.alter(&format!("SET search_path = {other}, {}", server.schema));
    // It may not even see that schema, which is skipped then.
    user.check().await.unwrap();
    elsewhere.execute(&format!("GRANT USAGE ON SCHEMA {other} TO {}", user.name));
    let refused = user.check().await.unwrap_err();
    assert!(matches!(refused, OpenError::EmptySchema { .. }), "{refused:?}");
    let line = refused.to_string();
    assert!(line.contains(other) && line.contains("search path"), "{line}");
    // The URL's own counts.
    let url = format!("{}?options[search_path]={},pg_catalog", user.url(), server.schema);
    SeaOrmStore::check(&url, &Server::settings()).await.unwrap();
    user.alter("SET search_path = no_such_schema");
    let refused = user.check().await.unwrap_err();
    assert!(matches!(refused, OpenError::NoSchema { .. }), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn what_a_database_is_set_to_is_treated_alike() {
    let name = format!("test_{}", Uuid::now_v7().simple());
    let base = base_url();
    let (host, _) = base.rsplit_once('/').unwrap();
    let url = format!("{host}/{name}");
    SeaOrmStore::migrate(&url, &Server::settings()).await.unwrap();
    let server = Server::empty();
    for setting in OVERRULED {
        server.execute(&format!("ALTER DATABASE {name} SET {setting}"));
    }
    SeaOrmStore::check(&url, &Server::settings()).await.unwrap();
    server.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let refused = SeaOrmStore::check(&url, &Server::settings()).await.unwrap_err();
    assert!(matches!(refused, OpenError::ReadsOnly { .. }), "{refused:?}");
    server.execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
}
