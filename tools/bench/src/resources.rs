//! What processes use, as Linux shows it in `/proc`.

use std::time::Duration;

use procfs::process::{Process, Stat};

/// Returns the most memory that a process has had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    Some(process(pid)?.status().ok()?.vmhwm? * 1_024)
}

/// Returns the processor time of all children of this process that have ended.
pub(crate) fn time_of_children() -> Option<Duration> {
    ended(&Process::myself().ok()?.stat().ok()?)
}

fn process(pid: u32) -> Option<Process> {
    Process::new(pid.try_into().ok()?).ok()
}

/// The processor time of the ended children that a process has waited for.
fn ended(stat: &Stat) -> Option<Duration> {
    time((stat.cutime + stat.cstime).try_into().ok()?)
}

fn time(ticks: u64) -> Option<Duration> {
    Some(Duration::from_millis((ticks * 1_000).checked_div(procfs::ticks_per_second())?))
}
