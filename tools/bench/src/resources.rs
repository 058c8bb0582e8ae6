//! What processes use, as Linux shows it in `/proc`.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, Stat, all_processes};

/// Returns the most memory that a process has had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    Some(process(pid)?.status().ok()?.vmhwm? * 1_024)
}

/// Returns the processor time of a process, without its children.
pub(crate) fn own_time(pid: u32) -> Option<Duration> {
    own(&process(pid)?.stat().ok()?)
}

/// Returns the processor time of a process and all its descendants, also of those that have ended.
pub(crate) fn time_with_children(pid: u32) -> Option<Duration> {
    let stat = process(pid)?.stat().ok()?;
    let children = all_processes().ok()?.filter_map(|process| process.ok()?.stat().ok());
    let children = children.filter(|child| child.ppid == stat.pid);
    let children = children.filter_map(|child| time_with_children(child.pid.try_into().ok()?));
    Some(own(&stat)? + ended(&stat)? + children.sum::<Duration>())
}

/// Returns the processor time of all children of this process that have ended.
pub(crate) fn time_of_children() -> Option<Duration> {
    ended(&Process::myself().ok()?.stat().ok()?)
}

/// Returns the process that listens at an address such as `127.0.0.1:9092`, if the address is on
/// this machine and the system shows the process.
pub(crate) fn listening_on(address: &str) -> Option<u32> {
    let port = address.to_socket_addrs().ok()?.find(|found| found.ip().is_loopback())?.port();
    let sockets = [tcp(), tcp6()].into_iter().flatten().flatten();
    let is_it = |state: &TcpState, at: u16| *state == TcpState::Listen && at == port;
    let mut sockets = sockets.filter(|socket| is_it(&socket.state, socket.local_address.port()));
    let inode = sockets.next()?.inode;
    let has_open = |process: &Process| {
        let mut files = process.fd().into_iter().flatten().flatten();
        files.any(|file| matches!(file.target, FDTarget::Socket(found) if found == inode))
    };
    let listener = all_processes().ok()?.flatten().find(has_open)?;
    listener.pid.try_into().ok()
}

fn process(pid: u32) -> Option<Process> {
    Process::new(pid.try_into().ok()?).ok()
}

/// The processor time of the process itself.
fn own(stat: &Stat) -> Option<Duration> {
    time(stat.utime + stat.stime)
}

/// The processor time of the ended children that a process has waited for.
fn ended(stat: &Stat) -> Option<Duration> {
    time((stat.cutime + stat.cstime).try_into().ok()?)
}

fn time(ticks: u64) -> Option<Duration> {
    Some(Duration::from_millis((ticks * 1_000).checked_div(procfs::ticks_per_second())?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_process_takes_memory_and_time() {
        let this = std::process::id();
        assert!(peak_memory(this).is_some_and(|bytes| 100_000 < bytes));
        assert!(own_time(this) <= time_with_children(this));
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(listening_on(&address), Some(std::process::id()));
        drop(listener);
        assert_eq!(listening_on(&address), None);
    }
}
