//! Names and copies of a file: which are refused, and how a copy is made and restored.

use std::fs;
use std::future::pending;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use catchment_domain::Revision;
use catchment_domain::ports::ShopRepository;
use catchment_seaorm::{
    BackupError, OpenError, OutputFile, OutputFileError, Restored, SeaOrmStore, StoreSettings,
    Summary,
};
use sea_orm::{ConnectionTrait, Database};

use crate::world::World;

/// Returns the file of another database in the same folder.
fn other(world: &World, name: &str) -> PathBuf {
    world.file().with_file_name(name)
}

async fn open_other(world: &World, name: &str) -> Result<SeaOrmStore, OpenError> {
    let url = format!("sqlite://{}", other(world, name).display());
    SeaOrmStore::connect(&url, &world.settings()).await
}

async fn back_up(world: &World, name: &str, replaces: bool) -> Result<Summary, BackupError> {
    let (file, settings) = (other(world, name), world.settings());
    SeaOrmStore::back_up(&world.url(), &file, replaces, &settings, pending()).await
}

async fn restore(world: &World, name: &str, incomplete: bool) -> Result<Restored, BackupError> {
    let (file, settings) = (other(world, name), world.settings());
    SeaOrmStore::restore(&world.url(), &file, incomplete, &settings, pending()).await
}

/// Returns why the file could not be written.
fn reason(refused: Result<Summary, BackupError>) -> Option<OutputFileError> {
    match refused {
        Err(BackupError::Output { source, .. }) => Some(source),
        _ => None,
    }
}

/// Makes a database that has given out this many revisions.
async fn with_revisions(world: &World, count: u32) -> SeaOrmStore {
    let store = world.open().await;
    for _ in 0..count {
        store.take_revision().await.unwrap();
    }
    store
}

/// Takes the next revision of the database, and closes the database again.
async fn next_revision(world: &World) -> Revision {
    let store = world.open().await;
    let revision = store.take_revision().await.unwrap();
    store.close().await.unwrap();
    revision
}

