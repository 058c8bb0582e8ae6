//! Being told to stop: once, and what is under way is finished; twice, and nothing is.

use std::time::Duration;
use std::{fmt, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Tells those who work when to stop. Clones are told the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Option<Instant>>);

impl Shutdown {
    /// Returns once the process is to stop, with the deadline of what is under way.
    pub async fn asked(&mut self) -> Instant {
        if let Ok(deadline) = self.0.wait_for(Option::is_some).await
            && let Some(deadline) = *deadline
        {
            return deadline;
        }
        // Nobody is there any more who could ask.
        std::future::pending().await
    }

    /// Does something, unless the process is to stop before it is done.
    pub async fn unless_asked<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = self.asked() => None,
        }
    }

    /// The deadline of what is under way, once the process is to stop.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        *self.0.borrow()
    }
}

/// What asked the process to stop.
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

/// Asks those who work to stop.
pub(crate) struct Stopper {
    drain: Duration,
    told: watch::Sender<Option<Instant>>,
}

impl Stopper {
    pub(crate) fn new(drain: Duration) -> (Self, Shutdown) {
        let (told, shutdown) = watch::channel(None);
        (Self { drain, told }, Shutdown(shutdown))
    }

    /// Asks everybody to stop. Work is given nine tenths of the time; the rest is for leaving.
    pub(crate) fn stop(&self) -> Instant {
        let now = Instant::now();
        self.told.send_replace(Some(now + self.drain.mul_f64(0.9)));
        now + self.drain
    }
}

/// What may ask this process to stop.
pub(crate) struct Requests {
    terminate: Signal,
    interrupt: Signal,
    /// Only where it is to count.
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

    /// Returns with what asks next.
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

    /// Returns once a signal asks. The end of the input is that of who gave it, who may well
    /// have sent a signal before.
    pub(crate) async fn insisted(&mut self) {
        while self.next().await == Request::EndOfInput {}
    }
}

/// Says once that the standard input has ended. On a thread of its own, because a read of a
/// terminal or a pipe cannot be given up.
fn end_of_input() -> mpsc::Receiver<()> {
    let (ended, input) = mpsc::channel(1);
    std::thread::spawn(move || {
        // An input that cannot be read has ended as well.
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
