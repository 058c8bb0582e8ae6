//! Requests that will be dead-lettered, kept from when they were read.
//!
//! Fetching one from the log again takes milliseconds: nothing for a few, but a flood of
//! garbage would hold up the requests behind it. So the newest are kept, up to a budget; those
//! that found no room, or were read by an owner before, are fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use catchment_request_reply::{Header, Incoming, OwnedRecord};

use crate::address::Origin;

/// Bytes of requests that are kept, over all lanes.
const BUDGET: usize = 16 << 20;
/// What one costs beside its bytes, about.
const OVERHEAD: usize = 512;

/// Requests that will be dead-lettered.
#[derive(Debug, Default)]
pub(crate) struct Originals(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    // INVARIANT: `ages` names exactly these, and `bytes` is what they cost.
    records: BTreeMap<Origin, (u64, Arc<OwnedRecord>)>,
    ages: BTreeMap<u64, Origin>,
    bytes: usize,
    next_age: u64,
}

impl Originals {
    /// Keeps a request in the place of older ones.
    pub(crate) fn keep(&self, incoming: &Incoming<'_>) {
        self.with(|kept| kept.put(incoming.to_owned()));
    }

    /// A request that is kept.
    pub(crate) fn get(&self, origin: Origin) -> Option<Arc<OwnedRecord>> {
        self.with(|kept| kept.records.get(&origin).map(|(_, record)| Arc::clone(record)))
    }

    /// Drops those of a partition that nobody needs any more.
    pub(crate) fn release(&self, partition: i32, next: i64) {
        let below = Origin { partition, offset: i64::MIN }..Origin { partition, offset: next };
        self.with(|kept| {
            let released: Vec<_> = kept.records.range(below).map(|(origin, _)| *origin).collect();
            for origin in released {
                kept.remove(origin);
            }
        });
    }

    fn with<T>(&self, then: impl FnOnce(&mut Kept) -> T) -> T {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn put(&mut self, record: OwnedRecord) {
        let origin = Origin { partition: record.partition, offset: record.offset };
        self.remove(origin);
        self.bytes += cost(&record);
        self.ages.insert(self.next_age, origin);
        self.records.insert(origin, (self.next_age, Arc::new(record)));
        self.next_age += 1;
        while BUDGET < self.bytes
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, origin: Origin) {
        if let Some((age, record)) = self.records.remove(&origin) {
            self.ages.remove(&age);
            self.bytes -= cost(&record);
        }
    }
}

/// Bytes that a request takes up, about.
fn cost(record: &OwnedRecord) -> usize {
    let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    let header = |header: &Header| OVERHEAD / 8 + header.name.len() + length(&header.value);
    let headers: usize = record.headers.iter().map(header).sum();
    OVERHEAD + length(&record.key) + length(&record.value) + headers
}

#[cfg(test)]
mod tests {
    use catchment_request_reply::Timestamp;

    use super::*;

    fn keep(originals: &Originals, (partition, offset): (i32, i64), bytes: usize) {
        originals.keep(&Incoming {
            topic: "requests",
            partition,
            offset,
            timestamp: Timestamp::Missing,
            key: None,
            value: Some(&vec![0; bytes]),
            headers: Vec::new(),
        });
    }

    fn kept(originals: &Originals, origins: &[(i32, i64)]) -> Vec<bool> {
        let is_kept = |&(partition, offset)| originals.get(Origin { partition, offset }).is_some();
        origins.iter().map(is_kept).collect()
    }

    #[test]
    fn what_is_released_is_dropped() {
        let originals = Originals::default();
        let origins = [(0, 1), (0, 2), (1, 1)];
        for origin in origins {
            keep(&originals, origin, 10);
        }
        assert_eq!(kept(&originals, &origins), [true; 3]);
        originals.release(0, 2);
        assert_eq!(kept(&originals, &origins), [false, true, true]);
        originals.release(0, 9);
        originals.release(1, 9);
        let kept = originals.0.into_inner().unwrap();
        assert_eq!((kept.bytes, kept.ages.len(), kept.records.len()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_make_room() {
        let originals = Originals::default();
        let third = BUDGET / 3;
        for offset in [5, 4, 5, 6] {
            keep(&originals, (0, offset), third);
        }
        assert_eq!(kept(&originals, &[(0, 4), (0, 5), (0, 6)]), [false, true, true]);
        keep(&originals, (0, 7), BUDGET);
        assert_eq!(kept(&originals, &[(0, 5), (0, 6), (0, 7)]), [false; 3], "nor does it fit");
        assert_eq!(originals.0.into_inner().unwrap().bytes, 0);
    }
}
