//! Requests to stop. After the first one, work in progress is finished. After the second one, it is
//! not.

use std::time::Duration;
use std::{fmt, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Tells tasks when to stop. All clones get the same deadline.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Option<Instant>>);

impl Shutdown {
    /// Waits until the process is told to stop. Returns the deadline for work in progress.
    pub async fn asked(&mut self) -> Instant {
        if let Ok(deadline) = self.0.wait_for(Option::is_some).await
            && let Some(deadline) = *deadline
        {
            return deadline;
        }
        // The sender is gone, so no request can come any more.
        std::future::pending().await
    }

    /// Runs some work, unless the process is told to stop before the work is done.
    pub async fn unless_asked<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = self.asked() => None,
        }
    }

    /// Returns the signal, which holds the deadline for work in progress as soon as there is one.
    #[must_use]
    pub fn signal(&self) -> watch::Receiver<Option<Instant>> {
        self.0.clone()
    }

    /// Returns the deadline for work in progress, or `None` until the process is told to stop.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        *self.0.borrow()
    }
}

/// The source of a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Terminate,
    Interrupt,
    EndOfInput,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::EndOfInput => "the end of the standard input",
        })
    }
}

/// Tells tasks to stop.
pub(crate) struct Stopper {
    drain: Duration,
    told: watch::Sender<Option<Instant>>,
}

impl Stopper {
    pub(crate) fn new(drain: Duration) -> (Self, Shutdown) {
        let (told, shutdown) = watch::channel(None);
        (Self { drain, told }, Shutdown(shutdown))
    }

    /// Tells all tasks to stop. Work gets nine tenths of the drain time, and leaving gets the rest.
    pub(crate) fn stop(&self) -> Instant {
        let now = Instant::now();
        self.told.send_replace(Some(now + self.drain.mul_f64(0.9)));
        now + self.drain
    }
}

/// The sources of requests to stop.
pub(crate) struct Requests {
    terminate: Signal,
    interrupt: Signal,
    /// The end of the standard input, if it counts as a request.
    input: Option<mpsc::Receiver<()>>,
}

impl Requests {
    pub(crate) fn listen(with_stdin: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            input: with_stdin.then(end_of_input),
        })
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) -> Request {
        let Self { terminate, interrupt, input } = self;
        let ended = async {
            match input {
                Some(input) => input.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => Request::Terminate,
            _ = interrupt.recv() => Request::Interrupt,
            _ = ended => {
                self.input = None;
                Request::EndOfInput
            }
        }
    }

    /// Waits for a signal. The end of the input does not count: the process at its other end has
    /// ended, and may have sent a signal before.
    pub(crate) async fn insisted(&mut self) {
        while self.next().await == Request::EndOfInput {}
    }
}

/// Sends one message when the standard input has ended. This takes its own thread, because a read
/// of a terminal or a pipe cannot be cancelled.
fn end_of_input() -> mpsc::Receiver<()> {
    let (ended, input) = mpsc::channel(1);
    std::thread::spawn(move || {
        // An input that cannot be read counts as ended.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.blocking_send(());
    });
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_is_told_once_and_has_less_time_than_there_is() {
        let (stopper, mut shutdown) = Stopper::new(Duration::from_secs(20));
        assert_eq!(shutdown.deadline(), None);
        let mut other = shutdown.clone();
        let end = stopper.stop();
        let deadline = shutdown.asked().await;
        assert_eq!(deadline, other.asked().await);
        assert_eq!(shutdown.deadline(), Some(deadline));
        assert_eq!(end - deadline, Duration::from_secs(2));
    }
}
