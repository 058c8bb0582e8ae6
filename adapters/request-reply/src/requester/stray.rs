//! Replies that answer no call, and one log line a minute about them.

use std::time::Instant;

use crate::pending::Counters;
use crate::throttle::LogThrottle;

/// Why a reply answers no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// It answers nothing that we know of.
    Foreign,
    /// Its call has ended without it.
    Late,
    /// Its call was answered before.
    Duplicate,
    /// It has no correlation id, or neither a value nor a failure.
    Broken,
}

/// The strays that were logged.
#[derive(Debug, Default)]
pub(super) struct Strays {
    logged: Counters,
    throttle: LogThrottle,
}

impl Strays {
    /// Logs how many strays there were since the last line, if it is time. Returns when it will
    /// be, if there is something to log.
    pub(super) fn report(
        &mut self,
        (topic, partition): (&str, i32),
        counters: Counters,
        now: Instant,
    ) -> Option<Instant> {
        let Counters { foreign, late, duplicate, broken, .. } = match self.due(counters, now) {
            Ok(new) => new,
            Err(wait) => return wait,
        };
        let message = "replies answered no call";
        if late + duplicate + broken == 0 {
            tracing::info!(kafka.topic = topic, kafka.partition = partition, foreign, "{message}");
        } else {
            tracing::warn!(
                kafka.topic = topic,
                kafka.partition = partition,
                foreign,
                late,
                duplicate,
                broken,
                "{message}"
            );
        }
        None
    }

    /// The strays since the last line, or when they are due, if there are some.
    fn due(&mut self, counters: Counters, now: Instant) -> Result<Counters, Option<Instant>> {
        let new = Counters {
            foreign: counters.foreign - self.logged.foreign,
            late: counters.late - self.logged.late,
            duplicate: counters.duplicate - self.logged.duplicate,
            broken: counters.broken - self.logged.broken,
            ..Counters::default()
        };
        if new == Counters::default() {
            return Err(None);
        }
        if self.throttle.is_time_at(now) {
            self.logged = counters;
            Ok(new)
        } else {
            Err(self.throttle.next())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    /// What is logged meanwhile.
    fn logged(act: impl FnOnce()) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let writer = move || writer.try_clone().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time();
        tracing::subscriber::with_default(subscriber.with_writer(writer).finish(), act);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn the_line_is_a_warning_unless_all_are_foreign() {
        let none = Counters::default();
        let message = "replies answered no call kafka.topic=\"t\" kafka.partition=0";
        for (counters, level, counts) in [
            (Counters { foreign: 2, ..none }, "INFO", "foreign=2"),
            (
                Counters { foreign: 2, late: 1, ..none },
                "WARN",
                "foreign=2 late=1 duplicate=0 broken=0",
            ),
            (Counters { duplicate: 1, ..none }, "WARN", "foreign=0 late=0 duplicate=1 broken=0"),
            (Counters { broken: 1, ..none }, "WARN", "foreign=0 late=0 duplicate=0 broken=1"),
        ] {
            let report =
                || assert_eq!(Strays::default().report(("t", 0), counters, Instant::now()), None);
            let line = logged(report);
            let place = "catchment_request_reply::requester::stray";
            assert_eq!(line.trim(), format!("{level} {place}: {message} {counts}"));
        }
    }

    #[test]
    fn a_line_a_minute_has_the_strays_since_the_last() {
        let start = Instant::now();
        let mut strays = Strays::default();
        let mut due = |counters, seconds| {
            let said = strays.due(counters, start + Duration::from_secs(seconds));
            said.map_err(|wait| wait.map(|at| (at - start).as_secs()))
        };
        let mut counters =
            Counters { answered: 9, timed_out: 9, given_up: 9, ..Counters::default() };
        assert_eq!(due(counters, 0), Err(None), "calls are no strays");
        counters.foreign = 2;
        assert_eq!(due(counters, 5), Ok(Counters { foreign: 2, ..Counters::default() }));
        assert_eq!(due(counters, 6), Err(None));
        counters.late = 1;
        assert_eq!(due(counters, 7), Err(Some(65)));
        (counters.foreign, counters.duplicate, counters.broken) = (5, 4, 3);
        assert_eq!(due(counters, 64), Err(Some(65)));
        let three =
            Counters { foreign: 3, late: 1, duplicate: 4, broken: 3, ..Counters::default() };
        assert_eq!(due(counters, 65), Ok(three), "none is lost, and none counts twice");
        assert_eq!(due(counters, 999), Err(None));
    }
}
