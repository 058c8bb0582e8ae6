//! Names that only this crate has.

/// A failure of the replier. Its value is the JSON of [`Failure`](super::Failure).
pub(super) const FAILURE: &str = "catchment-failure";
