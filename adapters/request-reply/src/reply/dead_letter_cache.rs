use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Place;
use crate::record::{Header, Incoming, OwnedRecord};

/// Bytes of requests that are kept, over all lanes.
const BUDGET: usize = 16 << 20;
/// What one costs beside its bytes, about.
const OVERHEAD: usize = 512;

/// Requests that will be dead-lettered, kept from when they were read.
///
/// Fetching one again takes milliseconds, so a flood of garbage would hold up the requests behind
/// it. The newest are kept, up to a budget; the others are fetched.
#[derive(Debug, Default)]
pub struct DeadLetterCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    // INVARIANT: `ages` names exactly these, and `bytes` is what they cost.
    records: BTreeMap<Place, (u64, Arc<OwnedRecord>)>,
    ages: BTreeMap<u64, Place>,
    bytes: usize,
    next_age: u64,
}

impl DeadLetterCache {
    /// Keeps a request in the place of older ones.
    pub fn keep(&self, incoming: &Incoming<'_>) {
        self.with(|kept| kept.put(incoming.to_owned()));
    }

    /// A request that is kept.
    pub(super) fn get(&self, place: Place) -> Option<Arc<OwnedRecord>> {
        self.with(|kept| kept.records.get(&place).map(|(_, record)| Arc::clone(record)))
    }

    /// Drops those of a partition that are answered: all before `next`.
    pub fn release(&self, partition: i32, next: i64) {
        let below = Place { partition, offset: i64::MIN }..Place { partition, offset: next };
        self.with(|kept| {
            let released: Vec<_> = kept.records.range(below).map(|(place, _)| *place).collect();
            for place in released {
                kept.remove(place);
            }
        });
    }

    fn with<T>(&self, then: impl FnOnce(&mut Kept) -> T) -> T {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn put(&mut self, record: OwnedRecord) {
        let place = Place { partition: record.partition, offset: record.offset };
        self.remove(place);
        self.bytes += cost(&record);
        self.ages.insert(self.next_age, place);
        self.records.insert(place, (self.next_age, Arc::new(record)));
        self.next_age += 1;
        while BUDGET < self.bytes
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, place: Place) {
        if let Some((age, record)) = self.records.remove(&place) {
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
    use super::*;
    use crate::record::Timestamp;

    fn keep(cache: &DeadLetterCache, (partition, offset): (i32, i64), bytes: usize) {
        cache.keep(&Incoming {
            topic: "requests",
            partition,
            offset,
            timestamp: Timestamp::Missing,
            key: None,
            value: Some(&vec![0; bytes]),
            headers: Vec::new(),
        });
    }

    fn kept(cache: &DeadLetterCache, places: &[(i32, i64)]) -> Vec<bool> {
        let is_kept = |&(partition, offset)| cache.get(Place { partition, offset }).is_some();
        places.iter().map(is_kept).collect()
    }

    #[test]
    fn what_is_released_is_dropped() {
        let cache = DeadLetterCache::default();
        let places = [(0, 1), (0, 2), (1, 1)];
        for place in places {
            keep(&cache, place, 10);
        }
        assert_eq!(kept(&cache, &places), [true; 3]);
        cache.release(0, 2);
        assert_eq!(kept(&cache, &places), [false, true, true]);
        cache.release(0, 9);
        cache.release(1, 9);
        let kept = cache.0.into_inner().unwrap();
        assert_eq!((kept.bytes, kept.ages.len(), kept.records.len()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_make_room() {
        let cache = DeadLetterCache::default();
        let third = BUDGET / 3;
        for offset in [5, 4, 5, 6] {
            keep(&cache, (0, offset), third);
        }
        assert_eq!(kept(&cache, &[(0, 4), (0, 5), (0, 6)]), [false, true, true]);
        keep(&cache, (0, 7), BUDGET);
        assert_eq!(kept(&cache, &[(0, 5), (0, 6), (0, 7)]), [false; 3], "nor does it fit");
        assert_eq!(cache.0.into_inner().unwrap().bytes, 0);
    }
}
