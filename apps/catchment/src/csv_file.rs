//! Files that people bring: CSV, plain or compressed, read row by row.
//!
//! The library takes rows apart. It neither counts the lines of the file nor complains about a
//! quote that swallows lines: [`layout`] does both, on the bytes that the library reads.

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
    /// It cannot be opened or read.
    #[error("{}", plain(.0))]
    Io(io::Error),
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// It has not even a header.
    #[error("it is empty")]
    Empty,
    /// It has a format of its own, and what to do about it.
    #[error("it is {0}")]
    Format(&'static str),
    /// It is something else than text.
    #[error("it is not a CSV file: its first line is not text")]
    Binary,
    /// It is text in another encoding.
    #[error("it is not UTF-8 but probably {encoding}; this converts it: `{command}`")]
    Encoding {
        /// The encoding that it most likely has.
        encoding: &'static str,
        /// What a shell is told to convert it.
        command: String,
    },
    /// It cannot be decompressed.
    #[error("its gzip data is damaged or cut off")]
    Damaged,
    /// It goes on behind what was compressed.
    #[error("something else follows its gzip data: `{0}`; compress the whole file again")]
    Trailing(String),
    /// The header lacks what is needed, or says something twice.
    #[error("{0}")]
    Header(String),
    /// A row of a file that is used whole or not at all.
    #[error("line {line}: {reason}")]
    Row {
        /// Where the row begins.
        line: u64,
        /// What is wrong with it.
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
        /// Where the value begins.
        opened: u64,
        /// Where the next quote stands.
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

/// What the operating system says, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not allowed".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a value of a header is this name, in any case and whatever stands between its words.
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
    /// Where it stands.
    pub(crate) lines: Lines,
    /// Its values as they are.
    pub(crate) values: &'a ByteRecord,
}

impl CsvRow<'_> {
    /// What was read of it, where the whole file depends on it.
    ///
    /// # Errors
    ///
    /// Why it was not read, or that it has several lines.
    pub(crate) fn check<T>(&self, read: Result<T, String>) -> Result<T, FileError> {
        let line = self.lines.first;
        self.lines.check(read).map_err(|reason| FileError::Row { line, reason })
    }
}

impl CsvFile {
    /// Opens a file whose header may hold these names, which tell what separates its values.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is no CSV file at all.
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

    /// The next row that has a value, until there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further. At its end also when most of its rows that are not
    /// ASCII are not UTF-8 either: then it has another encoding.
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
