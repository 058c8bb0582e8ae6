//! What every app begins with: its settings, its log lines, and how durations and names are
//! read.

pub mod settings;
pub mod telemetry;
pub mod duration;
pub mod nearest;
mod allocator;
