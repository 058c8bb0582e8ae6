//! Which files must not be opened as a database.

use std::path::Path;

use crate::open_error::OpenError;
use crate::place::{LOGS, beside, canonical, irregular_file};

/// Fails if a database, or a file that `SQLite` keeps beside it, exists and is not a regular file.
pub(crate) fn check_regular(file: &Path) -> Result<(), OpenError> {
    let logs = canonical(file).map(|file| LOGS.map(|ending| beside(&file, ending)));
    let logs = logs.into_iter().flatten();
    for file in [file.to_owned()].into_iter().chain(logs) {
        if let Some(what) = irregular_file(&file) {
            return Err(OpenError::NotRegular { file: file.display().to_string(), what });
        }
    }
    Ok(())
}

/// Fails if a file must not be opened as a database: it is not a regular file, or other processes
/// may know it by another name.
pub(crate) fn check(file: &Path, database: &str) -> Result<(), OpenError> {
    check_regular(file)?;
    let Ok(file) = file.canonicalize() else { return Ok(()) };
    let database = || database.to_owned();
    if 1 < links(&file) {
        return Err(OpenError::Linked { database: database() });
    }
    if std::fs::read_to_string("/proc/self/mountinfo").is_ok_and(|mounts| mounted(&mounts, &file)) {
        return Err(OpenError::Mounted { database: database() });
    }
    Ok(())
}

#[cfg(unix)]
fn links(file: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    file.metadata().map_or(0, |metadata| metadata.nlink())
}

#[cfg(not(unix))]
const fn links(_: &Path) -> u64 {
    1
}

/// Fails if a database does not exist, but the files that `SQLite` keeps beside it do. Then the
/// database was renamed or removed, and another process may still have it open.
pub(crate) fn check_absent(file: &Path, database: &str) -> Result<(), OpenError> {
    let Ok(file) = canonical(file) else { return Ok(()) };
    // In this order: if another process makes the database in between, the database exists before
    // the files beside it.
    let left = LOGS.into_iter().map(|ending| beside(&file, ending)).find(|file| file.exists());
    match left {
        Some(left) if !file.exists() => Err(OpenError::LogAlone {
            database: database.to_owned(),
            log: left.display().to_string(),
        }),
        _ => Ok(()),
    }
}

/// Returns whether a file is a mount point, by the lines of `/proc/self/mountinfo`. The fifth word
/// of each line is a mount point, whose blanks are written in octal.
fn mounted(mounts: &str, file: &Path) -> bool {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(unescaped).any(|point| Path::new(&point) == file)
}

fn unescaped(point: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(point.to_owned(), |point, (escape, text)| point.replace(escape, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_known_by_its_whole_path() {
        let mounts = "\
            36 35 98:0 / / rw,noatime master:1 - ext4 /dev/root rw\n\
            40 36 98:0 /db/a.db /data/catchment.db rw - ext4 /dev/root rw\n\
            41 36 0:5 / /my\\040data rw - tmpfs none rw\n\
            42 36 0:5 /x /my\\040data/a\\134b.db rw - tmpfs none rw\n";
        for (file, expected) in [
            ("/data/catchment.db", true),
            ("/data/catchment.db-wal", false),
            ("/data", false),
            ("/my data/catchment.db", false),
            ("/my data/a\\b.db", true),
        ] {
            assert_eq!(mounted(mounts, Path::new(file)), expected, "{file}");
        }
        assert!(!mounted("", Path::new("/")));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_beside_a_database_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        let mut mkfifo = std::process::Command::new("mkfifo");
        assert!(mkfifo.arg(path("q.db-wal")).status().unwrap().success());
        std::fs::write(path("q.db"), "").unwrap();
        let refused = check(&path("q.db"), "q.db").unwrap_err().to_string();
        assert!(
            refused.ends_with("q.db-wal` is a pipe, where a regular file must be"),
            "{refused}"
        );
    }
}
