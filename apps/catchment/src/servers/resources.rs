//! Reads the processor time of processes, if the system shows it (Linux's `/proc`).

mod listener;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

pub(crate) use self::listener::listening_on;

/// A tick of the processor times in `/proc`. Linux shows them in hundredths of a second, whatever
/// unit the kernel counts in.
const TICK: Duration = Duration::from_millis(10);

/// Returns the processor time of a process, without its children.
pub(crate) fn own_time(pid: u32) -> Option<Duration> {
    Some(Stat::read(pid)?.own)
}

/// Returns the processor time of a process and all its descendants, also of those that have ended.
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let Stat { own, ended, .. } = Stat::read(pid)?;
    let children = children_of(pid);
    let theirs: Duration = children.into_iter().filter_map(processor_time).sum();
    Some(own + ended + theirs)
}

fn children_of(pid: u32) -> BTreeSet<u32> {
    pids().filter(|child| Stat::read(*child).is_some_and(|stat| stat.parent == pid)).collect()
}

/// Returns the ids of all visible processes.
fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/PID/stat` that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// The processor time of the process itself.
    own: Duration,
    /// The processor time of its children that have ended and were waited for.
    ended: Duration,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses the file. Fields are counted from behind the name, which may hold blanks and
    /// brackets.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let parent = fields.get(1)?.parse().ok()?;
        let time = |from: usize| {
            let parts = fields.get(from..from + 2)?.iter();
            let ticks: Option<Vec<u32>> = parts.map(|field| field.parse().ok()).collect();
            Some(TICK * ticks?.iter().sum())
        };
        Some(Self { parent, own: time(11)?, ended: time(13)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_behind_its_name() {
        let text = "17 (a ) b) S 1 17 17 0 -1 4194560 900 1 0 0 250 50 3 2 20 0 8 0 1 2 3";
        let stat = Stat::parse(text);
        let (own, ended) = (Duration::from_secs(3), Duration::from_millis(50));
        assert_eq!(stat, Some(Stat { parent: 1, own, ended }));
        assert_eq!(Stat::parse("17 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_time() {
        let pid = std::process::id();
        assert!(processor_time(pid).is_some());
    }
}
