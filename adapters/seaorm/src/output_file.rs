//! Files that commands write: beside their target first, so that what was there stays until
//! everything is written, and never over a database. A backup alone replaces another copy.
//!
//! A file `.catchment-*.partial` beside the target holds what is written so far. It goes away
//! when the work fails or is interrupted; a process that is killed leaves it behind. Nothing reads
//! such a file, so it may be removed.

use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use thiserror::Error;

use crate::open::sqlite::place;
use crate::rights::Rights;

/// Why a file must not or cannot be written. Each text is the reason alone, for a line that names
/// the file.
#[derive(Debug, Error)]
pub enum OutputFileError {
    /// It is a database, or lies beside one and belongs to it.
    #[error("it belongs to a database; name another file")]
    Database,
    /// A database that is made beside it would take it for its own.
    #[error(
        "a name that ends with `-wal`, `-shm`, `-journal` or `.lock` is that of a file beside a \
         database; name another file"
    )]
    BesideName,
    /// It is a database of another program, or one that was opened under this name.
    #[error("it is a database and no copy; name another file")]
    NoCopy,
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// It is a pipe, a device or a socket.
    #[error("it is no regular file; name another one")]
    NotRegular,
    /// It is a symbolic link that leads nowhere.
    #[error("it is a link to a file that is not there")]
    Dangling,
    /// Nobody may write it.
    #[error("it is write-protected")]
    Protected,
    /// It belongs to a user or a group to which this process cannot give a file.
    #[error("it belongs to another user or group; remove it first, or name another file")]
    Owner,
    /// It is there, and was not to be replaced.
    #[error("it is there already; name another file, or say `--force`")]
    Exists,
    /// It was not there at the beginning.
    #[error("another process made it meanwhile; name another file")]
    Appeared,
    /// Its folder is not there or cannot be entered.
    #[error("its folder cannot be used")]
    NoFolder(#[source] io::Error),
    /// Its folder takes no new file.
    #[error("its folder takes no new file")]
    FolderRefuses(#[source] io::Error),
    /// It could not be looked at, written or renamed.
    #[error("it cannot be written")]
    Failed(#[from] io::Error),
}

/// A file for people or programs that is being written. Where it is dropped before
/// [`finish`](Self::finish), what was there before stays.
#[derive(Debug)]
pub struct OutputFile(Kind);

#[derive(Debug)]
enum Kind {
    Beside(BufWriter<File>, Partial),
    /// A pipe or a device has no place to take.
    InPlace(BufWriter<File>),
}

impl OutputFile {
    /// Begins a file that will stand at a path, or where a symbolic link leads that stands there.
    /// It has the owner and the rights of the file that it replaces. `database` is the file that
    /// this process has open.
    ///
    /// # Errors
    ///
    /// When the path leads to any database or to a file beside one, to a file that is
    /// write-protected, or to a place where no file can be made.
    pub fn create(path: &Path, database: Option<&Path>) -> Result<Self, OutputFileError> {
        let target = Target::new(path, database, Purpose::Export)?;
        if target.look()? == There::Stream {
            let file = File::options().write(true).open(path)?;
            return Ok(Self(Kind::InPlace(BufWriter::new(file))));
        }
        let (file, partial) = Partial::make(target)?;
        Ok(Self(Kind::Beside(BufWriter::new(file), partial)))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    ///
    /// When it could not be written whole, or must not replace what is there by now; then what was
    /// there is there still.
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

/// What a file is written for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Shops for people and programs. It replaces a file, and goes into a pipe.
    Export,
    /// A copy of a database that has these rights. It replaces a file of this user where that is
    /// wanted, but of databases only another copy, and goes into regular files alone.
    Copy { source: Rights, replaces: bool },
}

/// Where a file will stand.
#[derive(Debug)]
pub(crate) struct Target {
    file: PathBuf,
    /// The files of the database that this process has open.
    database: Vec<PathBuf>,
    purpose: Purpose,
}

/// What stands at a target.
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
            // What stands for a pipe, such as `/dev/stdout`, has no other name.
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

    /// What stands there, unless it must stay.
    fn look(&self) -> Result<There, OutputFileError> {
        let is_own = |own: &PathBuf| *own == self.file || place::is_same(own, &self.file);
        // In this order: the second opens files, and must not open the database of this process.
        if self.database.iter().any(is_own) || place::lies_beside_database(&self.file)? {
            return Err(OutputFileError::Database);
        }
        if place::database_beside(&self.file).is_some() {
            return Err(OutputFileError::BesideName);
        }
        let is_copy = matches!(self.purpose, Purpose::Copy { .. });
        // A log that is there would be taken for that of the copy.
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

    /// Whether the regular file that is there may be replaced.
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

/// A file that is written beside its target. It goes away when it is dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    file: PartialFile,
    target: Target,
    /// Whether it takes the place of a file that was there at the beginning.
    replaces: bool,
}

impl Partial {
    /// Makes an empty file, with the rights that it will have.
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

    /// Gives the file its name, unless something else came to stand there meanwhile.
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

/// A file of a name of its own, in the folder of another one.
#[derive(Debug)]
pub(crate) struct PartialFile {
    path: TempPath,
    /// The rights that a new file of this user has.
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

    /// Returns once the content is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// The file has another name now, and does not go away.
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
