use crate::buffer::{Buffer, Capacity, Record};
use crate::error::ReadError;

/// Holds the replies that the watcher has seen and the reader of batches has not released.
///
/// The watcher stops when there is no more room, and the reader may go back: the lane *jumps* then,
/// and what is on its way at that time does not count.
#[derive(Debug)]
pub(super) struct Window<M> {
    buffer: Buffer<M>,
    capacity: Capacity,
    size: fn(&M) -> usize,
    generation: u64,
    /// Replies below were looked at before, and are not looked at again after a jump.
    seen: i64,
    trouble: Option<ReadError>,
}

/// What a read of a batch from some position means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch<M> {
    /// Some records, or none yet.
    Records(Vec<Record<M>>),
    /// The lane cannot be read on.
    Trouble(ReadError),
    /// What was released or lies ahead: the lane must jump there first.
    Elsewhere,
}

impl<M: Clone> Window<M> {
    /// An empty window for so many replies, of which each has a size in bytes.
    pub(super) fn new(position: i64, capacity: usize, size: fn(&M) -> usize) -> Self {
        let capacity = Capacity::of(capacity);
        let buffer = Buffer::new(position, capacity);
        Self { buffer, capacity, size, generation: 0, seen: position, trouble: None }
    }

    /// Where the next reply is expected.
    pub(super) fn cursor(&self) -> i64 {
        self.buffer.next()
    }

    /// Rises with every jump.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// How many more replies there may be.
    pub(super) fn room(&self) -> usize {
        self.buffer.room(i64::MIN)
    }

    /// Reads a batch.
    pub(super) fn read(&self, from: i64, max: usize) -> Batch<M> {
        if !self.buffer.covers(from) {
            return Batch::Elsewhere;
        }
        match &self.trouble {
            Some(error) if from == self.cursor() => Batch::Trouble(error.clone()),
            Some(_) | None => Batch::Records(self.buffer.read(from, max)),
        }
    }

    /// Whether reading from here has more to say than "none yet".
    pub(super) fn is_news(&self, from: i64) -> bool {
        from != self.cursor() || self.trouble.is_some()
    }

    /// Takes what was read; says from which offset on it was never looked at before, or `None`
    /// where the lane has jumped since.
    pub(super) fn take(&mut self, generation: u64, records: &[Record<M>]) -> Option<i64> {
        if generation != self.generation {
            return None;
        }
        self.trouble = None;
        let unseen = self.seen;
        for record in records {
            let size = (self.size)(&record.message);
            self.buffer.push(i64::MIN, record.clone(), size);
        }
        self.seen = self.seen.max(self.cursor());
        Some(unseen)
    }

    /// The lane could not be read; `true` where that is news, and the lane has not jumped since.
    pub(super) fn fail(&mut self, generation: u64, error: ReadError) -> bool {
        generation == self.generation && self.trouble.replace(error).is_none()
    }

    /// Lets go of the records below `next`; `true` where a full window has room again.
    pub(super) fn release(&mut self, next: i64) -> bool {
        let was_full = self.room() == 0;
        self.buffer.release(next);
        was_full && self.room() > 0
    }

    /// Goes on from `position`, unless the lane is closed.
    pub(super) fn jump(&mut self, position: i64) {
        if self.trouble == Some(ReadError::Closed) {
            return;
        }
        if let Some(ReadError::Beyond { .. }) = self.trouble {
            // The topic was made again: its old offsets say nothing about the new replies.
            self.seen = position;
        }
        self.buffer = Buffer::new(position, self.capacity);
        self.generation += 1;
        self.trouble = None;
    }

