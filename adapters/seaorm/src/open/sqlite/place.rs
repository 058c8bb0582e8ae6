//! The file of a database: which file it is, and whether its log lies beside it.
//!
//! `SQLite` keeps what was committed last in `NAME-wal`, beside the name by which the file was
//! opened. Two names of one file, or a file that is mounted alone, therefore mean two logs, and
//! each process overwrites what the other one stored.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::open_error::OpenError;

/// How long to wait before the lock of a folder is asked for again.
const PAUSE: Duration = Duration::from_millis(10);

/// What `SQLite` and the engine keep beside a database.
pub(crate) const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// A file beside a database, by the ending of its name.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The one true name of a file that is there, or of one that is to be made.
pub(crate) fn canonical(file: &Path) -> io::Result<PathBuf> {
    if file.exists() {
        return file.canonicalize();
    }
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder(file).canonicalize()?.join(name))
}

pub(crate) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether what was committed last may lie in a file of its own. Whoever only looks at a file may
/// leave an empty one.
pub(crate) fn has_log(file: &Path) -> bool {
    let log = canonical(file).and_then(|file| beside(&file, "-wal").metadata());
    log.is_ok_and(|log| 0 < log.len())
}

/// Fails where other processes may know the file by another name.
pub(crate) fn check(file: &Path, database: &str) -> Result<(), OpenError> {
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

/// A number that another file of the same disk does not have, and a copy therefore neither; 0
/// where the system has none.
#[cfg(unix)]
pub(crate) fn identity(file: &Path) -> i32 {
    use std::os::unix::fs::MetadataExt as _;

    file.metadata().map_or(0, |metadata| folded(metadata.ino()))
}

#[cfg(not(unix))]
pub(crate) const fn identity(_: &Path) -> i32 {
    0
}

/// Whether a file is a copy of one that was in use, without its log.
///
/// 1. A file that is in use has a log beside it, and keeps it when its processes are killed.
/// 2. Its header says by its journal mode that it is in use, until the last of ours leaves it.
/// 3. Its header also says which file it is, and a copy is another one.
///
/// Another program may leave a file without a log that seems to be in use: that one is still the
/// file that it says it is. `written` is 0 where no file is named.
pub(crate) fn lacks_log(file: &Path, had_log: bool, written: i32, journal_mode: &str) -> bool {
    !had_log && journal_mode == "wal" && ![0, identity(file)].contains(&written)
}

/// Half as many bits, and never 0.
#[cfg(unix)]
fn folded(number: u64) -> i32 {
    let half = (number ^ (number >> 32)) & u64::from(u32::MAX);
    let half = u32::try_from(half).map_or(0, u32::cast_signed);
    if half == 0 { 1 } else { half }
}

/// Whether something is mounted at this very path, by the lines of Linux: the fifth word of each
/// is a mount point, whose blanks are written in octal.
fn mounted(mounts: &str, file: &Path) -> bool {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(unescaped).any(|point| Path::new(&point) == file)
}

fn unescaped(point: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(point.to_owned(), |point, (escape, text)| point.replace(escape, text))
}

/// How a folder is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderLock {
    /// A database in it is being opened: others may be, too.
    Opening,
    /// A database in it is being replaced: none may be opened.
    Replacing,
}

impl FolderLock {
    /// Takes the lock, which goes with the file that it returns. `None` where the system locks no
    /// folders.
    ///
    /// # Errors
    ///
    /// When another process keeps it for longer than this.
    pub(crate) async fn take(
        self,
        file: &Path,
        wait: Duration,
        database: &str,
    ) -> Result<Option<File>, OpenError> {
        let Ok(folder) = File::open(folder(file)) else { return Ok(None) };
        let since = Instant::now();
        loop {
            let taken = match self {
                Self::Opening => folder.try_lock_shared(),
                Self::Replacing => folder.try_lock(),
            };
            match taken {
                Ok(()) => return Ok(Some(folder)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if wait < since.elapsed() => {
                    return Err(OpenError::Locked { database: database.to_owned() });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
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
    fn an_identity_is_never_none() {
        assert_eq!(folded(0), 1);
        assert_eq!(folded((1 << 32) | 1), 1);
        assert_ne!(folded(7), folded((7 << 32) | 1));
    }
}
