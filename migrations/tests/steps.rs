//! Every step can be taken, taken back, and taken again.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by a panic, as tests do"
)]

use sqlx::migrate::{Migrate, Migration, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Database, Pool, query_scalar, raw_sql};

const TABLES: [&str; 11] = [
    "installation",
    "shop",
    "shop_state",
    "lane_state",
    "left_log",
    "receipt",
    "import_receipt",
    "campaign",
    "campaign_list",
    "campaign_chunk",
    "reply_lane",
];

/// Goes up and down twice. `names` reads the names of all tables.
async fn check<D, F>(pool: &Pool<D>, steps: Vec<Migration>, names: impl Fn() -> F + Sync)
where
    D: Database<Connection: Migrate>,
    F: Future<Output = Vec<String>> + Send,
{
    let steps = Migrator::with_migrations(steps);
    for _ in 0..2 {
        check_tables(&names().await, &[]);
        steps.run_to(1, pool).await.unwrap();
        check_tables(&names().await, &TABLES[..7]);
        steps.run(pool).await.unwrap();
        check_tables(&names().await, &TABLES);
        steps.undo(pool, 1).await.unwrap();
        check_tables(&names().await, &TABLES[..7]);
        steps.undo(pool, 0).await.unwrap();
    }
}

/// Of our tables, the expected ones are there and the others are not.
fn check_tables(names: &[String], expected: &[&str]) {
    for table in TABLES {
        let is_there = names.iter().any(|name| name == table);
        assert_eq!(is_there, expected.contains(&table), "{table}");
    }
}

#[tokio::test]
async fn steps_go_up_and_down_in_a_file() {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await;
    let pool = pool.unwrap();
    let names = || async {
        let names = query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'");
        names.fetch_all(&pool).await.unwrap()
    };
    check(&pool, catchment_migrations::sqlite(), names).await;
}

/// `SQLite` refuses text in a column of numbers and bytes in a column of text, so every key can be
/// read.
#[tokio::test]
async fn a_file_refuses_values_of_another_type() {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await;
    let pool = pool.unwrap();
    Migrator::with_migrations(catchment_migrations::sqlite()).run(&pool).await.unwrap();
    let lenient = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict";
    let lenient: Vec<String> = query_scalar(lenient).fetch_all(&pool).await.unwrap();
    assert_eq!(TABLES.iter().find(|table| lenient.iter().any(|name| name == *table)), None);
    for statement in [
        "INSERT INTO campaign_list VALUES ('x', 0, 'a')",
        "INSERT INTO campaign_list VALUES (1, x'00', 'a')",
        "INSERT INTO campaign_list VALUES (1, 0, x'00')",
        "INSERT INTO shop VALUES (0, x'00', '', '', '', 0, 0)",
        "INSERT INTO shop VALUES (65536, 'a', '', '', '', 0, 0)",
        "INSERT INTO shop VALUES (0, 'a', '', '', '', 'x', 0)",
    ] {
        raw_sql(statement).execute(&pool).await.unwrap_err();
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn steps_go_up_and_down_on_a_server() {
    let url = server();
    let control = PgPoolOptions::new().connect(&url).await.unwrap();
    let execute = async |sql| raw_sql(AssertSqlSafe(sql)).execute(&control).await.unwrap();
    let schema = format!("test_steps_{}", std::process::id());
    execute(format!("CREATE SCHEMA {schema}")).await;
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}options[search_path]={schema}");
    let pool = PgPoolOptions::new().connect(&url).await.unwrap();
    let names = || async {
        let names = query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = $1");
        names.bind(&schema).fetch_all(&pool).await.unwrap()
    };
    check(&pool, catchment_migrations::postgres(), names).await;
    execute(format!("DROP SCHEMA {schema} CASCADE")).await;
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn server() -> String {
    std::env::var("CATCHMENT_TEST_POSTGRES")
        .expect("CATCHMENT_TEST_POSTGRES names no database: run the tests by `scripts/services`")
}
