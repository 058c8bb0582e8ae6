//! Tells files apart, by the file system and by the header of a database.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::folder;

/// `PRAGMA application_id` of our files: `CaMt` in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x4361_4d74;

/// The first bytes of every `SQLite` file.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Returns whether a regular file is a `SQLite` database, of Catchment or another program. A
/// process must not call this for a database that it has open: closing the file again releases all
/// locks that `SQLite` holds on it.
pub(crate) fn is_database(file: &Path) -> io::Result<bool> {
    Ok(head(file)?.starts_with(MAGIC))
}

/// Returns whether a file is a `SQLite` database, but not a copy of a Catchment database: it
/// belongs to another program, or was opened under this name. Until a copy is opened, its header
/// has the [`identity`] of its source. Opens the file: see [`is_database`].
pub(crate) fn is_no_copy(file: &Path) -> io::Result<bool> {
    let head = head(file)?;
    if !head.starts_with(MAGIC) {
        return Ok(false);
    }
    // The offsets of the numbers: https://www.sqlite.org/fileformat.html
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?;
        bytes.try_into().map(i32::from_be_bytes).ok()
    };
    let (user_version, application_id) = (number(60), number(68));
    Ok(application_id != Some(APPLICATION_ID) || user_version == Some(identity(file)))
}

/// Reads the header of a `SQLite` database, or the first bytes of another file.
fn head(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?.take(100).read_to_end(&mut head)?;
    Ok(head)
}

/// The identity of an existing file: equal for all names of the same file.
#[cfg(unix)]
type FileId = (u64, u64);

/// The identity of an existing file.
#[cfg(not(unix))]
type FileId = PathBuf;

/// Returns the identity of a file without opening it.
#[cfg(unix)]
fn file_id(file: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt as _;

    file.metadata().map(|file| (file.dev(), file.ino())).ok()
}

#[cfg(not(unix))]
fn file_id(file: &Path) -> Option<FileId> {
    file.canonicalize().ok()
}

/// Returns whether two names lead to the same file. Opens neither.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    file_id(a).is_some_and(|a| Some(a) == file_id(b))
}

/// A file that was opened, with the name that it had then.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    name: PathBuf,
    id: Option<FileId>,
}

impl OpenedFile {
    /// Remembers the file to which a name leads. Does not open the file.
    pub(crate) fn at(file: &Path) -> Self {
        let name = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Self { id: file_id(&name), name }
    }

    /// Returns whether the name still leads to the file. Only then do the files beside the name
    /// belong to it.
    pub(crate) fn has_its_name(&self) -> bool {
        self.id.is_some() && self.id == file_id(&self.name)
    }
}

/// Returns a number made from a file's name, its folder and the file itself. The number changes
/// when the file is renamed, moved or copied. It stays when a folder above is renamed or mounted
/// elsewhere. It is 0 only if the file cannot be found.
#[cfg(unix)]
pub(crate) fn identity(file: &Path) -> i32 {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;

    let inode = |path: &Path| path.metadata().map(|metadata| metadata.ino().to_be_bytes());
    let Ok(file) = file.canonicalize() else { return 0 };
    let (Ok(itself), Ok(folder)) = (inode(&file), inode(folder(&file))) else { return 0 };
    let name = file.file_name().map_or(&[][..], |name| name.as_bytes());
    folded(&[&itself[..], &folder[..], name].concat())
}

/// Returns a number made from a file's path. The number changes when the file is renamed, moved or
/// copied. It is 0 only if the file cannot be found.
#[cfg(not(unix))]
pub(crate) fn identity(file: &Path) -> i32 {
    file.canonicalize().map_or(0, |file| folded(file.as_os_str().as_encoded_bytes()))
}

/// Returns whether a file was copied, renamed or moved without its log while it was in use.
///
/// 1. A file that is in use has a log beside it. A process that is killed leaves the log there.
/// 2. The journal mode in the header says that the file is in use, until the last Catchment process
///    closes the file.
/// 3. The header also holds the [`identity`] that the file had when it was opened.
///
/// Another program may close a file whose header then still says that the file is in use, although
/// nothing is missing. Such a file still has its identity. `written` is the identity in the header,
/// or 0 if the header holds none.
pub(crate) fn lacks_log(file: &Path, had_log: bool, written: i32, journal_mode: &str) -> bool {
    !had_log && journal_mode == "wal" && ![0, identity(file)].contains(&written)
}