    /// Says that there will be no more.
    pub(super) fn close(&mut self) {
        self.generation += 1;
        self.trouble = Some(ReadError::Closed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOST: ReadError = ReadError::Truncated { from: 5, first: 9 };
    const MADE_AGAIN: ReadError = ReadError::Beyond { from: 8, end: 2 };

    fn records(offsets: std::ops::Range<i64>) -> Vec<Record<()>> {
        offsets.map(|offset| Record { offset, message: () }).collect()
    }

    fn window(offsets: std::ops::Range<i64>) -> Window<()> {
        let mut window = Window::new(offsets.start, 4, |()| 1);
        window.take(0, &records(offsets)).unwrap();
        window
    }

    fn batch(offsets: std::ops::Range<i64>) -> Batch<()> {
        Batch::Records(records(offsets))
    }

    #[test]
    fn batches_are_repeatable_until_they_are_released() {
        let mut window = window(5..8);
        assert_eq!(window.read(5, 2), batch(5..7));
        assert_eq!(window.read(5, 9), batch(5..8));
        window.release(6);
        assert_eq!(window.read(6, 9), batch(6..8));
        assert_eq!(window.read(5, 9), Batch::Elsewhere);
        assert_eq!(window.read(9, 9), Batch::Elsewhere);
    }

    #[test]
    fn nothing_is_no_news_at_the_end_alone() {
        let window = window(5..8);
        assert_eq!(window.read(8, 9), batch(8..8));
        assert!(!window.is_news(8));
        assert!(window.is_news(7) && window.is_news(4) && window.is_news(9));
    }

    #[test]
    fn a_full_window_says_when_it_has_room_again() {
        let mut window = window(5..9);
        assert_eq!(window.room(), 0);
        assert!(!window.release(5), "nothing went");
        assert!(window.release(7));
        assert_eq!(window.room(), 2);
        assert!(!window.release(8), "it had room before");
        window.release(100);
        assert_eq!((window.cursor(), window.room()), (9, 4), "not beyond what was looked at");
    }

    #[test]
    fn what_is_on_its_way_during_a_jump_does_not_count() {
        let mut window = window(5..8);
        window.jump(2);
        assert_eq!(window.take(0, &records(8..9)), None);
        assert!(!window.fail(0, LOST));
        assert_eq!(window.read(2, 9), batch(2..2));
    }

    #[test]
    fn what_is_read_again_after_a_jump_was_seen_before() {
        let mut window = window(5..8);
        window.jump(6);
        assert_eq!(window.take(1, &records(6..9)), Some(8));
        assert_eq!(window.read(6, 9), batch(6..9));
    }

    #[test]
    fn nothing_of_a_topic_that_was_made_again_was_seen() {
        let mut window = window(5..8);
        assert!(window.fail(0, MADE_AGAIN));
        window.jump(0);
        assert_eq!(window.take(1, &records(0..2)), Some(0));
    }

    #[test]
    fn trouble_is_told_behind_the_last_record_until_it_is_over() {
        let mut window = window(5..8);
        assert!(window.fail(0, LOST));
        assert!(!window.fail(0, LOST), "once is enough");
        assert_eq!(window.read(5, 9), batch(5..8));
        assert_eq!(window.read(8, 9), Batch::Trouble(LOST));
        assert!(window.is_news(8));
        window.take(0, &records(8..9)).unwrap();
        assert!(!window.is_news(9));
        assert!(window.fail(0, LOST));
        window.jump(9);
        assert_eq!(window.read(9, 9), batch(9..9), "a jump is a new attempt");
    }

    #[test]
    fn a_closed_lane_stays_closed() {
        let mut window = window(5..8);
        window.close();
        assert_eq!(window.take(0, &records(8..9)), None);
        window.jump(8);
        assert_eq!(window.read(8, 9), Batch::Trouble(ReadError::Closed));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Arrive { count: i64 },
        Look { max: usize },
        Read { max: usize },
        Release,
        GoBack { by: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (1_i64..5).prop_map(|count| Step::Arrive { count }),
            4 => (1_usize..5).prop_map(|max| Step::Look { max }),
            4 => (1_usize..5).prop_map(|max| Step::Read { max }),
            2 => Just(Step::Release),
            1 => (1_i64..9).prop_map(|by| Step::GoBack { by }),
        ]
    }

    proptest! {
        /// Whatever both do, each reply is looked at once for the calls that wait, and the
        /// reader of batches finds every one behind its position.
        #[test]
        fn prop_nothing_is_missed_and_nothing_is_seen_twice(
            steps in prop::collection::vec(step(), 1..200), capacity in 1_usize..9
        ) {
            let mut window = Window::new(0, capacity, |()| 1);
            let (mut end, mut position, mut seen) = (0, 0, Vec::new());
            for step in steps {
                match step {
                    Step::Arrive { count } => end += count,
                    Step::Look { max } => {
                        let most = i64::try_from(max.min(window.room())).unwrap();
                        let next = end.min(window.cursor() + most);
                        let arrived = records(window.cursor()..next);
                        let unseen = window.take(window.generation(), &arrived).unwrap();
                        let offsets = arrived.iter().map(|record| record.offset);
                        seen.extend(offsets.filter(|offset| unseen <= *offset));
                    }
                    Step::Read { max } => match window.read(position, max) {
                        Batch::Records(found) => {
                            let next = position + i64::try_from(found.len()).unwrap();
                            prop_assert_eq!(found, records(position..next), "no gap, no copy");
                            position = next;
                        }
                        Batch::Elsewhere => window.jump(position),
                        Batch::Trouble(error) => prop_assert!(false, "{:?}", error),
                    },
                    Step::Release => {
                        window.release(position);
                    }
                    Step::GoBack { by } => position = (position - by).max(0),
                }
            }
            let count = i64::try_from(seen.len()).unwrap();
            prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }
}