/// Makes a database of an older version that has given out three revisions.
async fn make_older(world: &World) {
    with_revisions(world, 3).await.close().await.unwrap();
    let mut second = catchment_migrations::sqlite().into_iter();
    let down = second.rfind(|step| step.migration_type.is_down_migration()).unwrap();
    world.execute(down.sql.as_str()).await;
    world.execute("DELETE FROM catchment_migrations WHERE version = 2").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_hard_link_is_refused_by_either_name() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    fs::hard_link(world.file(), other(&world, "link.db")).unwrap();
    for name in ["catchment.db", "link.db"] {
        let refused = open_other(&world, name).await.unwrap_err();
        assert!(matches!(refused, OpenError::Linked { .. }), "{refused:?}");
    }
    let refused = back_up(&world, "copy.db", false).await.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::Linked { .. })), "{refused:?}");
    fs::remove_file(other(&world, "link.db")).unwrap();
    assert_eq!(next_revision(&world).await, Revision(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_is_the_file_itself() {
    let world = World::new();
    let store = with_revisions(&world, 1).await;
    std::os::unix::fs::symlink(world.file(), other(&world, "link.db")).unwrap();
    let linked = open_other(&world, "link.db").await.unwrap();
    assert_eq!(linked.file(), store.file());
    assert_eq!(linked.take_revision().await.unwrap(), Revision(2));
    assert_eq!(store.take_revision().await.unwrap(), Revision(3));
}

#[tokio::test]
async fn a_copy_without_its_log_is_refused_while_the_file_is_in_use() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    fs::copy(world.file(), other(&world, "without.db")).unwrap();
    fs::copy(world.file(), other(&world, "with.db")).unwrap();
    fs::copy(other(&world, "catchment.db-wal"), other(&world, "with.db-wal")).unwrap();
    for _ in 0..2 {
        let refused = open_other(&world, "without.db").await.unwrap_err();
        assert!(matches!(refused, OpenError::Incomplete { .. }), "{refused:?}");
    }
    let url = format!("sqlite://{}", other(&world, "with.db").display());
    SeaOrmStore::check(&url, &world.settings()).await.unwrap();
    let copy = open_other(&world, "with.db").await.unwrap();
    assert_eq!(copy.take_revision().await.unwrap(), Revision(4));
    copy.close().await.unwrap();
    store.close().await.unwrap();
    fs::copy(world.file(), other(&world, "closed.db")).unwrap();
    assert_eq!(world.names(), ["catchment.db", "closed.db", "with.db", "without.db"]);
    for name in ["closed.db", "with.db", "catchment.db"] {
        open_other(&world, name).await.unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_renamed_while_it_is_in_use_is_refused_by_either_name() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    fs::rename(world.file(), other(&world, "moved.db")).unwrap();
    let refused = open_other(&world, "moved.db").await.unwrap_err();
    assert!(matches!(refused, OpenError::Incomplete { .. }), "{refused:?}");
    let refused = open_other(&world, "catchment.db").await.unwrap_err();
    assert!(matches!(refused, OpenError::LogAlone { .. }), "{refused:?}");
    let refused = SeaOrmStore::check(&world.url(), &world.settings()).await.unwrap_err();
    assert!(matches!(refused, OpenError::LogAlone { .. }), "{refused:?}");
    assert!(!world.file().exists());
    fs::create_dir(other(&world, "folder")).unwrap();
    fs::rename(other(&world, "moved.db"), other(&world, "folder/catchment.db")).unwrap();
    let refused = open_other(&world, "folder/catchment.db").await.unwrap_err();
    assert!(matches!(refused, OpenError::Incomplete { .. }), "{refused:?}");
    fs::rename(other(&world, "folder/catchment.db"), world.file()).unwrap();
    assert_eq!(store.take_revision().await.unwrap(), Revision(4));
    assert_eq!(world.open().await.take_revision().await.unwrap(), Revision(5));
}

/// If a log is removed beside its file, a process with that file loses what it commits. The next
/// database loses nothing.
#[cfg(unix)]
#[tokio::test]
async fn a_store_whose_file_was_renamed_leaves_the_log_of_the_next_database() {
    let world = World::new();
    let first = with_revisions(&world, 3).await;
    fs::rename(world.file(), other(&world, "old.db")).unwrap();
    for log in ["catchment.db-wal", "catchment.db-shm"] {
        fs::remove_file(other(&world, log)).unwrap();
    }
    let second = with_revisions(&world, 2).await;
    first.close().await.unwrap();
    // These are the files that a killed process leaves.
    for (from, to) in [("catchment.db", "killed.db"), ("catchment.db-wal", "killed.db-wal")] {
        fs::copy(other(&world, from), other(&world, to)).unwrap();
    }
    let killed = open_other(&world, "killed.db").await.unwrap();
    assert_eq!(killed.take_revision().await.unwrap(), Revision(3));
    killed.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(world.names(), ["catchment.db", "killed.db", "old.db"]);
    assert_eq!(next_revision(&world).await, Revision(3));
}

#[tokio::test]
async fn a_store_that_has_done_nothing_yet_keeps_its_log() {
    let world = World::new();
    for _ in 0..2 {
        let store = world.open().await;
        world.try_execute("PRAGMA journal_mode = DELETE").await.unwrap_err();
        store.take_revision().await.unwrap();
        store.close().await.unwrap();
    }
    assert_eq!(next_revision(&world).await, Revision(3));
}

#[tokio::test]
async fn a_file_that_another_program_closed_is_no_copy() {
    let world = World::new();
    world.open().await.close().await.unwrap();
    world.execute("PRAGMA journal_mode = WAL").await;
    assert_eq!(next_revision(&world).await, Revision(1));
}

#[tokio::test]
async fn the_last_of_several_leaves_one_file_that_may_be_copied() {
    let world = World::new();
    let (first, second) = (with_revisions(&world, 1).await, world.open().await);
    first.close().await.unwrap();
    assert_eq!(second.take_revision().await.unwrap(), Revision(2));
    second.close().await.unwrap();
    assert_eq!(world.names(), ["catchment.db"]);
    fs::rename(world.file(), other(&world, "moved.db")).unwrap();
    open_other(&world, "moved.db").await.unwrap();
}

#[tokio::test]
async fn a_copy_holds_what_was_committed_while_the_database_is_in_use() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    let summary = back_up(&world, "copy.db", false).await.unwrap();
    let bytes = fs::metadata(other(&world, "copy.db")).unwrap().len();
    assert_eq!(summary, Summary { shops: 0, revision: 3, bytes });
    store.take_revision().await.unwrap();
    let refused = reason(back_up(&world, "copy.db", false).await);
    assert!(matches!(refused, Some(OutputFileError::Exists)), "{refused:?}");
    assert_eq!(back_up(&world, "copy.db", true).await.unwrap().revision, 4);
    for name in ["catchment.db", "catchment.db-wal", "catchment.db.lock"] {
        let refused = reason(back_up(&world, name, true).await);
        assert!(matches!(refused, Some(OutputFileError::Database)), "{name}: {refused:?}");
    }
    let copy = open_other(&world, "copy.db").await.unwrap();
    for name in ["copy.db", "copy.db-wal", "copy.db-journal"] {
        let refused = reason(back_up(&world, name, true).await);
        assert!(matches!(refused, Some(OutputFileError::Database)), "{name}: {refused:?}");
    }
    assert_eq!(copy.take_revision().await.unwrap(), Revision(5));
    copy.close().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(world.names(), ["catchment.db", "copy.db"]);
}

#[tokio::test]
async fn a_copy_is_put_back_once_nobody_has_the_database_open() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    back_up(&world, "copy.db", false).await.unwrap();
    store.take_revision().await.unwrap();
    let refused = restore(&world, "copy.db", false).await;
    assert!(matches!(refused, Err(BackupError::Open { .. })), "{refused:?}");
    assert_eq!(store.take_revision().await.unwrap(), Revision(5));
    store.close().await.unwrap();
    for (number, kept) in [(4, "catchment.db.before-restore"), (4, "catchment.db.before-restore-2")]
    {
        let copy = fs::read(other(&world, "copy.db")).unwrap();
        let restored = restore(&world, "copy.db", false).await.unwrap();
        assert_eq!(restored.summary.revision, 3);
        assert_eq!(restored.kept, Some(other(&world, kept).canonicalize().unwrap()));
        assert_eq!(next_revision(&world).await, Revision(number));
        assert_eq!(fs::read(other(&world, "copy.db")).unwrap(), copy);
    }
    let kept = open_other(&world, "catchment.db.before-restore").await.unwrap();
    assert_eq!(kept.take_revision().await.unwrap(), Revision(6));
}

