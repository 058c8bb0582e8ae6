//! Files that commands write. A file is first written beside its target, so that an existing file
//! stays until the new one is complete. A database is never overwritten, with one exception: a
//! backup may replace another copy.
//!
//! The file beside the target is named `.catchment-*.partial`. It is removed if the work fails or
//! is interrupted. A process that is killed leaves it behind. Nothing reads the leftover file, so
//! it may be removed.

use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use thiserror::Error;

use crate::place;
use crate::rights::Rights;

/// Why a file must not or cannot be written. Each message is only the reason: the line around it
/// names the file.
#[derive(Debug, Error)]
pub enum OutputFileError {
    /// The file is a database, or lies beside a database and belongs to it.
    #[error("it belongs to a database; name another file")]
    Database,
    /// A database that is later made beside the file would take it for its own file.
    #[error(
        "a name that ends with `-wal`, `-shm`, `-journal` or `.lock` is that of a file beside a \
         database; name another file"
    )]
    BesideName,
    /// The file is a database of another program, or was opened as a database under this name.
    #[error("it is a database and no copy; name another file")]
    NoCopy,
    /// The path leads to a folder.
    #[error("it is a folder")]
    Folder,
    /// The path leads to a pipe, a device or a socket.
    #[error("it is no regular file; name another one")]
    NotRegular,
    /// The path is a symbolic link to a file that does not exist.
    #[error("it is a link to a file that is not there")]
    Dangling,
    /// The file is write-protected.
    #[error("it is write-protected")]
    Protected,
    /// The file belongs to a user or a group to which this process cannot give a file.
    #[error("it belongs to another user or group; remove it first, or name another file")]
    Owner,
    /// The file exists, and may not be replaced.
    #[error("it is there already; name another file, or say `--force`")]
    Exists,
    /// The file did not exist at the beginning, but another process has made it since.
    #[error("another process made it meanwhile; name another file")]
    Appeared,
    /// The folder does not exist or cannot be entered.
    #[error("its folder cannot be used")]
    NoFolder(#[source] io::Error),
    /// The folder does not accept a new file.
    #[error("its folder takes no new file")]
    FolderRefuses(#[source] io::Error),
    /// The file could not be examined, written or renamed.
    #[error("it cannot be written")]
    Failed(#[from] io::Error),
}

/// An export that is being written. If it is dropped before [`finish`](Self::finish), an existing
/// file stays as it was.
#[derive(Debug)]
pub struct OutputFile(Kind);

#[derive(Debug)]
enum Kind {
    Beside(BufWriter<File>, Partial),
    /// A pipe or a device, which cannot be replaced and is written directly.
    InPlace(BufWriter<File>),
}

impl OutputFile {
    /// Begins a file at a path. If the path is a symbolic link, the file will replace the link's
    /// target. The new file gets the owner and the rights of the file that it replaces. `database`
    /// is the file that this process has open.
    ///
    /// # Errors
    ///
    /// When the path leads to any database, to a file beside a database, to a write-protected file,
    /// or to a place where no file can be made.
    pub fn create(path: &Path, database: Option<&Path>) -> Result<Self, OutputFileError> {
        let target = Target::new(path, database, Purpose::Export)?;
        if target.look()? == There::Stream {
            let file = File::options().write(true).open(path)?;
            return Ok(Self(Kind::InPlace(BufWriter::new(file))));
        }
        let (file, partial) = Partial::make(target)?;
        Ok(Self(Kind::Beside(BufWriter::new(file), partial)))
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    ///
    /// When the file could not be written completely, or must not replace the file that is there
    /// now. The existing file then stays.
    pub fn finish(self) -> Result<(), OutputFileError> {
        match self.0 {
            Kind::InPlace(mut file) => Ok(file.flush()?),
            Kind::Beside(file, partial) => {
                drop(file.into_inner().map_err(IntoInnerError::into_error)?);
                partial.finish()
            }
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Beside(file, _) | Kind::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Beside(file, _) | Kind::InPlace(file) => file.flush(),
        }
    }
}

/// The purpose of a file, which decides what the file may replace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// An export of shops. It may replace a file that is not a database, and may be written into a
    /// pipe.
    Export,
    /// A copy of a database that has these rights. If `replaces` is set, the copy may replace a
    /// file of this user: any regular file that is not a database, or another copy.
    Copy { source: Rights, replaces: bool },
}

/// The place and the purpose of a file that will be written.
#[derive(Debug)]
pub(crate) struct Target {
    file: PathBuf,
    /// The files of the database that this process has open.
    database: Vec<PathBuf>,
    purpose: Purpose,
}

/// What exists at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    File(Rights),
    Stream,
}

impl Target {
    pub(crate) fn new(
        path: &Path,
        database: Option<&Path>,
        purpose: Purpose,
    ) -> Result<Self, OutputFileError> {
        let file = match fs::metadata(path) {
            // A path that leads to a pipe, such as `/dev/stdout`, has no other name.
            Ok(there) if !there.is_file() => path.to_owned(),
            Ok(_) => path.canonicalize()?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Err(_) if path.is_symlink() => return Err(OutputFileError::Dangling),
            Err(_) => place::canonical(path).map_err(OutputFileError::NoFolder)?,
        };
        let files = |database: &Path| -> Vec<PathBuf> {
            [database.to_owned()].into_iter().chain(place::side_files(database)).collect()
        };
        Ok(Self { file, database: database.map(files).unwrap_or_default(), purpose })
    }

    /// Returns what exists at the target. Fails if it must not be replaced.
    fn look(&self) -> Result<There, OutputFileError> {
        let is_own = |own: &PathBuf| *own == self.file || place::is_same(own, &self.file);
        // In this order: the second check opens files, and must not open the database of this
        // process.
        if self.database.iter().any(is_own) || place::lies_beside_database(&self.file)? {
            return Err(OutputFileError::Database);
        }
        if place::database_beside(&self.file).is_some() {
            return Err(OutputFileError::BesideName);
        }
        let is_copy = matches!(self.purpose, Purpose::Copy { .. });
        // `SQLite` would take an existing log for the log of the copy.
        if is_copy && place::side_files(&self.file).any(|file| file.exists()) {
            return Err(OutputFileError::Database);
        }
        let there = match fs::metadata(&self.file) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
            Err(error) => return Err(error.into()),
        };
        if there.is_dir() {
            return Err(OutputFileError::Folder);
        }
        if !there.is_file() {
            return if is_copy { Err(OutputFileError::NotRegular) } else { Ok(There::Stream) };
        }
        self.check_file(Rights::of(&there))
    }

    /// Checks that the existing regular file may be replaced.
    fn check_file(&self, rights: Rights) -> Result<There, OutputFileError> {
        match self.purpose {
            Purpose::Export if place::is_database(&self.file)? => {
                return Err(OutputFileError::Database);
            }
            Purpose::Copy { replaces: false, .. } => return Err(OutputFileError::Exists),
            Purpose::Copy { .. } if place::is_no_copy(&self.file)? => {
                return Err(OutputFileError::NoCopy);
            }
            Purpose::Export | Purpose::Copy { .. } => {}
        }
        if rights.is_protected() {
            return Err(OutputFileError::Protected);
        }
        // A file that this user must not write must not be replaced either.
        File::options().write(true).open(&self.file)?;
        Ok(There::File(rights))
    }
}

