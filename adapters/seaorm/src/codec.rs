//! What stands in blobs: a byte that says the format, then values by postcard. Private
//! structs mirror the domain's, which have no serde; every value that is read is checked.

pub(crate) mod causes;
pub(crate) mod details;
pub(crate) mod hex;
pub(crate) mod import_receipt;
pub(crate) mod json;
pub(crate) mod receipt;
mod runs;
pub(crate) mod slots;
mod standings;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// The first byte of a blob. Another way to write this kind of blob takes another number.
type Format = u8;

/// What is wrong with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CodecError {
    /// Its first byte is none that is known.
    #[error("the format {0} is not known")]
    Format(u8),
    /// It ends too soon or has more than it should.
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

/// A value that must be there.
fn taken<T>(value: Option<T>) -> Result<T, CodecError> {
    value.ok_or(CodecError::Unreadable)
}
