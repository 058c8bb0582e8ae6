//! Interrupts: Ctrl-C, and the signal by which a service manager stops a process.

use std::io;

use tokio::sync::watch;

use self::signals::Signals;

/// Counts interrupts from its start on.
pub(crate) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Counts interrupts from now on. Without this, an interrupt would end the process.
    ///
    /// # Errors
    ///
    /// When the operating system cannot deliver interrupts.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut signals = Signals::listen()?;
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            while signals.next().await.is_ok() {
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

#[cfg(unix)]
mod signals {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(crate) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(crate) fn listen() -> io::Result<Self> {
            let interrupt = signal(SignalKind::interrupt())?;
            Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
        }

        pub(crate) async fn next(&mut self) -> io::Result<()> {
            let received = tokio::select! {
                received = self.interrupt.recv() => received,
                received = self.terminate.recv() => received,
            };
            received.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use std::io;

    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) async fn next(&mut self) -> io::Result<()> {
            tokio::signal::ctrl_c().await
        }
    }
}
