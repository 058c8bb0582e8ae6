//! Files of shops: CSV, plain or compressed, read whole and checked before anything is stored.

mod bounded;
mod header;
mod row;
mod rows;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use catchment_domain::Lanes;
use csv::ByteRecord;
use flate2::read::MultiGzDecoder;
use thiserror::Error;

use self::bounded::{Bound, Bounded};
use self::header::Header;
use self::row::Reader;

pub(crate) use self::bounded::RECORD_MAX;
pub(crate) use self::header::EXPORTED;
pub(crate) use self::rows::{BadRows, CheckedRows};

/// Where a file of shops, or of ids, is read from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The standard input.
    Stdin,
    /// A file.
    Path(PathBuf),
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if text == "-" { Self::Stdin } else { Self::Path(text.into()) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("the standard input"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// Why a whole file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// It cannot be opened or read.
    #[error("{}", plain(.0))]
    Io(io::Error),
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// It has not even a header.
    #[error("it is empty")]
    Empty,
    /// It is something else than text.
    #[error("it is not a CSV file: its first line is not text")]
    Binary,
    /// The header lacks what is needed, or says something twice.
    #[error("{0}")]
    Header(String),
    /// A record is longer than a megabyte.
    #[error("line {0} is longer than 1 MiB, or has a quote that is never closed")]
    TooLong(u64),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What the operating system says, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not allowed".to_owned(),
        _ => error.to_string(),
    }
}

impl Source {
    /// Opens it, and takes the compression off where its first bytes say that there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is a folder.
    pub(crate) fn open(&self) -> Result<Box<dyn Read>, FileError> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        let mut reader: Box<dyn BufRead> = match self {
            Self::Stdin => Box::new(BufReader::new(io::stdin())),
            Self::Path(path) => Box::new(BufReader::new(open_file(path)?)),
        };
        if reader.fill_buf()?.starts_with(&GZIP) {
            return Ok(Box::new(MultiGzDecoder::new(reader)));
        }
        Ok(Box::new(reader))
    }
}

fn open_file(path: &Path) -> Result<File, FileError> {
    if path.is_dir() {
        return Err(FileError::Folder);
    }
    Ok(File::open(path)?)
}

/// Reads all rows, those that are well formed in the order of lane and id.
///
/// # Errors
///
/// When the file as a whole cannot be used. Bad rows are part of the result.
pub(crate) fn read(source: &Source, lanes: Lanes) -> Result<CheckedRows, FileError> {
    let bound = Bound::default();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(Bounded::new(source.open()?, bound.clone()));
    let mut record = ByteRecord::new();
    if !next(&mut reader, &mut record, &bound)? {
        return Err(FileError::Empty);
    }
    let mut rows = Reader::new(Header::read(&record)?);
    while next(&mut reader, &mut record, &bound)? {
        let line = record.position().map_or(0, csv::Position::line);
        rows.read(line, &record);
    }
    Ok(rows.into_checked(lanes))
}

fn next<R: Read>(
    reader: &mut csv::Reader<R>,
    record: &mut ByteRecord,
    bound: &Bound,
) -> Result<bool, FileError> {
    bound.begin_record(reader.position().byte());
    let line = reader.position().line();
    reader.read_byte_record(record).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            FileError::TooLong(line)
        }
        csv::ErrorKind::Io(error) => FileError::Io(error),
        kind => FileError::Io(io::Error::other(format!("{kind:?}"))),
    })
}

/// Opens a file to write, or the standard output.
///
/// # Errors
///
/// When the file cannot be made.
pub(crate) fn create(path: Option<&Path>) -> io::Result<Box<dyn Write + Send>> {
    Ok(match path {
        Some(path) => Box::new(io::BufWriter::new(File::create(path)?)),
        None => Box::new(io::BufWriter::new(io::stdout())),
    })
}

#[cfg(test)]
mod tests;
