//! The use cases: what a user asks of Catchment, once for every way in.
//!
//! Each use case is a function or a small struct on the ports of the domain, with plain values in
//! and out. The command line, the HTTP API and tests call the same use cases. A use case never
//! reads arguments, writes to a terminal, or formats text for people; its [errors](UseCaseError) say
//! what the caller can do.

pub mod nearest;
mod error;

pub use error::{InvalidField, NotFound, UseCaseError};
