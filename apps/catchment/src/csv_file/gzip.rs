//! Reads compressed files as tools leave them: with several members, and padding behind the last.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::FileError;

/// How many characters of unexpected data are shown.
const SHOWN: usize = 20;

/// Reads the content of all members. Zeros and blanks behind a member are skipped. Anything else
/// there is an error.
pub(super) struct Members<R> {
    /// The current member, or `None` at the end of the file.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer).map_err(explain)?;
            if 0 < count || buffer.is_empty() {
                return Ok(count);
            }
            self.member = match self.member.take() {
                Some(member) => next_member(member.into_inner())?,
                None => None,
            };
        }
        Ok(0)
    }
}

fn next_member<R: BufRead>(mut reader: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let ahead = reader.fill_buf()?;
        let padding = ahead.iter().take_while(|byte| is_padding(**byte)).count();
        match ahead.get(padding) {
            None if padding == 0 => return Ok(None),
            None => reader.consume(padding),
            // This may be the first byte of a member. The decoder checks the rest.
            Some(0x1f) => {
                reader.consume(padding);
                return Ok(Some(GzDecoder::new(reader)));
            }
            Some(_) => {
                let other = ahead.get(padding..).unwrap_or_default();
                let text = String::from_utf8_lossy(other);
                let line = text.lines().next().unwrap_or_default();
                let shown = line.chars().take(SHOWN).collect::<String>();
                return Err(FileError::Trailing(shown.escape_debug().to_string()).into());
            }
        }
    }
}

const fn is_padding(byte: u8) -> bool {
    byte == 0 || byte.is_ascii_whitespace()
}

/// Distinguishes damaged data from a file that cannot be read.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            FileError::Damaged.into()
        }
        _ => error,
    }
}