/// Returns 32 bits of a hash, but never 0.
fn folded(bytes: &[u8]) -> i32 {
    let (_, low) = Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes).as_u64_pair();
    let half = u32::try_from(low & u64::from(u32::MAX)).map_or(0, u32::cast_signed);
    if half == 0 { 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn an_identity_is_that_of_the_name_the_folder_and_the_file() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        std::fs::create_dir(path("one")).unwrap();
        std::fs::create_dir(path("two")).unwrap();
        std::fs::write(path("one/a.db"), "").unwrap();
        std::os::unix::fs::symlink(path("one/a.db"), path("link.db")).unwrap();
        let first = identity(&path("one/a.db"));
        assert_ne!(first, 0);
        assert_eq!(identity(&path("link.db")), first);
        std::fs::rename(path("one"), path("renamed")).unwrap();
        assert_eq!(identity(&path("renamed/a.db")), first);
        std::fs::rename(path("renamed/a.db"), path("renamed/b.db")).unwrap();
        assert_ne!(identity(&path("renamed/b.db")), first);
        std::fs::rename(path("renamed/b.db"), path("two/a.db")).unwrap();
        assert_ne!(identity(&path("two/a.db")), first);
        std::fs::copy(path("two/a.db"), path("renamed/a.db")).unwrap();
        assert_ne!(identity(&path("renamed/a.db")), first);
        assert_eq!(identity(&path("missing.db")), 0);
    }

    #[test]
    fn a_copy_is_known_by_its_header() {
        let outer = tempfile::tempdir().unwrap();
        let file = outer.path().join("copy.db");
        let write = |application_id: i32, user_version: i32| {
            let mut bytes = [&MAGIC[..], &[0; 84]].concat();
            bytes[60..64].copy_from_slice(&user_version.to_be_bytes());
            bytes[68..72].copy_from_slice(&application_id.to_be_bytes());
            std::fs::write(&file, bytes).unwrap();
        };
        std::fs::write(&file, "a letter").unwrap();
        assert!(!is_no_copy(&file).unwrap());
        std::fs::write(&file, MAGIC).unwrap();
        assert!(is_no_copy(&file).unwrap(), "a database without an id");
        let own = identity(&file);
        for (application_id, user_version, expected) in [
            (APPLICATION_ID, own.wrapping_add(1), false),
            (APPLICATION_ID, 0, false),
            (APPLICATION_ID, own, true),
            (0, 0, true),
            (7, own.wrapping_add(1), true),
        ] {
            write(application_id, user_version);
            assert_eq!(is_no_copy(&file).unwrap(), expected, "{application_id} {user_version}");
        }
        assert!(is_no_copy(&outer.path().join("missing.db")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_opened_has_its_name_until_it_is_renamed_or_removed() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        std::fs::write(path("a.db"), "").unwrap();
        std::os::unix::fs::symlink("a.db", path("link.db")).unwrap();
        let (opened, by_link) = (OpenedFile::at(&path("a.db")), OpenedFile::at(&path("link.db")));
        std::fs::remove_file(path("link.db")).unwrap();
        assert!(opened.has_its_name() && by_link.has_its_name());
        std::fs::rename(path("a.db"), path("b.db")).unwrap();
        assert!(!opened.has_its_name() && !by_link.has_its_name());
        std::fs::write(path("a.db"), "").unwrap();
        assert!(!opened.has_its_name() && !by_link.has_its_name());
        std::fs::rename(path("b.db"), path("a.db")).unwrap();
        assert!(opened.has_its_name() && by_link.has_its_name());
        assert!(!OpenedFile::at(&path("missing.db")).has_its_name());
    }

    #[test]
    fn an_identity_is_never_none() {
        assert_ne!(folded(b"a"), folded(b"b"));
        assert!((0..1_000_u32).all(|number| folded(&number.to_be_bytes()) != 0));
    }
}
