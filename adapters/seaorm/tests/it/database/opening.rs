//! Files that cannot be used: each gives one clear error, and the file stays unchanged.

use std::num::NonZeroU16;

use catchment_domain::Lanes;
use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_seaorm::{OpenError, SeaOrmStore, StoreSettings};

use crate::world::World;

/// Expects that opening fails with this error, and that the file stays unchanged.
async fn check(world: &World, settings: &StoreSettings, expected: fn(&OpenError) -> bool) {
    let before = std::fs::read(world.file()).ok();
    let error = world.try_open(settings).await.unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert!(!error.to_string().contains('\n'));
    assert_eq!(std::fs::read(world.file()).ok(), before);
}

#[tokio::test]
async fn a_file_that_must_be_there_is_not_created() {
    let world = World::new();
    let settings = StoreSettings { create: false, ..world.settings() };
    check(&world, &settings, |error| matches!(error, OpenError::Missing { .. })).await;
    world.open().await.close().await.unwrap();
    assert!(world.try_open(&settings).await.is_ok());
}

#[tokio::test]
async fn an_empty_file_that_must_be_ours_is_refused() {
    let world = World::new();
    std::fs::write(world.file(), "").unwrap();
    let settings = StoreSettings { create: false, ..world.settings() };
    check(&world, &settings, |error| matches!(error, OpenError::Foreign { .. })).await;
    assert!(world.try_open(&world.settings()).await.is_ok());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let world = World::new();
    std::fs::write(world.file(), "id,name\n1,a shop\n".repeat(100)).unwrap();
    let expected = |error: &OpenError| matches!(error, OpenError::NotADatabase { .. });
    check(&world, &world.settings(), expected).await;
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    for sql in ["CREATE TABLE shop (id integer)", "PRAGMA application_id = 7"] {
        let world = World::new();
        world.execute(sql).await;
        let expected = |error: &OpenError| matches!(error, OpenError::Foreign { .. });
        check(&world, &world.settings(), expected).await;
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    let sql = "INSERT INTO catchment_migrations SELECT 9999, '9999_more', installed_on, success,
               checksum, execution_time FROM catchment_migrations WHERE version = 1";
    world.execute(sql).await;
    let expected = |error: &OpenError| matches!(error, OpenError::Newer { .. });
    check(&world, &world.settings(), expected).await;
}

#[tokio::test]
async fn an_older_database_gets_the_steps_that_it_lacks_or_none() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    let steps = catchment_migrations::sqlite();
    let down = steps.iter().rfind(|step| step.migration_type.is_down_migration()).unwrap();
    world.execute(down.sql.as_str()).await;
    world.execute("DELETE FROM catchment_migrations WHERE version = 2").await;
    // The last statement of the step fails, after the others have made their tables.
    world.execute("CREATE TABLE reply_lane (id integer)").await;
    check(&world, &world.settings(), |_| true).await;
    world.execute("DROP TABLE reply_lane").await;
    let migrated = SeaOrmStore::migrate(&world.url(), &world.settings()).await.unwrap();
    assert_eq!(migrated.steps, ["0002_campaigns"]);
    let again = SeaOrmStore::migrate(&world.url(), &world.settings()).await.unwrap();
    assert_eq!(again.steps, Vec::<String>::new());
}

#[tokio::test]
async fn a_database_that_kept_no_steps_is_of_an_early_version() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    world.execute("DROP TABLE catchment_migrations").await;
    let expected = |error: &OpenError| matches!(error, OpenError::Early { .. });
    check(&world, &world.settings(), expected).await;
}

#[tokio::test]
async fn a_database_of_a_step_that_has_changed_since_is_left_alone() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    world.execute("UPDATE catchment_migrations SET checksum = x'00' WHERE version = 1").await;
    let expected = |error: &OpenError| matches!(error, OpenError::Changed { step, .. } if step == "0001_shops");
    check(&world, &world.settings(), expected).await;
}

#[tokio::test]
async fn a_database_keeps_its_number_of_lanes() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    let lanes = Lanes(NonZeroU16::new(3).unwrap());
    let settings = StoreSettings { lanes, ..world.settings() };
    let expected =
        |error: &OpenError| matches!(error, OpenError::LanesDiffer { found: 8, wanted: 3, .. });
    check(&world, &settings, expected).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let url = "sqlite://no/such/folder/catchment.db";
    let error = SeaOrmStore::connect(url, &World::new().settings()).await.unwrap_err();
    assert!(matches!(error, OpenError::CannotOpen { .. }), "{error:?}");
    assert!(error.to_string().ends_with("its folder `no/such/folder` is not there"), "{error}");
}

#[tokio::test]
async fn a_blank_may_stand_in_the_name_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings = World::new().settings();
    for name in ["my shops.db", "a%20b.db", "c#d.db"] {
        let url = format!("sqlite://{}/{name}", folder.path().display());
        SeaOrmStore::connect(&url, &settings).await.unwrap().close().await.unwrap();
        SeaOrmStore::check(&url, &settings).await.unwrap();
    }
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["a b.db", "c#d.db", "my shops.db"]);
}

#[tokio::test]
async fn a_url_that_names_no_file_is_refused() {
    let settings = World::new().settings();
    for url in ["", "catchment.db", "sqlite::memory:", "sqlite://"] {
        let error = SeaOrmStore::connect(url, &settings).await.unwrap_err();
        assert!(matches!(error, OpenError::Url { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_written_refuses_to_be_changed() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    let url = format!("{}?mode=ro", world.url());
    let store = SeaOrmStore::connect(&url, &world.settings()).await.unwrap();
    assert_eq!(store.regions().await.unwrap(), Vec::<String>::new());
    let refused = store.take_revision().await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
}
