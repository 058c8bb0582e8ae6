//! Tracks the lines and quotes of a file while a parser reads it.
//!
//! The parser's own line numbers skip the second half of a line's end and blank lines. At the end
//! of the file, the parser also accepts a quote that is not closed.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::FileError;

/// The most bytes of a row. The limit keeps a line without an end, and a quote that is never
/// closed, from filling the memory.
const ROW_MAX: u64 = 1 << 20;

/// The lines of a row as an editor counts them, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The line in which the row begins.
    pub(crate) first: u64,
    /// The line in which the row ends. It differs from `first` if a quoted value has several lines.
    pub(crate) last: u64,
}

impl Lines {
    /// Returns the result of reading the row, unless the row has several lines. If there is a quote
    /// too many, it ends at the next quote, and the rows between them are lost.
    ///
    /// # Errors
    ///
    /// When reading failed, or the row has several lines.
    pub(crate) fn check<T>(self, read: Result<T, String>) -> Result<T, String> {
        if self.first == self.last {
            return read;
        }
        let doubt = format!("it goes on to line {}: is a quote too many?", self.last);
        Err(match read {
            Ok(_) => doubt,
            Err(reason) => format!("{reason}; {doubt}"),
        })
    }
}

/// What stands before a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The end of a row, or the beginning of the file.
    Row,
    /// A delimiter.
    Delimiter,
    /// A part of a value without quotes, or text behind a quoted value.
    Bare,
    /// A part of a quoted value.
    Quoted,
    /// A quote in a quoted value: it closes the value, or is the first of two.
    Quote,
}

/// Passes bytes on, and remembers the lines of each row.
///
/// # Errors
///
/// When a row is too long; when a quoted value has no end; or when a quoted value of several lines
/// has text behind it, because then its quote was never closed and the next quote ended it.
pub(super) struct Layout<R> {
    inner: R,
    delimiter: u8,
    place: Place,
    /// The line of the next byte.
    line: u64,
    /// Whether the last byte was a carriage return.
    is_returned: bool,
    /// The line in which the current row begins.
    first: u64,
    /// How many bytes of the current row were read.
    length: u64,
    /// The line in which the last quoted value begins.
    opened: u64,
    /// The rows that the parser has not returned yet.
    rows: VecDeque<Lines>,
}

impl<R: Read> Layout<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            place: Place::Row,
            line: 1,
            is_returned: false,
            first: 1,
            length: 0,
            opened: 1,
            rows: VecDeque::new(),
        }
    }

    /// Returns the lines of the row that the parser returns now.
    pub(super) fn next_lines(&mut self) -> Lines {
        self.rows.pop_front().unwrap_or_default()
    }

    fn pass(&mut self, byte: u8) -> Result<(), FileError> {
        let ends_line = matches!(byte, b'\r' | b'\n');
        if self.place == Place::Row && !ends_line {
            self.first = self.line;
            self.length = 0;
        }
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Quoted, _) | (Place::Quote, b'"') => Place::Quoted,
            _ if ends_line => {
                self.end_row();
                Place::Row
            }
            _ if byte == self.delimiter => Place::Delimiter,
            (Place::Row | Place::Delimiter, b'"') => {
                self.opened = self.line;
                Place::Quoted
            }
            (Place::Quote, _) if self.opened < self.line => {
                return Err(FileError::StrayQuote { opened: self.opened, closed: self.line });
            }
            (Place::Row | Place::Delimiter | Place::Bare | Place::Quote, _) => Place::Bare,
        };
        // A carriage return with a line feed ends one line.
        if ends_line && !(byte == b'\n' && self.is_returned) {
            self.line += 1;
        }
        self.is_returned = byte == b'\r';
        self.length += 1;
        if self.place != Place::Row && ROW_MAX < self.length {
            return Err(match self.place {
                Place::Quoted => FileError::LongQuote(self.opened),
                _ => FileError::TooLong(self.first),
            });
        }
        Ok(())
    }

    fn end_row(&mut self) {
        if self.place != Place::Row {
            self.rows.push_back(Lines { first: self.first, last: self.line });
        }
    }

    fn end_file(&mut self) -> Result<(), FileError> {
        if self.place == Place::Quoted {
            return Err(FileError::OpenQuote(self.opened));
        }
        self.end_row();
        self.place = Place::Row;
        Ok(())
    }
}

impl<R: Read> Read for Layout<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.end_file()?;
        }
        for byte in buffer.iter().take(count) {
            self.pass(*byte)?;
        }
        Ok(count)
    }
}
