//! Replaces a database file that no process has open.
//!
//! 1. The database gets a second name as a hard link: its name with `.before-restore` appended.
//! 2. A log beside the database is renamed, too. There is a log only if `SQLite` cannot read the
//!    database: otherwise the log was moved into the database before.
//! 3. The new file is renamed to the name of the database.
//!
//! The name of the database leads to a database at every moment. After a kill between two steps,
//! the old database has both names. Until one of them is removed or the restore is repeated, the
//! database is refused when it is opened. If a step fails, the steps before it are undone.

use std::io;
use std::path::{Path, PathBuf};

use sea_orm::DbErr;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{Connection as _, SqliteConnection};

use super::error::BackupError;
use crate::connection::OwnConnection;
use crate::error::{Failure, driver_failed};
use crate::open::sqlite::checks;
use crate::open_error::OpenError;
use crate::output_file::PartialFile;
use crate::place::{self, APPLICATION_ID, LOGS, beside};
use crate::settings::StoreSettings;
use crate::statement::value;

/// Fails if a process has the database open, or if it is not a Catchment database. A database that
/// does not exist is free, unless the files that `SQLite` keeps beside it exist: then a process may
/// have the database open under another name. A database that `SQLite` cannot read is free: nobody
/// can use it.
pub(super) async fn check_free(
    database: &Path,
    settings: &StoreSettings,
) -> Result<(), BackupError> {
    let name = database.display().to_string();
    checks::check_absent(database, &name)?;
    if !database.exists() {
        return Ok(());
    }
    if !place::is_same(database, &kept_name(database)) {
        checks::check(database, &name)?;
    }
    match let_go(database, settings).await {
        Ok(APPLICATION_ID) => Ok(()),
        Ok(_) => Err(OpenError::Foreign { database: name }.into()),
        Err(error) => match Failure::of(&error) {
            Failure::Damaged => Ok(()),
            Failure::Busy => Err(BackupError::Open { database: database.to_owned() }),
            _ => Err(OpenError::of(&name, error).into()),
        },
    }
}

/// Moves the log of a database into the database, if it is a Catchment database. Fails as busy
/// while another process has the database open. Returns the application id of the file.
async fn let_go(database: &Path, settings: &StoreSettings) -> Result<i32, DbErr> {
    let options =
        SqliteConnectOptions::new().filename(database).busy_timeout(settings.lock_timeout);
    let connection = SqliteConnection::connect_with(&options).await.map_err(driver_failed)?;
    let connection = OwnConnection::sqlite(connection, Some(database));
    let left = async {
        let id = value(&connection, "PRAGMA application_id").await?;
        if id == APPLICATION_ID {
            connection.leave().await?;
        }
        Ok(id)
    };
    let left = left.await;
    connection.close_as_it_is().await?;
    left
}

/// Replaces a database with the new file. Returns the new name of the old database, if there was
/// one.
pub(super) fn replace(
    database: &Path,
    partial: PartialFile,
) -> Result<Option<PathBuf>, BackupError> {
    let kept = kept_name(database);
    let was_there = database.exists();
    carry_out(&plan(database, &kept, partial.path(), Path::exists))?;
    partial.renamed();
    Ok(was_there.then_some(kept))
}

/// Returns the name under which the old database is kept: a free name, or the second name that an
/// earlier restore gave it before it was killed.
fn kept_name(database: &Path) -> PathBuf {
    let is_free = |kept: &Path| {
        let mut names = LOGS.into_iter().chain([""]).map(|ending| beside(kept, ending));
        place::is_same(kept, database) || !names.any(|name| name.exists())
    };
    let mut kept = beside(database, ".before-restore");
    let mut number = 2_u32;
    while !is_free(&kept) {
        kept = beside(database, &format!(".before-restore-{number}"));
        number += 1;
    }
    kept
}

/// A change of names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Gives the file a second name.
    Link { from: PathBuf, to: PathBuf },
    /// Renames the file, and replaces any file of the new name.
    Rename { from: PathBuf, to: PathBuf },
}

/// Returns the steps that replace a database with the new file.
fn plan(
    database: &Path,
    kept: &Path,
    partial: &Path,
    is_there: impl Fn(&Path) -> bool,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if is_there(database) && !is_there(kept) {
        steps.push(Step::Link { from: database.to_owned(), to: kept.to_owned() });
    }
    for ending in LOGS {
        let (from, to) = (beside(database, ending), beside(kept, ending));
        if is_there(&from) {
            steps.push(Step::Rename { from, to });
        }
    }
    steps.push(Step::Rename { from: partial.to_owned(), to: database.to_owned() });
    steps
}

