//! Encodes values into blobs: a byte for the format, then the values in postcard. Private structs
//! mirror the domain's types, which have no serde. Every value that is read is checked.

pub(crate) mod causes;
pub(crate) mod details;
pub(crate) mod import_receipt;
pub(crate) mod receipt;
mod runs;
pub(crate) mod slots;
mod standings;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// The first byte of a blob. A new way to write this kind of blob needs a new number.
type Format = u8;

/// Why a blob cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CodecError {
    /// The first byte is not a known format.
    #[error("the format {0} is not known")]
    Format(u8),
    /// The blob ends too soon or is too long.
    #[error("the bytes cannot be read")]
    Unreadable,
    /// A value is out of range.
    #[error("{0} is out of range")]
    Value(&'static str),
}

fn write<T: Serialize>(format: Format, value: &T) -> Vec<u8> {
    // INVARIANT: a growing vector takes every value; no mirror has a map or an unknown length.
    postcard::to_extend(value, vec![format]).unwrap_or_default()
}

fn read<'a, T: Deserialize<'a>>(format: Format, bytes: &'a [u8]) -> Result<T, CodecError> {
    let value = match bytes {
        [first, value @ ..] if *first == format => value,
        [other, ..] => return Err(CodecError::Format(*other)),
        [] => return Err(CodecError::Unreadable),
    };
    match postcard::take_from_bytes(value) {
        Ok((value, [])) => Ok(value),
        _ => Err(CodecError::Unreadable),
    }
}

/// Returns a value that must exist.
fn taken<T>(value: Option<T>) -> Result<T, CodecError> {
    value.ok_or(CodecError::Unreadable)
}
