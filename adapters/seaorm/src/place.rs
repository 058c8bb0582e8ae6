//! The file of a database: its name, and the files beside it.
//!
//! `SQLite` keeps the latest commits in `NAME-wal`, beside the name by which the file was opened.
//! Two names of one file therefore mean two logs, and so does a file that is mounted alone. With
//! two logs, each process overwrites the commits of the other.

mod file_identity;

use std::fs::{File, FileType};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::file_identity::{
    APPLICATION_ID, OpenedFile, identity, is_database, is_no_copy, is_same, lacks_log,
};
use crate::rights::Rights;

/// The endings of the files that `SQLite` keeps beside a database: the log of the latest commits,
/// the index of that log, and the journal that rolls an interrupted transaction back.
pub(crate) const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The ending of the file that the engine locks while it runs.
const ENGINE_LOCK: &str = ".lock";

/// Returns the file that an engine locks while it runs on a database. It lies beside the database
/// itself, and not beside a symbolic link to it.
///
/// # Errors
///
/// When the folder of the database cannot be found.
pub fn engine_lock_of(database: &Path) -> io::Result<PathBuf> {
    canonical(database).map(|database| beside(&database, ENGINE_LOCK))
}

/// Returns the name of a file beside a database: the database's name with this ending.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Returns the files that may lie beside a database and belong to it.
pub(crate) fn side_files(database: &Path) -> impl Iterator<Item = PathBuf> {
    LOGS.into_iter().chain([ENGINE_LOCK]).map(|ending| beside(database, ending))
}

/// Returns the database to which a file belongs by its name, whether or not that database exists.
pub(crate) fn database_beside(file: &Path) -> Option<PathBuf> {
    let name = file.file_name().and_then(|name| name.to_str())?;
    let mut endings = LOGS.into_iter().chain([ENGINE_LOCK]);
    let name = endings.find_map(|ending| name.strip_suffix(ending))?;
    (!name.is_empty()).then(|| file.with_file_name(name))
}

/// Returns whether a file has the name of a file beside an existing database. Opens that database:
/// see [`is_database`].
pub(crate) fn lies_beside_database(file: &Path) -> io::Result<bool> {
    match database_beside(file) {
        Some(database) if database.is_file() => is_database(&database),
        _ => Ok(false),
    }
}

/// Names the kind of a file that exists and is not a regular file. Does not open the file: opening
/// a pipe would wait until another process opens it, too.
#[must_use]
pub fn irregular_file(file: &Path) -> Option<&'static str> {
    let there = file.metadata().ok()?.file_type();
    (!there.is_file()).then(|| if there.is_dir() { "a folder" } else { irregular(there) })
}

#[cfg(unix)]
fn irregular(there: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;

    match there {
        there if there.is_fifo() => "a pipe",
        there if there.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
const fn irregular(_: FileType) -> &'static str {
    "a device"
}

/// Says what to check when `SQLite` cannot open a file. Reads only names and rights.
pub(crate) fn advice_to_open(file: &Path) -> String {
    let folder = folder(file);
    let shown = folder.display();
    let around = match folder.metadata() {
        Ok(around) if around.is_dir() => Rights::of(&around),
        Ok(_) => return format!("`{shown}` is no folder"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return format!("its folder `{shown}` is not there");
        }
        Err(error) => return format!("its folder `{shown}` cannot be entered: {error}"),
    };
    match file.metadata() {
        Ok(there) => format!(
            "check that this user may read and write it ({}), and make files in its folder \
             ({around})",
            Rights::of(&there)
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("check that this user may make files in its folder ({around})")
        }
        Err(_) => format!("check that this user may enter its folder ({around})"),
    }
}

/// Returns the name of a file without symbolic links. For a file that does not exist, this is the
/// name under which it would be made.
pub(crate) fn canonical(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    loop {
        match file.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            known => return known,
        }
        let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let absent = folder(&file).canonicalize()?.join(name);
        // When the system makes a file, it follows a link whose target does not exist. Links in a
        // circle are another error, so this loop ends.
        match absent.read_link() {
            Ok(target) => file = folder(&absent).join(target),
            Err(_) => return Ok(absent),
        }
    }
}

pub(crate) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs the names in a folder to the disk, so that they survive a power failure. A system that
/// cannot do this writes the names by itself a moment later.
pub(crate) fn sync(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "could not sync a folder");
    }
}