/// Takes all steps or none: if a step fails, the steps before it are undone.
fn carry_out(steps: &[Step]) -> Result<(), BackupError> {
    for (taken, step) in steps.iter().enumerate() {
        let Err(error) = step.take() else { continue };
        for step in steps.iter().take(taken).rev() {
            if let Err(error) = step.undo() {
                tracing::error!(%error, ?step, "could not undo a step");
            }
        }
        return Err(error);
    }
    Ok(())
}

impl Step {
    fn take(&self) -> Result<(), BackupError> {
        match self {
            Self::Link { from, to } => after(std::fs::hard_link(from, to), to)
                .map_err(BackupError::file("keep the database with a hard link as", to)),
            Self::Rename { from, to } => after(std::fs::rename(from, to), to)
                .map_err(BackupError::file("rename a file to", to)),
        }
    }

    fn undo(&self) -> io::Result<()> {
        match self {
            Self::Link { to, .. } => after(std::fs::remove_file(to), to),
            Self::Rename { from, to } => after(std::fs::rename(to, from), to),
        }
    }
}

/// Syncs the folder after a step, so that the steps keep their order if the power fails.
fn after(done: io::Result<()>, file: &Path) -> io::Result<()> {
    done.inspect(|()| place::sync(place::folder(file)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// Makes a folder with these files. Each file holds its own name.
    fn folder(names: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    /// Returns the names and contents of the files, in order.
    fn content(folder: &TempDir) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let content = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), content)
            })
            .collect();
        files.sort();
        files
    }

    fn steps(folder: &TempDir) -> Vec<Step> {
        let database = folder.path().join("a.db");
        plan(&database, &kept_name(&database), &folder.path().join("new"), Path::exists)
    }

    const CASES: [&[&str]; 3] = [&["a.db"], &["a.db", "a.db-wal", "a.db-shm"], &[]];

    #[test]
    fn after_a_kill_at_any_moment_the_same_restore_ends_the_work() {
        for case in CASES {
            let names = [case, &["new"]].concat();
            let whole = folder(&names);
            carry_out(&steps(&whole)).unwrap();
            let expected = content(&whole);
            for killed_after in 0..=steps(&folder(&names)).len() {
                let folder = folder(&names);
                let steps_of_first = steps(&folder);
                carry_out(&steps_of_first[..killed_after]).unwrap();
                let there = content(&folder);
                let has = |name: &str, content: &str| {
                    there.contains(&(name.to_owned(), content.to_owned()))
                };
                let is_new = has("a.db", "new");
                assert!(is_new || has("a.db", "a.db") == case.contains(&"a.db"), "{there:?}");
                if is_new {
                    assert!(
                        !LOGS.iter().any(|log| folder.path().join(format!("a.db{log}")).exists())
                    );
                    assert_eq!(content(&folder), expected);
                    continue;
                }
                carry_out(&steps(&folder)).unwrap();
                assert_eq!(content(&folder), expected, "killed after {killed_after}");
            }
        }
    }

    #[test]
    fn a_step_that_fails_is_followed_by_the_way_back() {
        for case in CASES {
            for failing in 0..steps(&folder(case)).len() {
                let folder = folder(case);
                let before = content(&folder);
                let mut steps = steps(&folder);
                let nowhere = folder.path().join("nowhere/file");
                match &mut steps[failing] {
                    Step::Link { to, .. } | Step::Rename { to, .. } => *to = nowhere,
                }
                assert!(carry_out(&steps).is_err());
                assert_eq!(content(&folder), before, "failed at {failing}");
            }
        }
    }

    #[test]
    fn an_older_database_that_is_kept_stays() {
        let folder = folder(&["a.db", "a.db.before-restore", "a.db.before-restore-2-wal", "new"]);
        carry_out(&steps(&folder)).unwrap();
        let names: Vec<_> = content(&folder).into_iter().map(|(name, _)| name).collect();
        let kept = ["", "-2-wal", "-3"].map(|ending| format!("a.db.before-restore{ending}"));
        assert_eq!(names, [&["a.db".to_owned()][..], &kept].concat());
    }
}
