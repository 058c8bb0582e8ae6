//! What looks at a silent partition say of it.
//!
//! A partition has two ends: that of all its records, and that of those that may be read, which
//! stays behind at the first transaction that is open. A lane that has read up to the second is
//! done for the moment. One that has not may have nothing before it but the marks of
//! transactions, which are no records; the client says so when it is made to read there again.

use std::time::Instant;

/// Where a partition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// One past the last record that may be read.
    pub(super) stable: i64,
    /// One past the last record.
    pub(super) newest: i64,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything was read that may be.
    Fine,
    /// Records may be there that do not come: read there again.
    Seek,
    /// Records do not come, although it was sought there.
    Stuck,
    /// A transaction has been open since then at least.
    Open(Instant),
}

/// What the looks at a lane have found since its last record.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The end for which the lane was sought, until it says that there is nothing.
    sought: Option<i64>,
    /// Up to here the lane has said that there is nothing.
    nothing: Option<i64>,
    /// The end at which a transaction is open, and when that was seen first.
    open: Option<(i64, Instant)>,
}

impl Looks {
    /// Judges a lane whose next offset is `next`.
    ///
    /// 1. Records that may be read are before it, and it was not sought there yet: seek.
    /// 2. It was, and has not said since then that there is nothing: stuck.
    /// 3. A transaction was open at the last look, and is still: open. At the first look it may
    ///    be one that is just being written.
    /// 4. Anything else is fine.
    pub(super) fn judge(&mut self, next: i64, ends: Ends, now: Instant) -> Verdict {
        let Ends { stable, newest } = ends;
        if next < stable && self.nothing.is_none_or(|end| end < stable) {
            return match self.sought.replace(stable) {
                None => Verdict::Seek,
                Some(_) => Verdict::Stuck,
            };
        }
        if newest <= stable {
            self.open = None;
            return Verdict::Fine;
        }
        match self.open {
            Some((end, since)) if end == stable => Verdict::Open(since),
            _ => {
                self.open = Some((stable, now));
                Verdict::Fine
            }
        }
    }

    /// The client said that nothing is left to be read for now.
    pub(super) fn reach_end(&mut self) {
        self.nothing = self.sought.take().or(self.nothing);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ends(stable: i64, newest: i64) -> Ends {
        Ends { stable, newest }
    }

    #[test]
    fn a_lane_that_has_read_everything_is_fine() {
        let mut looks = Looks::default();
        for _ in 0..3 {
            assert_eq!(looks.judge(5, ends(5, 5), Instant::now()), Verdict::Fine);
        }
    }

    #[test]
    fn records_that_do_not_come_are_sought_and_then_missed() {
        let mut looks = Looks::default();
        let mut judge = |stable| looks.judge(5, ends(stable, stable), Instant::now());
        assert_eq!(judge(9), Verdict::Seek);
        assert_eq!(judge(9), Verdict::Stuck);
        assert_eq!(judge(12), Verdict::Stuck);
    }

    #[test]
    fn marks_of_transactions_are_sought_once() {
        let mut looks = Looks::default();
        let now = Instant::now();
        assert_eq!(looks.judge(5, ends(6, 6), now), Verdict::Seek);
        looks.reach_end();
        assert_eq!(looks.judge(5, ends(6, 6), now), Verdict::Fine);
        looks.reach_end();
        assert_eq!(looks.judge(5, ends(6, 6), now), Verdict::Fine);
        assert_eq!(looks.judge(5, ends(7, 7), now), Verdict::Seek, "there is more by now");
    }

    #[test]
    fn a_transaction_that_stays_open_is_told_from_one_that_is_being_written() {
        let mut looks = Looks::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        assert_eq!(looks.judge(5, ends(5, 8), start), Verdict::Fine);
        assert_eq!(looks.judge(5, ends(5, 8), later), Verdict::Open(start));
        assert_eq!(looks.judge(5, ends(5, 5), later), Verdict::Fine);
        assert_eq!(looks.judge(5, ends(5, 8), later), Verdict::Fine, "another one");
        assert_eq!(looks.judge(5, ends(5, 9), later), Verdict::Open(later));
    }

    #[test]
    fn a_transaction_behind_marks_is_seen_as_well() {
        let mut looks = Looks::default();
        let now = Instant::now();
        assert_eq!(looks.judge(5, ends(6, 8), now), Verdict::Seek);
        looks.reach_end();
        assert_eq!(looks.judge(5, ends(6, 8), now), Verdict::Fine);
        assert_eq!(looks.judge(5, ends(6, 8), now), Verdict::Open(now));
    }
}
