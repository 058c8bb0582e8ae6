//! One partition's window of records: what was read is read again, until it is released.
//!
//! The window is `first..next`, in offsets. Gaps between offsets are normal (a compacted topic,
//! the marks of transactions), so a window may hold fewer records than it is wide.
//! Its owner reads forward; where the window is full, records before the owner's position are
//! let go of, for they can be fetched again.

use std::collections::VecDeque;

/// A record that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<M> {
    /// Its place in the partition.
    pub offset: i64,
    /// What it says.
    pub message: M,
}

/// The most bytes of a window, unless it is a single record.
const BYTES: usize = 8 * 1024 * 1024;

/// How much a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    records: usize,
    bytes: usize,
}

impl Capacity {
    /// So many records, and no more bytes than are good for one partition.
    pub(crate) const fn of(records: usize) -> Self {
        Self { records, bytes: BYTES }
    }
}

/// One partition's window of records.
#[derive(Debug)]
pub(crate) struct Buffer<M> {
    records: VecDeque<Weighed<M>>,
    first: i64,
    next: i64,
    capacity: Capacity,
    /// The bytes of all records that there ever were.
    total: usize,
}

#[derive(Debug)]
struct Weighed<M> {
    record: Record<M>,
    /// The bytes of all records before it.
    before: usize,
}

impl<M: Clone> Buffer<M> {
    /// An empty window at an offset.
    pub(crate) fn new(at: i64, capacity: Capacity) -> Self {
        Self { records: VecDeque::new(), first: at, next: at, capacity, total: 0 }
    }

    /// Whether reading from here goes on with what is in the window.
    pub(crate) fn covers(&self, from: i64) -> bool {
        (self.first..=self.next).contains(&from)
    }

    /// The next offset to be fetched.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// How many more records a reader at `from` may have fetched: one at least where there are
    /// none, and none where they are too many bytes. Asked again before each, it bounds the bytes.
    pub(crate) fn room(&self, from: i64) -> usize {
        if self.capacity.bytes <= self.bytes_from(from) {
            return 0;
        }
        self.capacity.records.max(1).saturating_sub(self.count_from(from))
    }

    /// How many bytes there are from here on.
    fn bytes_from(&self, from: i64) -> usize {
        self.records.get(self.index_of(from)).map_or(0, |first| self.total - first.before)
    }

    /// How many records there are from here on.
    pub(crate) fn count_from(&self, from: i64) -> usize {
        self.records.len() - self.index_of(from)
    }

    /// Takes a record of so many bytes that was fetched. One from before the window's end is a copy: dropped.
    ///
    /// A reader at `from` has said by [`room`](Self::room) that it fits.
    pub(crate) fn push(&mut self, from: i64, record: Record<M>, bytes: usize) {
        if record.offset < self.next {
            return;
        }
        if self.room(i64::MIN) == 0 {
            self.forget_before(from);
        }
        self.next = record.offset + 1;
        self.records.push_back(Weighed { record, before: self.total });
        self.total += bytes;
    }

    /// Up to `max` records from here on.
    pub(crate) fn read(&self, from: i64, max: usize) -> Vec<Record<M>> {
        let records = self.records.range(self.index_of(from)..).take(max);
        records.map(|weighed| weighed.record.clone()).collect()
    }

    /// Lets go of the records below an offset.
    pub(crate) fn release(&mut self, next: i64) {
        self.forget_before(next.min(self.next));
    }

    fn forget_before(&mut self, offset: i64) {
        self.records.drain(..self.index_of(offset));
        self.first = self.first.max(offset);
    }

