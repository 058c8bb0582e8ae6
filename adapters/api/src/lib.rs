//! What programs read and write: the JSON of `--json`, of the HTTP API and of its clients.
//!
//! Each thing has one struct here, in the words and units of the wire: fields in camelCase, radii
//! and limits as objects such as `{"metres":3000}`, instants in RFC 3339 with a zone, durations in
//! seconds. The crate knows no command line and no HTTP.

mod units;

pub use units::{Limit, instant, seconds};