#[tokio::test]
async fn a_copy_is_put_where_nothing_is_and_over_what_is_damaged() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    fs::rename(world.file(), other(&world, "copy.db")).unwrap();
    assert_eq!(restore(&world, "copy.db", false).await.unwrap().kept, None);
    assert_eq!(next_revision(&world).await, Revision(4));
    fs::write(world.file(), "no database").unwrap();
    fs::write(other(&world, "catchment.db-wal"), "no log").unwrap();
    let kept = restore(&world, "copy.db", false).await.unwrap().kept.unwrap();
    assert_eq!(fs::read(&kept).unwrap(), b"no database");
    assert_eq!(next_revision(&world).await, Revision(4));
}

/// The process that wrote the log may still run and write to it.
#[tokio::test]
async fn a_copy_is_not_put_beside_the_log_of_a_database_that_was_renamed() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    back_up(&world, "copy.db", false).await.unwrap();
    fs::rename(world.file(), other(&world, "old.db")).unwrap();
    let before = world.names();
    let refused = restore(&world, "copy.db", false).await.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::LogAlone { .. })), "{refused:?}");
    assert_eq!(world.names(), before);
    fs::rename(other(&world, "old.db"), world.file()).unwrap();
    assert_eq!(store.take_revision().await.unwrap(), Revision(4));
}

#[tokio::test]
async fn a_backup_replaces_a_copy_and_no_other_database() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    back_up(&world, "copy.db", false).await.unwrap();
    back_up(&world, "copy.db", true).await.unwrap();
    fs::rename(other(&world, "copy.db"), other(&world, "moved.db")).unwrap();
    back_up(&world, "moved.db", true).await.unwrap();
    // From its first opening on, the copy is a database.
    open_other(&world, "moved.db").await.unwrap().close().await.unwrap();
    let theirs = format!("sqlite://{}?mode=rwc", other(&world, "theirs.db").display());
    let theirs = Database::connect(theirs).await.unwrap();
    theirs.execute_unprepared("CREATE TABLE shop (id integer)").await.unwrap();
    theirs.close().await.unwrap();
    for name in ["moved.db", "theirs.db"] {
        let before = fs::read(other(&world, name)).unwrap();
        let refused = reason(back_up(&world, name, true).await);
        assert!(matches!(refused, Some(OutputFileError::NoCopy)), "{name}: {refused:?}");
        assert_eq!(fs::read(other(&world, name)).unwrap(), before);
    }
    assert_eq!(world.names(), ["catchment.db", "moved.db", "theirs.db"]);
}

