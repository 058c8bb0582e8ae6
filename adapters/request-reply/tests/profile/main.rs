//! The headers of every kind of peer, checked against what real ones wrote.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects")]

mod captured;
mod properties;
mod rules;
mod table;
