//! Interrupts: Ctrl-C, and the signal by which a service manager stops a process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Counts interrupts from its start on.
pub(crate) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Counts interrupts from now on. Without this, an interrupt would end the process.
    ///
    /// # Errors
    ///
    /// When the operating system cannot deliver interrupts.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::select! {
                received = interrupt.recv() => received,
                received = terminate.recv() => received,
            }
            .is_some()
            {
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    /// Waits for the first interrupt.
    pub(crate) async fn asked(&mut self) {
        self.counted(1).await;
    }

    /// Waits for the second interrupt.
    pub(crate) async fn insisted(&mut self) {
        self.counted(2).await;
    }

    async fn counted(&mut self, wanted: u32) {
        if self.0.wait_for(|count| wanted <= *count).await.is_err() {
            // No more interrupts can come, so this waits for ever.
            std::future::pending::<()>().await;
        }
    }
}