/// A file that is written beside its target. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    file: PartialFile,
    target: Target,
    /// Whether the target existed at the beginning.
    replaces: bool,
}

impl Partial {
    /// Makes an empty file, with the rights of the finished file.
    pub(crate) fn make(target: Target) -> Result<(File, Self), OutputFileError> {
        let there = target.look()?;
        let (made, file) =
            PartialFile::beside(&target.file).map_err(OutputFileError::FolderRefuses)?;
        let rights = match (there, target.purpose) {
            (There::File(there), Purpose::Copy { source, .. }) => {
                if !there.has_owner_of(file.usual) {
                    return Err(OutputFileError::Owner);
                }
                there.no_wider_than(source)
            }
            (There::File(there), Purpose::Export) => there,
            (There::Stream, _) => return Err(OutputFileError::NotRegular),
            (There::Nothing, Purpose::Copy { source, .. }) => file.usual.no_wider_than(source),
            (There::Nothing, Purpose::Export) => file.usual,
        };
        file.give(rights).map_err(|_| OutputFileError::Owner)?;
        Ok((made, Self { file, target, replaces: matches!(there, There::File(_)) }))
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Renames the file to its target, unless something that must stay has appeared there.
    pub(crate) fn finish(self) -> Result<(), OutputFileError> {
        if self.target.look()? == There::Stream {
            return Err(OutputFileError::NotRegular);
        }
        let target = &self.target.file;
        self.file.sync()?;
        let path = self.file.path;
        if self.replaces {
            path.persist(target).map_err(|error| error.error)?;
        } else {
            path.persist_noclobber(target).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => OutputFileError::Appeared,
                _ => OutputFileError::Failed(error.error),
            })?;
        }
        place::sync(place::folder(target));
        Ok(())
    }
}

/// A file with a temporary name, in the folder of its target.
#[derive(Debug)]
pub(crate) struct PartialFile {
    path: TempPath,
    /// The rights of a new file of this user.
    pub(crate) usual: Rights,
}

impl PartialFile {
    /// Makes an empty file that no other user may read.
    pub(crate) fn beside(target: &Path) -> io::Result<(File, Self)> {
        let made = tempfile::Builder::new()
            .prefix(".catchment-")
            .suffix(".partial")
            .make_in(place::folder(target), |path| {
                File::options().write(true).create_new(true).open(path)
            })?;
        let (file, path) = made.into_parts();
        let usual = Rights::of(&file.metadata()?);
        restrict(&file)?;
        Ok((file, Self { path, usual }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn give(&self, rights: Rights) -> io::Result<()> {
        rights.give_to(&self.path)
    }

    /// Waits until the content is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Keeps the file after this value is dropped: the file has been renamed.
    pub(crate) fn renamed(self) {
        if let Err(error) = self.path.keep() {
            tracing::debug!(%error, "a file was renamed");
        }
    }
}

/// Lets only this user read and write a file.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &File) -> io::Result<()> {
    Ok(())
}
