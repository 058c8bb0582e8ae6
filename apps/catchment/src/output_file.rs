//! Files that commands write: beside their target first, so that what was there stays until
//! everything is written, and never over the database.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

use crate::stores::Stores;

/// What `SQLite` and the engine keep beside a database's file, behind its name.
const BESIDE_A_DATABASE: [&str; 5] = ["", "-wal", "-shm", "-journal", ".lock"];

/// A file that is being written.
#[derive(Debug)]
pub(crate) enum OutputFile {
    /// It takes the target's place when it is finished, and goes away if it never is.
    Beside {
        /// The file that is written.
        file: BufWriter<NamedTempFile>,
        /// Whose place it takes.
        target: PathBuf,
    },
    /// A pipe or a device has no place to take.
    InPlace(BufWriter<File>),
}

impl OutputFile {
    /// Makes a file that will stand at `path`, or where a symbolic link leads that stands there.
    ///
    /// # Errors
    ///
    /// When it cannot be made; when the path leads to the database or to a file of it, whatever
    /// the name.
    pub(crate) fn create(path: &Path, stores: &Stores) -> anyhow::Result<Self> {
        let database = stores.file().map(files_of).unwrap_or_default();
        match fs::metadata(path) {
            Ok(there) => Self::instead_of(path, &there, &database),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::anew(path, &database),
            Err(error) => Err(error.into()),
        }
    }

    fn instead_of(path: &Path, there: &Metadata, database: &[PathBuf]) -> anyhow::Result<Self> {
        if there.is_dir() {
            bail!("it is a folder");
        }
        // Looks at the files, and opens none: when a process closes a file of a database, it
        // loses the locks that `SQLite` has on it.
        let is_there = |file: &PathBuf| platform::is_same(file, path);
        if database.iter().any(is_there) {
            bail!(IS_DATABASE);
        }
        // A file that must not be written must not be replaced either.
        let file = File::options().write(true).open(path)?;
        if !there.is_file() {
            return Ok(Self::InPlace(BufWriter::new(file)));
        }
        let target = path.canonicalize()?;
        // Nobody but this user may read it before it has the permissions of the other.
        let written = beside(&target, &mut tempfile::Builder::new())?;
        platform::keep_owner(written.as_file(), there);
        written.as_file().set_permissions(there.permissions())?;
        Ok(Self::Beside { file: BufWriter::new(written), target })
    }

    fn anew(path: &Path, database: &[PathBuf]) -> anyhow::Result<Self> {
        if path.is_symlink() {
            bail!("it is a link to a file that is not there");
        }
        let Some(name) = path.file_name() else { bail!("it is no name of a file") };
        let target = folder(path).canonicalize().context("its folder cannot be used")?.join(name);
        if database.contains(&target) {
            bail!(IS_DATABASE);
        }
        let mut builder = tempfile::Builder::new();
        platform::permit_as_usual(&mut builder);
        let file = BufWriter::new(beside(&target, &mut builder)?);
        Ok(Self::Beside { file, target })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    ///
    /// When it could not be written whole; then what was there before is there still.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::InPlace(mut file) => file.flush(),
            Self::Beside { file, target } => {
                let file = file.into_inner().map_err(IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(target).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

const IS_DATABASE: &str = "it is the database, or one of its files; name another file";

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside { file, .. } => file.write(bytes),
            Self::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside { file, .. } => file.flush(),
            Self::InPlace(file) => file.flush(),
        }
    }
}

/// The files of a database, whether or not they are there now.
fn files_of(database: &Path) -> Vec<PathBuf> {
    let file = |end: &&str| {
        let mut path = OsString::from(database);
        path.push(end);
        PathBuf::from(path)
    };
    BESIDE_A_DATABASE.iter().map(file).collect()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file of a name of its own in the target's folder.
fn beside(target: &Path, builder: &mut tempfile::Builder<'_, '_>) -> anyhow::Result<NamedTempFile> {
    builder.tempfile_in(folder(target)).context("its folder takes no new file")
}

#[cfg(unix)]
mod platform {
    use std::fs::{self, File, Metadata, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    use std::path::Path;

    /// Whether both names lead to one file.
    pub(super) fn is_same(a: &Path, b: &Path) -> bool {
        let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        identity(a).is_some_and(|a| Some(a) == identity(b))
    }

    /// Lets a new file have the permissions that files of this user have.
    pub(super) fn permit_as_usual(builder: &mut tempfile::Builder<'_, '_>) {
        builder.permissions(Permissions::from_mode(0o666));
    }

    /// Gives a file to the owner of another one, where this user may.
    pub(super) fn keep_owner(file: &File, other: &Metadata) {
        if let Err(error) = fchown(file, Some(other.uid()), Some(other.gid())) {
            tracing::debug!(%error, "could not keep the owner of a file");
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::{File, Metadata};
    use std::path::Path;

    pub(super) fn is_same(a: &Path, b: &Path) -> bool {
        a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
    }

    pub(super) fn permit_as_usual(_: &mut tempfile::Builder<'_, '_>) {}

    pub(super) fn keep_owner(_: &File, _: &Metadata) {}
}
