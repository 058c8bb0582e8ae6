//! Every step can be taken, taken back, and taken again.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by a panic, as tests do")]

use catchment_migrations::{Migrator, MigratorTrait, SchemaManager};
use sea_orm_migration::sea_orm::Database;

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

#[tokio::test]
async fn steps_go_up_and_down() {
    let connection = Database::connect("sqlite::memory:").await.unwrap();
    let manager = SchemaManager::new(&connection);
    for _ in 0..2 {
        check(&manager, &[]).await;
        Migrator::up(&connection, Some(1)).await.unwrap();
        check(&manager, &TABLES[..5]).await;
        Migrator::up(&connection, None).await.unwrap();
        check(&manager, &TABLES).await;
        Migrator::down(&connection, Some(1)).await.unwrap();
        check(&manager, &TABLES[..5]).await;
        Migrator::down(&connection, None).await.unwrap();
    }
}