/// Returns whether a log that may hold the latest commits lies beside a database. A process that
/// only reads may leave an empty log, which holds nothing.
pub(crate) fn has_log(file: &Path) -> bool {
    let log = canonical(file).and_then(|file| beside(&file, "-wal").metadata());
    log.is_ok_and(|log| 0 < log.len())
}

#[cfg(test)]
mod tests {
    use super::file_identity::MAGIC;
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_that_is_not_there_leads_to_its_place() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().canonicalize().unwrap();
        let path = |name: &str| folder.join(name);
        std::fs::create_dir(path("data")).unwrap();
        std::os::unix::fs::symlink("data/a.db", path("first.db")).unwrap();
        std::os::unix::fs::symlink("first.db", path("second.db")).unwrap();
        std::os::unix::fs::symlink("circle.db", path("circle.db")).unwrap();
        assert_eq!(canonical(&path("second.db")).unwrap(), path("data/a.db"));
        assert_eq!(canonical(&path("none.db")).unwrap(), path("none.db"));
        assert!(canonical(&path("circle.db")).is_err());
        assert!(canonical(&path("nowhere/a.db")).is_err());
    }

    #[test]
    fn a_database_is_known_by_its_beginning_and_what_is_beside_it_by_its_name() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        std::fs::write(path("a.db"), [&MAGIC[..], b"more"].concat()).unwrap();
        std::fs::write(path("b.csv"), "id").unwrap();
        std::fs::write(path("empty"), "").unwrap();
        for (name, expected) in [("a.db", true), ("b.csv", false), ("empty", false)] {
            assert_eq!(is_database(&path(name)).unwrap(), expected, "{name}");
        }
        for (name, expected) in [
            ("a.db-wal", true),
            ("a.db-shm", true),
            ("a.db-journal", true),
            ("a.db.lock", true),
            ("a.db", false),
            ("a.db-other", false),
            ("b.csv.lock", false),
            ("missing-wal", false),
        ] {
            assert_eq!(lies_beside_database(&path(name)).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_that_of_a_file_beside_a_database_by_its_ending() {
        for (name, expected) in [
            ("a.db-wal", Some("a.db")),
            ("sub/a.db.lock", Some("sub/a.db")),
            ("a.db-shm-journal", Some("a.db-shm")),
            ("a.db", None),
            ("-wal", None),
            (".lock", None),
        ] {
            assert_eq!(database_beside(Path::new(name)), expected.map(PathBuf::from), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_told_and_not_opened() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        let mut mkfifo = std::process::Command::new("mkfifo");
        let made = mkfifo.args([path("p.db"), path("q.db-wal")]).status();
        assert!(made.unwrap().success());
        std::fs::write(path("q.db"), "").unwrap();
        std::os::unix::fs::symlink("p.db", path("link.db")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("s.db")).unwrap();
        for (name, expected) in [
            ("p.db", Some("a pipe")),
            ("link.db", Some("a pipe")),
            ("s.db", Some("a socket")),
            ("", Some("a folder")),
            ("q.db", None),
            ("missing.db", None),
        ] {
            assert_eq!(irregular_file(&path(name)), expected, "{name}");
        }
        assert_eq!(irregular_file(Path::new("/dev/null")), Some("a device"));
    }

    #[cfg(unix)]
    #[test]
    fn who_may_not_open_a_file_is_told_the_rights_of_it_and_of_its_folder() {
        use std::os::unix::fs::PermissionsExt as _;

        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        std::fs::write(path("a.db"), "").unwrap();
        for (name, mode) in [("a.db", 0o600), ("", 0o755)] {
            std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let advice = |name: &str| advice_to_open(&path(name));
        let found = advice("a.db");
        assert!(found.contains("read and write it (mode 600, user "), "{found}");
        assert!(found.contains("files in its folder (mode 755, user "), "{found}");
        let found = advice("b.db");
        assert!(found.starts_with("check that this user may make files in its folder"), "{found}");
        let found = advice("nowhere/a.db");
        assert!(found.ends_with("nowhere` is not there"), "{found}");
        let found = advice("a.db/b.db");
        assert!(found.ends_with("a.db` is no folder"), "{found}");
    }
}
