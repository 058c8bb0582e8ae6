//! Shows how far a campaign is.

mod bar;
mod stall;

pub(crate) use bar::Bar;
pub(crate) use stall::why_stalled;
