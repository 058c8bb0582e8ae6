//! Finds the delimiter of a file.

use csv::{ByteRecord, ReaderBuilder};

use super::is_named;

/// The possible delimiters, the least usual first.
const DELIMITERS: [u8; 4] = [b'|', b'\t', b';', b','];

/// Returns the delimiter that the first line names for Excel, as `sep=;`, and the bytes behind that
/// line.
pub(super) fn named(head: &[u8]) -> Option<(u8, &[u8])> {
    let (mark, rest) = head.split_at_checked(b"sep=".len())?;
    let (delimiter, rest) = rest.split_first()?;
    let is_sign = *delimiter == b'\t' || delimiter.is_ascii_punctuation() && *delimiter != b'"';
    let ends = rest.first().is_none_or(|byte| matches!(byte, b'\r' | b'\n'));
    let is_named = mark.eq_ignore_ascii_case(b"sep=") && is_sign && ends;
    is_named.then_some((*delimiter, rest.trim_ascii_start()))
}

/// Returns the delimiter with which the first row holds the highest number of these names, or the
/// comma if it holds none.
pub(super) fn guess(head: &[u8], names: &[&str]) -> u8 {
    let known = |delimiter: &u8| known(head, *delimiter, names);
    // If several are equal, the last one wins, which is the most usual.
    DELIMITERS.into_iter().max_by_key(known).unwrap_or(b',')
}

/// Returns how many of the names the first row holds.
fn known(head: &[u8], delimiter: u8, names: &[&str]) -> usize {
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(head);
    let mut row = ByteRecord::new();
    if reader.read_byte_record(&mut row).is_err() {
        return 0;
    }
    let is_name = |value: &[u8]| names.iter().any(|name| is_named(value, name));
    row.iter().filter(|value| is_name(value)).count()
}
