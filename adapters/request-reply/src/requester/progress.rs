use crate::error::ReadError;

/// How far the replies of a lane have been looked at, and where its reader of batches stands.
///
/// Every arrival, release and jump goes through here, so that the two who read one lane, one
/// ahead of the other, never pull its window in two directions.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    // INVARIANT: `floor <= cursor`; what lies between was looked at and not released.
    floor: i64,
    cursor: i64,
    /// Rises with every jump: what was read before it does not count.
    generation: u64,
    trouble: Option<ReadError>,
}

/// What a read of a batch from some position means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Records below this one were looked at and can be read.
    Inside { below: i64 },
    /// There is nothing yet.
    AtEnd,
    /// The lane cannot be read on.
    Trouble(ReadError),
    /// Somewhere else: the lane must jump there first.
    Elsewhere,
}

impl Progress {
    pub(super) fn new(position: i64) -> Self {
        Self { floor: position, cursor: position, generation: 0, trouble: None }
    }

    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// What reading a batch from `from` means now.
    pub(super) fn place(&self, from: i64) -> Place {
        match &self.trouble {
            _ if from < self.floor || self.cursor < from => Place::Elsewhere,
            _ if from < self.cursor => Place::Inside { below: self.cursor },
            Some(error) => Place::Trouble(error.clone()),
            None => Place::AtEnd,
        }
    }

    /// Whether [`place`](Self::place) has more to say than "nothing yet".
    pub(super) fn is_news(&self, from: i64) -> bool {
        self.place(from) != Place::AtEnd
    }

    /// Records up to `next` were looked at; `false` where the lane has jumped since.
    pub(super) fn arrived(&mut self, generation: u64, next: i64) -> bool {
        let is_current = generation == self.generation && self.cursor <= next;
        if is_current {
            self.cursor = next;
            self.trouble = None;
        }
        is_current
    }

    /// The lane could not be read; `false` where it has jumped since.
    pub(super) fn failed(&mut self, generation: u64, error: ReadError) -> bool {
        let is_current = generation == self.generation;
        if is_current {
            self.trouble = Some(error);
        }
        is_current
    }

    /// The lane will not be read any more.
    pub(super) fn close(&mut self) {
        self.generation += 1;
        self.trouble = Some(ReadError::Closed);
    }

    /// Records below `next` are not needed any more; says what can be released.
    pub(super) fn release(&mut self, next: i64) -> Option<i64> {
        let next = next.min(self.cursor);
        let rises = self.floor < next;
        self.floor = self.floor.max(next);
        rises.then_some(next)
    }

    /// The lane is read from `position` on, unless it is closed.
    pub(super) fn jump(&mut self, position: i64) {
        let generation = self.generation + 1;
        let closed = self.trouble.take().filter(|trouble| *trouble == ReadError::Closed);
        *self = Self { generation, trouble: closed, ..Self::new(position) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: ReadError = ReadError::Truncated { from: 5, first: 9 };

    fn looked_at(from: i64, next: i64) -> Progress {
        let mut progress = Progress::new(from);
        assert!(progress.arrived(0, next));
        progress
    }

    #[test]
    fn batches_never_run_ahead_of_what_was_looked_at() {
        let mut progress = looked_at(5, 8);
        assert_eq!(progress.place(5), Place::Inside { below: 8 });
        assert_eq!(progress.place(7), Place::Inside { below: 8 });
        assert_eq!(progress.place(8), Place::AtEnd);
        assert_eq!(progress.release(100), Some(8), "nor does a release");
        assert_eq!(progress.place(8), Place::AtEnd);
    }

    #[test]
    fn what_was_released_and_what_lies_ahead_are_elsewhere() {
        let mut progress = looked_at(5, 8);
        assert_eq!(progress.release(7), Some(7));
        assert_eq!(progress.release(6), None, "a release never falls");
        assert_eq!(progress.place(6), Place::Elsewhere);
        assert_eq!(progress.place(7), Place::Inside { below: 8 });
        assert_eq!(progress.place(9), Place::Elsewhere);
    }

    #[test]
    fn what_was_on_its_way_during_a_jump_does_not_count() {
        let mut progress = looked_at(5, 8);
        progress.jump(2);
        assert!(!progress.arrived(0, 9));
        assert!(!progress.failed(0, LOST));
        assert_eq!(progress.place(2), Place::AtEnd);
        assert!(progress.arrived(1, 4));
        assert_eq!(progress.place(2), Place::Inside { below: 4 });
    }

    #[test]
    fn a_closed_lane_stays_closed() {
        let mut progress = looked_at(5, 8);
        progress.close();
        assert!(!progress.arrived(0, 9));
        assert_eq!(progress.place(8), Place::Trouble(ReadError::Closed));
        progress.jump(2);
        assert_eq!(progress.place(2), Place::Trouble(ReadError::Closed));
    }

    #[test]
    fn trouble_is_told_behind_the_last_record_until_it_is_over() {
        let mut progress = looked_at(5, 8);
        assert!(progress.failed(0, LOST));
        assert_eq!(progress.place(5), Place::Inside { below: 8 });
        assert_eq!(progress.place(8), Place::Trouble(LOST));
        assert!(progress.is_news(8));
        assert!(progress.arrived(0, 9));
        assert_eq!(progress.place(9), Place::AtEnd);
        assert!(!progress.is_news(9));
        assert!(progress.failed(0, LOST));
        progress.jump(9);
        assert_eq!(progress.place(9), Place::AtEnd, "a jump is a new attempt");
    }
}
