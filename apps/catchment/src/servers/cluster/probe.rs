//! Whether a process is ready, by its own probes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use catchment_bootstrap::health;

/// How often a process is asked.
const LOOK: Duration = Duration::from_millis(50);

/// An address of this machine on which nobody listens now.
///
/// # Errors
///
/// When the operating system gives none.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Returns when the process says that it is ready; `says` is what it said before.
pub(super) async fn until_ready(address: SocketAddr, says: &mut String) {
    loop {
        // The question blocks, for two seconds at most.
        match tokio::task::spawn_blocking(move || health::ask(address)).await {
            Ok(Ok(health)) if health.is_ready => return,
            Ok(Ok(health)) => *says = health.text,
            // It does not listen yet.
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}
