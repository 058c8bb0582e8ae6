//! Interrupts: Ctrl-C, and what a service manager sends to stop a process.

use tokio::sync::watch;

/// Counts interrupts from its start on.
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Takes interrupts from now on, which would end the process else.
    pub(super) fn listen() -> Self {
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            while next().await.is_ok() {
                count.send_modify(|count| *count += 1);
            }
        });
        Self(counted)
    }

    /// Returns once there was an interrupt.
    pub(super) async fn asked(&mut self) {
        self.counted(1).await;
    }

    /// Returns once there was a second one.
    pub(super) async fn insisted(&mut self) {
        self.counted(2).await;
    }

    async fn counted(&mut self, wanted: u32) {
        if self.0.wait_for(|count| wanted <= *count).await.is_err() {
            // Nothing listens to interrupts here: they end the process by themselves.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn next() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn next() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
