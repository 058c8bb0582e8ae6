//! Every step can be taken, taken back, and taken again.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by a panic, as tests do"
)]

use catchment_migrations::{Migrator, MigratorTrait, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DatabaseConnection};

const TABLES: [&str; 9] = [
    "installation",
    "shop",
    "shop_state",
    "lane_state",
    "receipt",
    "campaign",
    "campaign_list",
    "campaign_chunk",
    "reply_lane",
];

/// These tables are there, and the others are not.
async fn check(manager: &SchemaManager<'_>, tables: &[&str]) {
    for table in TABLES {
        assert_eq!(manager.has_table(table).await.unwrap(), tables.contains(&table), "{table}");
    }
}

async fn go_up_and_down(connection: &DatabaseConnection) {
    let manager = SchemaManager::new(connection);
    for _ in 0..2 {
        check(&manager, &[]).await;
        Migrator::up(connection, Some(1)).await.unwrap();
        check(&manager, &TABLES[..5]).await;
        Migrator::up(connection, None).await.unwrap();
        check(&manager, &TABLES).await;
        Migrator::down(connection, Some(1)).await.unwrap();
        check(&manager, &TABLES[..5]).await;
        Migrator::down(connection, None).await.unwrap();
    }
}

#[tokio::test]
async fn steps_go_up_and_down_in_a_file() {
    go_up_and_down(&Database::connect("sqlite::memory:").await.unwrap()).await;
}

#[tokio::test]
async fn steps_go_up_and_down_on_a_server() {
    let url = server();
    let control = Database::connect(&url).await.unwrap();
    let schema = format!("test_steps_{}", std::process::id());
    control.execute_unprepared(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}options[search_path]={schema}");
    go_up_and_down(&Database::connect(url).await.unwrap()).await;
    control.execute_unprepared(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn server() -> String {
    std::env::var("CATCHMENT_TEST_POSTGRES")
        .expect("CATCHMENT_TEST_POSTGRES names no database: run the tests by `scripts/services`")
}
