//! The headers of every kind of peer, checked against what real ones wrote.

mod captured;
mod properties;
mod rules;
