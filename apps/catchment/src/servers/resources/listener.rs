//! Finds the process that listens on a port of this machine, to get the pids of a broker and a
//! database.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};

use super::pids;

/// The state `LISTEN` in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Returns the process that listens at an address such as `127.0.0.1:9092`, if the address is on
/// this machine and the system shows the process.
pub(crate) fn listening_on(address: &str) -> Option<u32> {
    let ours = |address: &SocketAddr| address.ip().is_loopback();
    let port = address.to_socket_addrs().ok()?.find(ours)?.port();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inode = tables.iter().flatten().find_map(|table| inode_of(table, port))?;
    let socket = format!("socket:[{inode}]");
    pids().find(|pid| has_open(*pid, &socket))
}

/// Returns the inode of the socket that listens on a port.
fn inode_of(table: &str, port: u16) -> Option<&str> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, found) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(found, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        is_it.then_some(fields.get(9).copied()).flatten()
    })
}

fn has_open(pid: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2384 0100007F:A2B4 01 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1
";

    #[test]
    fn the_socket_that_listens_is_told_from_those_that_are_connected() {
        assert_eq!(inode_of(TABLE, 9_092), Some("222"));
        assert_eq!(inode_of(TABLE, 5_432), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(listening_on(&address), Some(std::process::id()));
        drop(listener);
        assert_eq!(listening_on(&address), None);
    }
}
