//! What travels: the only place that knows our JSON. `docs/wire-format.md` is the format.
//!
//! Everything that a message can hold is read into a value: a request or why it is none, a
//! reply or nothing. Texts are borrowed from the message, and a message is gone through once.

mod instant;
mod limit;
mod message;
mod object;
mod reply;
mod request;
mod request_type;
#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) mod schema;
mod text;

use serde::Serialize;
use uuid::Uuid;

pub(crate) use instant::written as written_instant;
pub(crate) use reply::{parse as parse_reply, shorter as shorter_reply, write as write_reply};
pub(crate) use request::{Refusal, parse as parse_request, write as write_request};
pub(crate) use request_type::NamedType;

/// The domain that every message of ours is for.
const TARGET: &str = "shop";

/// Writes JSON behind what `out` holds.
fn write_json(message: &impl Serialize, out: &mut Vec<u8>) {
    // INVARIANT: memory takes what it is given, and our messages have no keys but texts.
    let written = serde_json::to_writer(out, message);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Reads a UUID in its usual form, 36 characters with hyphens.
fn uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}
