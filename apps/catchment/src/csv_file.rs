//! Reads files of users row by row: CSV, plain or compressed.
//!
//! The library splits rows into values. It neither counts the lines of the file nor complains about
//! a quote that swallows lines. [`layout`] does both, on the bytes that the library reads.

mod delimiter;
mod encoding;
mod gzip;
mod layout;
mod source;

use std::io::{self, Cursor, Read};

use csv::ByteRecord;
use thiserror::Error;

use self::encoding::Encodings;
use self::layout::Layout;

pub(crate) use self::layout::Lines;
pub(crate) use self::source::Source;

/// Why a whole file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The file cannot be opened or read.
    #[error("{}", plain(.0))]
    Io(io::Error),
    /// The path leads to a folder.
    #[error("it is a folder")]
    Folder,
    /// The file has no header.
    #[error("it is empty")]
    Empty,
    /// The file has another known format. The text says what to do about it.
    #[error("it is {0}")]
    Format(&'static str),
    /// The file is not text.
    #[error("it is not a CSV file: its first line is not text")]
    Binary,
    /// The file is text in another encoding.
    #[error("it is not UTF-8 but probably {encoding}; this converts it: `{command}`")]
    Encoding {
        /// The encoding that the file most likely has.
        encoding: &'static str,
        /// The shell command that converts the file.
        command: String,
    },
    /// The file cannot be decompressed.
    #[error("its gzip data is damaged or cut off")]
    Damaged,
    /// Other data follow the compressed data.
    #[error("something else follows its gzip data: `{0}`; compress the whole file again")]
    Trailing(String),
    /// The header lacks a column, or has a column twice.
    #[error("{0}")]
    Header(String),
    /// A bad row in a file that must be good as a whole.
    #[error("line {line}: {reason}")]
    Row {
        /// The line in which the row begins.
        line: u64,
        /// The reason.
        reason: String,
    },
    /// A row is longer than a megabyte.
    #[error("line {0} is longer than 1 MiB")]
    TooLong(u64),
    /// A quoted value is longer than a megabyte.
    #[error("the quote that opens in line {0} is not closed within 1 MiB")]
    LongQuote(u64),
    /// A quoted value goes on to the end of the file.
    #[error("the quote that opens in line {0} is never closed")]
    OpenQuote(u64),
    /// A quoted value of several lines ends where no value ends.
    #[error(
        "the quote that opens in line {opened} is not closed before line {closed}, where text \
         follows it; a quote inside a quoted value is written twice"
    )]
    StrayQuote {
        /// The line in which the value begins.
        opened: u64,
        /// The line of the next quote.
        closed: u64,
    },
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Io)
    }
}

impl From<csv::Error> for FileError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            kind => Self::Io(io::Error::other(format!("{kind:?}"))),
        }
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        Self::other(error)
    }
}

/// Returns the message of the operating system, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not allowed".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns whether a value of a header is this name, ignoring case and the signs between words.
pub(crate) fn is_named(value: &[u8], name: &str) -> bool {
    let letters = |text: &str| {
        text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    std::str::from_utf8(value).is_ok_and(|value| letters(value) == letters(name))
}

/// A file that is being read.
pub(crate) struct CsvFile {
    source: Source,
    is_compressed: bool,
    reader: csv::Reader<Layout<Box<dyn Read>>>,
    values: ByteRecord,
    encodings: Encodings,
}

/// A row that is not blank.
#[derive(Debug)]
pub(crate) struct CsvRow<'a> {
    /// The lines of the row.
    pub(crate) lines: Lines,
    /// The values, unchanged.
    pub(crate) values: &'a ByteRecord,
}

impl CsvRow<'_> {
    /// Returns the result of reading the row, if the whole file depends on the row.
    ///
    /// # Errors
    ///
    /// When reading failed, or the row has several lines.
    pub(crate) fn check<T>(&self, read: Result<T, String>) -> Result<T, FileError> {
        let line = self.lines.first;
        self.lines.check(read).map_err(|reason| FileError::Row { line, reason })
    }
}

impl CsvFile {
    /// Opens a file. `names` are possible names of columns, by which the delimiter is found.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or is not a CSV file.
    pub(crate) fn open(source: &Source, names: &[&str]) -> Result<Self, FileError> {
        let text = source.open()?;
        let first_line = delimiter::named(&text.head);
        let (delimiter, rows) = first_line.unwrap_or_else(|| {
            let delimiter = delimiter::guess(&text.head, names);
            (delimiter, text.head.as_slice())
        });
        let is_named = first_line.is_some();
        if let Some(encoding) = encoding::of_first_line(rows) {
            return Err(source.in_other_encoding(encoding, text.is_compressed));
        }
        let content: Box<dyn Read> = Box::new(Cursor::new(text.head).chain(text.rest));
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(Layout::new(content, delimiter));
        let mut values = ByteRecord::new();
        if is_named {
            reader.read_byte_record(&mut values)?;
            reader.get_mut().next_lines();
        }
        Ok(Self {
            source: source.clone(),
            is_compressed: text.is_compressed,
            reader,
            values,
            encodings: Encodings::default(),
        })
    }

    /// Reads the next row that has a value. Returns `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further. Also at the end of the file, if most of its rows that
    /// are not ASCII are not UTF-8: then the file has another encoding.
    pub(crate) fn next_row(&mut self) -> Result<Option<CsvRow<'_>>, FileError> {
        loop {
            if !self.reader.read_byte_record(&mut self.values)? {
                return match self.encodings.guess() {
                    Some(other) => Err(self.source.in_other_encoding(other, self.is_compressed)),
                    None => Ok(None),
                };
            }
            let lines = self.reader.get_mut().next_lines();
            if self.values.as_slice().trim_ascii().is_empty() {
                continue;
            }
            self.encodings.add(&self.values);
            return Ok(Some(CsvRow { lines, values: &self.values }));
        }
    }
}

#[cfg(test)]
mod tests;