    fn index_of(&self, offset: i64) -> usize {
        self.records.partition_point(|weighed| weighed.record.offset < offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(offset: i64) -> Record<i64> {
        Record { offset, message: offset * 10 }
    }

    fn offsets(records: &[Record<i64>]) -> Vec<i64> {
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn what_was_read_is_read_again_until_it_is_released() {
        let mut buffer = Buffer::new(5, Capacity::of(10));
        for offset in [5, 6, 9] {
            buffer.push(5, record(offset), 1);
        }
        assert_eq!(offsets(&buffer.read(5, 10)), [5, 6, 9]);
        assert_eq!(offsets(&buffer.read(6, 1)), [6]);
        assert_eq!(offsets(&buffer.read(7, 10)), [9], "a gap is stepped over");
        buffer.release(6);
        assert!(!buffer.covers(5));
        assert_eq!(offsets(&buffer.read(6, 10)), [6, 9]);
    }

    #[test]
    fn the_window_says_what_must_be_sought() {
        let mut buffer = Buffer::new(5, Capacity::of(10));
        buffer.push(5, record(5), 1);
        assert!(buffer.covers(5) && buffer.covers(6));
        assert!(!buffer.covers(4) && !buffer.covers(7));
    }

    #[test]
    fn releasing_more_than_there_is_leaves_the_end() {
        let mut buffer = Buffer::new(5, Capacity::of(10));
        buffer.push(5, record(5), 1);
        buffer.release(100);
        assert!(buffer.covers(6) && !buffer.covers(5));
        assert_eq!(buffer.next(), 6);
    }

    #[test]
    fn a_full_window_lets_go_of_what_its_reader_has_passed() {
        let mut buffer = Buffer::new(0, Capacity::of(3));
        for offset in 0..3 {
            buffer.push(0, record(offset), 1);
        }
        assert_eq!((buffer.room(0), buffer.room(2)), (0, 2));
        buffer.push(2, record(3), 1);
        assert_eq!(offsets(&buffer.read(2, 10)), [2, 3]);
        assert!(!buffer.covers(1), "it would have to be fetched again");
    }

    #[test]
    fn a_few_large_records_fill_a_window_too() {
        let mut buffer = Buffer::new(0, Capacity { records: 10, bytes: 100 });
        buffer.push(0, record(0), 1_000);
        assert_eq!(buffer.room(0), 0, "a single one may be larger");
        assert_eq!(buffer.room(1), 10, "its reader has passed it");
        buffer.push(1, record(1), 60);
        assert!(!buffer.covers(0), "it is let go of");
        assert_eq!(buffer.room(1), 9);
        buffer.push(1, record(2), 60);
        assert_eq!((buffer.room(1), buffer.room(2)), (0, 9));
        buffer.release(2);
        assert_eq!(buffer.room(2), 9);
        assert_eq!(offsets(&buffer.read(2, 10)), [2]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Fetch { gap: i64 },
        Copy { back: i64 },
        Read { max: usize },
        Release { below: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_i64..4).prop_map(|gap| Step::Fetch { gap }),
            1 => (1_i64..10).prop_map(|back| Step::Copy { back }),
            2 => (1_usize..8).prop_map(|max| Step::Read { max }),
            1 => (0_i64..60).prop_map(|below| Step::Release { below }),
        ]
    }

    proptest! {
        /// A reader that goes on where it stopped sees what was fetched, once each, in order,
        /// whatever is released or fetched twice; and the window stays within its capacity.
        #[test]
        fn prop_a_reader_sees_every_record_once(
            steps in prop::collection::vec(step(), 1..200),
            capacity in 1_usize..12,
        ) {
            let mut buffer = Buffer::new(0, Capacity::of(capacity));
            let (mut fetched, mut seen, mut position) = (Vec::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Fetch { gap } if 0 < buffer.room(position) => {
                        let offset = buffer.next() + gap;
                        buffer.push(position, record(offset), 1);
                        fetched.push(offset);
                    }
                    Step::Fetch { .. } => {}
                    Step::Copy { back } => buffer.push(position, record(buffer.next() - back), 1),
                    Step::Read { max } => {
                        let read = buffer.read(position, max);
                        prop_assert_eq!(&read, &buffer.read(position, max), "repeatable");
                        position = read.last().map_or(position, |last| last.offset + 1);
                        seen.extend(offsets(&read));
                    }
                    Step::Release { below } => buffer.release(below.min(position)),
                }
                prop_assert!(buffer.covers(position));
                prop_assert!(buffer.records.len() <= capacity);
            }
            seen.extend(offsets(&buffer.read(position, usize::MAX)));
            prop_assert_eq!(seen, fetched);
        }
    }
}
