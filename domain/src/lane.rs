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
    /// The greatest epoch that an owner gets. No lane ever has so many owners, so a greater number
    /// in a database is damage.
    pub const LAST: Self = Self(1 << 62);

    /// The greatest epoch that is believed if a log remembers it. After a forged epoch, enough
    /// epochs are left.
    pub const BELIEVED: Self = Self(Self::LAST.0 / 2);

    /// Returns the epoch of the next owner, or `None` after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.0 < Self::LAST.0 { Some(Self(self.0 + 1)) } else { None }
    }
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

/// The epoch of a lane after its database was restored: above every epoch that the log remembers.
#[must_use]
pub fn epoch_after(database: Epoch, committed: Option<Committed>) -> Epoch {
    let newest = believed(committed).map_or(database, |committed| committed.epoch.max(database));
    Epoch(newest.0.saturating_add(1))
}

/// What a log remembers, unless its epoch is too high to be true.
pub(crate) fn believed(committed: Option<Committed>) -> Option<Committed> {
    committed.filter(|committed| committed.epoch <= Epoch::BELIEVED)
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
    /// The identity for positions that no longer belong to any log. No log has this number.
    pub const NONE: Self = Self { id: 0, lasting: false };
}

/// What positions of one log mean to an owner that reads a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChange {
    /// It is the same log: the positions stay.
    Same,
    /// No record of the log before can be read any more: the lane begins anew.
    Anew,
    /// The log before may come back, and the positions mean nothing in this one.
    Other,
}

impl LogChange {
    /// Compares the log that the positions belong to, if any, with the log that is read now.
    ///
    /// 1. A log with the same number is the same.
    /// 2. If nothing was read before, the lane begins anew. So does a lane that was read in a log that
    ///    ended with its process.
    /// 3. Otherwise it is another log.
    #[must_use]
    pub const fn between(before: Option<LogIdentity>, now: LogIdentity) -> Self {
        match before {
            Some(before) if before.id == now.id => Self::Same,
            Some(before) if before.lasting => Self::Other,
            Some(_) | None => Self::Anew,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owner_has_a_next_one_up_to_the_last() {
        let last = Epoch::LAST.0;
        for (epoch, next) in [
            (0, Some(1)),
            (Epoch::BELIEVED.0, Some(Epoch::BELIEVED.0 + 1)),
            (last - 1, Some(last)),
            (last, None),
            (i64::MAX.unsigned_abs(), None),
            (u64::MAX, None),
        ] {
            assert_eq!(Epoch(epoch).next(), next.map(Epoch), "{epoch}");
        }
    }

    #[test]
    fn positions_are_kept_begin_anew_or_mean_nothing_by_the_log_before() {
        let log = |id, lasting| LogIdentity { id, lasting };
        for (before, now, expected) in [
            (None, log(1, true), LogChange::Anew),
            (None, log(1, false), LogChange::Anew),
            (Some(log(1, true)), log(1, true), LogChange::Same),
            (Some(log(1, false)), log(1, false), LogChange::Same),
            (Some(log(2, false)), log(1, true), LogChange::Anew),
            (Some(log(2, false)), log(1, false), LogChange::Anew),
            (Some(log(2, true)), log(1, true), LogChange::Other),
            (Some(log(2, true)), log(1, false), LogChange::Other),
        ] {
            assert_eq!(LogChange::between(before, now), expected, "{before:?} {now:?}");
        }
    }

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