#[tokio::test]
async fn a_database_that_may_only_be_read_is_backed_up_as_it_is() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    let before = fs::read(world.file()).unwrap();
    let (url, file) = (format!("{}?mode=ro", world.url()), other(&world, "copy.db"));
    let backed_up = SeaOrmStore::back_up(&url, &file, false, &world.settings(), pending()).await;
    assert_eq!(backed_up.unwrap().revision, 3);
    assert_eq!(fs::read(world.file()).unwrap(), before);
    assert_eq!(world.names(), ["catchment.db", "copy.db"]);
}

/// An older database stays at its version, and is copied as it is.
#[tokio::test]
async fn a_backup_brings_no_schema_up_to_date() {
    let world = World::new();
    make_older(&world).await;
    assert_eq!(back_up(&world, "copy.db", false).await.unwrap().revision, 3);
    let checked = SeaOrmStore::check(&world.url(), &world.settings()).await.unwrap_err();
    assert!(matches!(checked, OpenError::Older { .. }), "{checked:?}");
    fs::remove_file(world.file()).unwrap();
    restore(&world, "copy.db", false).await.unwrap();
    assert_eq!(next_revision(&world).await, Revision(4));
}

/// Processes that open databases share the lock of the folder. A restore holds it alone.
#[tokio::test]
async fn nothing_is_opened_during_a_restore_and_nothing_restored_during_an_opening() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    back_up(&world, "copy.db", false).await.unwrap();
    let settings = StoreSettings { lock_timeout: Duration::from_millis(50), ..world.settings() };
    let (url, copy, next) = (world.url(), other(&world, "copy.db"), other(&world, "next.db"));
    let before = world.names();
    let folder = fs::File::open(world.file().parent().unwrap()).unwrap();
    folder.lock().unwrap();
    let refused = world.try_open(&settings).await.unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    let refused = SeaOrmStore::back_up(&url, &next, false, &settings, pending()).await.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::Locked { .. })), "{refused:?}");
    folder.unlock().unwrap();
    folder.lock_shared().unwrap();
    world.try_open(&settings).await.unwrap().close().await.unwrap();
    let refused = SeaOrmStore::restore(&url, &copy, false, &settings, pending()).await.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::Locked { .. })), "{refused:?}");
    assert_eq!(world.names(), before);
    folder.unlock().unwrap();
    SeaOrmStore::restore(&url, &copy, false, &settings, pending()).await.unwrap();
}

#[test]
fn a_file_that_another_process_made_meanwhile_stays() {
    let world = World::new();
    let file = other(&world, "out.csv");
    let mut output = OutputFile::create(&file, None).unwrap();
    output.write_all(b"ours").unwrap();
    fs::write(&file, "theirs").unwrap();
    let refused = output.finish().unwrap_err();
    assert!(matches!(refused, OutputFileError::Appeared), "{refused:?}");
    assert_eq!(fs::read(&file).unwrap(), b"theirs");
    assert_eq!(world.names(), ["out.csv"]);
}

