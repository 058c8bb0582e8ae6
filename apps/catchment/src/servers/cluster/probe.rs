//! Asks the probes of a process whether it is ready.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use catchment_bootstrap::health;

/// How often to ask.
const LOOK: Duration = Duration::from_millis(50);

/// Returns an address of this machine at which nothing listens now.
///
/// # Errors
///
/// When the operating system gives no address.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Waits until the process says that it is ready. `says` is its last answer before that.
pub(super) async fn until_ready(address: SocketAddr, says: &mut String) {
    loop {
        // The question blocks for up to two seconds.
        match tokio::task::spawn_blocking(move || health::ask(address)).await {
            Ok(Ok(health)) if health.is_ready => return,
            Ok(Ok(health)) => *says = health.text,
            // The process does not listen yet.
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}
