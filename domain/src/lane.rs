//! Lanes: ordered sequences of requests, and how a shop finds its own.

use std::fmt;
use std::num::NonZeroU16;

use crate::shop::ShopId;

/// One ordered sequence of requests. All requests for a shop travel in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u16);

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many lanes there are. Only a [move](crate::ports::Moves) of the database changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes(pub NonZeroU16);

impl Lanes {
    /// The lane of a shop: as Kafka's default partitioner chooses, the positive part of
    /// murmur2 of the key, modulo the number of partitions.
    ///
    /// Source: `BuiltInPartitioner.partitionForKey` of Apache Kafka's Java client.
    #[must_use]
    pub fn lane_of(self, shop: &ShopId) -> Lane {
        let hash = murmur2(shop.as_str().as_bytes()) & 0x7fff_ffff;
        // INVARIANT: a remainder is below its 16-bit divisor.
        Lane(u16::try_from(hash % u32::from(self.0.get())).unwrap_or_default())
    }

    /// Every lane, in order.
    pub fn iter(self) -> impl Iterator<Item = Lane> {
        (0..self.0.get()).map(Lane)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.0.get()
    }
}

/// Austin Appleby's `MurmurHash2`, 32 bits, with the seed of Kafka's Java client.
pub(crate) fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // INVARIANT: Kafka folds the low 32 bits of the length in.
    #[expect(clippy::cast_possible_truncation, reason = "the hash is defined on 32 bits")]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// A place in a lane: that of the next thing to read. Positions only rise; gaps are normal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The place behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which owner of a lane: each claim takes the next epoch, and the older ones are fenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// No lane ever has so many owners. A higher number was forged, and a database may be unable
    /// to store it.
    pub const LAST: Self = Self(1 << 62);
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far an owner has answered a lane, as it told the lane's log.
///
/// An owner tells the log only what the database has stored. So if the log knows more than the
/// database, the database was restored: see [`check_committed`](crate::check_committed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The owner.
    pub epoch: Epoch,
    /// Everything below is answered.
    pub next: Position,
}

/// Where the database stands in a lane of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneProgress {
    /// The lane.
    pub lane: Lane,
    /// The log that its positions belong to; `None` until the lane is claimed.
    pub log: Option<LogIdentity>,
    /// The newest owner.
    pub epoch: Epoch,
    /// The next position to apply.
    pub applied_next: Position,
    /// The next position to answer.
    pub replied_next: Position,
}

/// A partition of the reply topic: the return address of one requester at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyLane(pub u16);

impl fmt::Display for ReplyLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which log positions belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIdentity {
    /// A number that no other log has.
    pub id: u128,
    /// Whether the log outlives its process. One that does not starts anew with each.
    pub lasting: bool,
}

impl LogIdentity {
    /// No log has this number. It stands where positions belong to no log any more.
    pub const NONE: Self = Self { id: 0, lasting: false };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `org.apache.kafka.common.utils.UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_that_of_kafkas_java_client() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }
}