#[tokio::test]
async fn a_copy_with_other_tables_is_not_put_back() {
    for (change, expected) in [
        ("DROP TABLE receipt", "table `receipt` is missing"),
        ("ALTER TABLE installation ADD COLUMN more integer", "table `installation` is another one"),
        ("CREATE INDEX more ON shop (name)", "index `more` is none of them"),
        (
            "CREATE TRIGGER more AFTER INSERT ON shop BEGIN DELETE FROM shop; END",
            "trigger `more` is none of them",
        ),
    ] {
        let world = World::new();
        with_revisions(&world, 3).await.close().await.unwrap();
        world.execute(change).await;
        fs::rename(world.file(), other(&world, "copy.db")).unwrap();
        let refused = restore(&world, "copy.db", false).await.unwrap_err();
        let BackupError::Database(OpenError::Altered { object, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(object, expected);
        assert_eq!(world.names(), ["copy.db"]);
    }
}

#[tokio::test]
async fn a_copy_of_an_older_version_is_put_back_and_brought_up_to_date() {
    let world = World::new();
    make_older(&world).await;
    fs::rename(world.file(), other(&world, "copy.db")).unwrap();
    restore(&world, "copy.db", false).await.unwrap();
    assert_eq!(next_revision(&world).await, Revision(4));
}

/// After a kill within a restore, the database has its second name, too.
#[cfg(unix)]
#[tokio::test]
async fn a_restore_that_was_killed_is_ended_by_the_same_restore() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    back_up(&world, "copy.db", false).await.unwrap();
    assert_eq!(next_revision(&world).await, Revision(4));
    fs::hard_link(world.file(), other(&world, "catchment.db.before-restore")).unwrap();
    let refused = open_other(&world, "catchment.db").await.unwrap_err();
    assert!(matches!(refused, OpenError::Linked { .. }), "{refused:?}");
    restore(&world, "copy.db", false).await.unwrap();
    assert_eq!(world.names(), ["catchment.db", "catchment.db.before-restore", "copy.db"]);
    assert_eq!(next_revision(&world).await, Revision(4));
    let kept = open_other(&world, "catchment.db.before-restore").await.unwrap();
    assert_eq!(kept.take_revision().await.unwrap(), Revision(5));
}

#[tokio::test]
async fn work_that_is_interrupted_leaves_nothing_behind() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    back_up(&world, "copy.db", false).await.unwrap();
    let before = world.names();
    let (url, settings, now) = (world.url(), world.settings(), std::future::ready(()));
    let file = other(&world, "second.db");
    let backed_up = SeaOrmStore::back_up(&url, &file, false, &settings, now.clone()).await;
    assert!(matches!(backed_up, Err(BackupError::Interrupted)), "{backed_up:?}");
    assert_eq!(world.names(), before);
    let bytes = fs::read(world.file()).unwrap();
    let file = other(&world, "copy.db");
    let restored = SeaOrmStore::restore(&url, &file, false, &settings, now).await;
    assert!(matches!(restored, Err(BackupError::Interrupted)), "{restored:?}");
    assert_eq!((world.names(), fs::read(world.file()).unwrap()), (before, bytes));
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_put_back_keeps_the_rights_of_the_one_before() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    back_up(&world, "copy.db", false).await.unwrap();
    let set = |file: PathBuf, mode| {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |file: PathBuf| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    set(world.file(), 0o640);
    set(other(&world, "copy.db"), 0o600);
    restore(&world, "copy.db", false).await.unwrap();
    assert_eq!(mode(world.file()), 0o640);
    fs::remove_file(world.file()).unwrap();
    restore(&world, "copy.db", false).await.unwrap();
    assert_eq!(mode(world.file()), 0o600);
}

#[tokio::test]
async fn the_database_of_another_program_is_not_replaced() {
    let world = World::new();
    with_revisions(&world, 3).await.close().await.unwrap();
    fs::rename(world.file(), other(&world, "copy.db")).unwrap();
    world.execute("CREATE TABLE shop (id integer)").await;
    let before = fs::read(world.file()).unwrap();
    let refused = restore(&world, "copy.db", false).await.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::Foreign { .. })), "{refused:?}");
    assert_eq!(fs::read(world.file()).unwrap(), before);
}

#[tokio::test]
async fn copies_that_cannot_be_used_are_not_put_back() {
    let world = World::new();
    let store = with_revisions(&world, 3).await;
    fs::copy(world.file(), other(&world, "incomplete.db")).unwrap();
    store.close().await.unwrap();
    fs::write(other(&world, "text.db"), "a shopping list").unwrap();
    let mut bytes = fs::read(world.file()).unwrap();
    let last = bytes.len() - 4_096;
    bytes[100..last].fill(0xff);
    fs::write(other(&world, "damaged.db"), &bytes).unwrap();
    let before = fs::read(world.file()).unwrap();
    let refusal = async |name: &str| restore(&world, name, false).await.unwrap_err();
    assert!(matches!(refusal("none.db").await, BackupError::Database(OpenError::Missing { .. })));
    let text = refusal("text.db").await;
    assert!(matches!(text, BackupError::Database(OpenError::NotADatabase { .. })), "{text:?}");
    let damaged = refusal("damaged.db").await;
    assert!(
        matches!(
            damaged,
            BackupError::Damaged { .. } | BackupError::Database(OpenError::NotADatabase { .. })
        ),
        "{damaged:?}"
    );
    let incomplete = refusal("incomplete.db").await;
    let expected = BackupError::Database(OpenError::Incomplete {
        database: other(&world, "incomplete.db").display().to_string(),
    });
    assert_eq!(incomplete.to_string(), expected.to_string());
    assert!(matches!(refusal("catchment.db").await, BackupError::Itself { .. }));
    let three =
        StoreSettings { lanes: catchment_domain::Lanes(3.try_into().unwrap()), ..world.settings() };
    let file = other(&world, "text.db");
    fs::copy(world.file(), &file).unwrap();
    let refused = SeaOrmStore::restore(&world.url(), &file, false, &three, pending()).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, BackupError::Database(OpenError::LanesDiffer { .. })), "{refused:?}");
    assert_eq!(fs::read(world.file()).unwrap(), before);
    restore(&world, "incomplete.db", true).await.unwrap();
    next_revision(&world).await;
}
