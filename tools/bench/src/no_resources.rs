//! The answers of a system that does not show what processes use.

use std::time::Duration;

pub(crate) const fn peak_memory(_: u32) -> Option<u64> {
    None
}

pub(crate) const fn own_time(_: u32) -> Option<Duration> {
    None
}

pub(crate) const fn time_with_children(_: u32) -> Option<Duration> {
    None
}

pub(crate) const fn time_of_children() -> Option<Duration> {
    None
}

pub(crate) const fn listening_on(_: &str) -> Option<u32> {
    None
}
