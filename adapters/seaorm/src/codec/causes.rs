//! Encodes the causes of a shop in few bytes, because every request writes them, and a shop has
//! many causes if many campaigns overlap there. An active cause takes about seven bytes, a released
//! one about nine. The name of each kind is stored only once.

use catchment_domain::{
    ActiveCause, Deadline, Effect, Limit, Origin, Percent, Radius, Rank, ReleasedCause, Revision,
    Timestamp, TriggerKind,
};
use serde::{Deserialize, Serialize};

use super::{CodecError, Format, read, write};

const FORMAT: Format = 1;

/// All causes of a shop, in the domain's order.
#[derive(Serialize, Deserialize)]
struct Causes<'a> {
    /// The kinds and ranks of active causes, each pair once.
    #[serde(borrow)]
    kinds: Vec<Kind<'a>>,
    active: Vec<Active>,
    released: Vec<Released>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kind<'a> {
    name: &'a str,
    rank: u8,
}

#[derive(Serialize, Deserialize)]
struct Active {
    /// The campaign's revision, or [`Revision::NONE`] for requests without a campaign.
    campaign: u64,
    /// The place of the cause's kind in `kinds`.
    kind: u8,
    limit: StoredLimit,
    effect: u8,
}

#[derive(Serialize, Deserialize)]
struct Released {
    campaign: u64,
    deadline: i64,
    effect: u8,
}

#[derive(Serialize, Deserialize)]
enum StoredLimit {
    Closed,
    Metres(u32),
    Percent(u8),
}

/// Encodes the causes of a shop. A shop without causes has no bytes.
pub(crate) fn encode(active: &[ActiveCause], released: &[ReleasedCause]) -> Vec<u8> {
    if active.is_empty() && released.is_empty() {
        return Vec::new();
    }
    let mut kinds = Vec::new();
    let active = active.iter().map(|cause| Active {
        campaign: match cause.origin {
            Origin::Campaign(revision) => revision.0,
            Origin::Request => Revision::NONE.0,
        },
        kind: place(&mut kinds, Kind { name: cause.kind.as_str(), rank: cause.rank.0 }),
        limit: match cause.limit {
            Limit::Closed => StoredLimit::Closed,
            Limit::Metres(metres) => StoredLimit::Metres(metres.radius().metres()),
            Limit::Percent(percent) => StoredLimit::Percent(percent.get()),
        },
        effect: effect_number(cause.effect),
    });
    let active = active.collect();
    let released = released.iter().map(|cause| Released {
        campaign: cause.campaign.0,
        deadline: cause.deadline.instant().millis(),
        effect: effect_number(cause.effect),
    });
    write(FORMAT, &Causes { kinds, active, released: released.collect() })
}

/// Returns the place of a kind among the known kinds. Adds it if it is new.
fn place<'a>(kinds: &mut Vec<Kind<'a>>, kind: Kind<'a>) -> u8 {
    let place = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
        kinds.push(kind);
        kinds.len() - 1
    });
    // INVARIANT: a shop has at most 255 active causes.
    u8::try_from(place).unwrap_or(u8::MAX)
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<ActiveCause>, Vec<ReleasedCause>), CodecError> {
    if bytes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let Causes { kinds, active, released } = read(FORMAT, bytes)?;
    let kinds: Vec<(TriggerKind, Rank)> =
        kinds.into_iter().map(Kind::read).collect::<Result<_, _>>()?;
    let active = active.into_iter().map(|cause| cause.read(&kinds)).collect::<Result<_, _>>()?;
    let released = released.into_iter().map(ReleasedCause::try_from).collect::<Result<_, _>>()?;
    Ok((active, released))
}

impl Kind<'_> {
    fn read(self) -> Result<(TriggerKind, Rank), CodecError> {
        let kind = self.name.parse().map_err(|_| CodecError::Value("a trigger kind"))?;
        Ok((kind, Rank(self.rank)))
    }
}

impl Active {
    fn read(self, kinds: &[(TriggerKind, Rank)]) -> Result<ActiveCause, CodecError> {
        let kind = kinds.get(usize::from(self.kind)).copied();
        let (kind, rank) = kind.ok_or(CodecError::Value("the place of a trigger kind"))?;
        Ok(ActiveCause {
            origin: match Revision(self.campaign) {
                Revision::NONE => Origin::Request,
                revision => Origin::Campaign(revision),
            },
            kind,
            rank,
            limit: self.limit.try_into()?,
            effect: effect(self.effect).ok_or(CodecError::Value("an effect"))?,
        })
    }
}

impl TryFrom<Released> for ReleasedCause {
    type Error = CodecError;

    fn try_from(stored: Released) -> Result<Self, CodecError> {
        Ok(Self {
            campaign: Revision(stored.campaign),
            deadline: Deadline::at(Timestamp::from_millis(stored.deadline)),
            effect: effect(stored.effect).ok_or(CodecError::Value("an effect"))?,
        })
    }
}

impl TryFrom<StoredLimit> for Limit {
    type Error = CodecError;

    fn try_from(stored: StoredLimit) -> Result<Self, CodecError> {
        let bad = CodecError::Value("a limit");
        match stored {
            StoredLimit::Closed => Ok(Self::Closed),
            StoredLimit::Metres(metres) => {
                let radius = Radius::try_from(metres).map_err(|_| bad)?;
                Ok(Self::Metres(radius.try_into().map_err(|_| bad)?))
            }
            StoredLimit::Percent(percent) => {
                let percent = Percent::try_from(u64::from(percent)).map_err(|_| bad)?;
                Ok(Self::Percent(percent))
            }
        }
    }
}

/// Returns the number of an effect.
pub(crate) const fn effect_number(effect: Effect) -> u8 {
    match effect {
        Effect::Applied => 1,
        Effect::Unchanged => 0,
    }
}

/// Returns the effect of a number.
pub(crate) const fn effect(number: u8) -> Option<Effect> {
    match number {
        0 => Some(Effect::Unchanged),
        1 => Some(Effect::Applied),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes() -> (Vec<ActiveCause>, Vec<ReleasedCause>) {
        let origins = [Origin::Campaign(Revision(1)), Origin::Campaign(Revision::MAX)];
        let origins = origins.into_iter().chain([Origin::Request; 2]);
        let limits = ["closed", "1m", "50%", "3km"].map(|limit| limit.parse().unwrap());
        // A kind has two ranks here if its rank was changed: a cause keeps the rank that it had.
        let kinds = [("rider_shortage", 200), ("rider_shortage", 7), ("a", 7), ("b", 200)];
        let active = origins.zip(limits).zip(kinds).map(|((origin, limit), (kind, rank))| {
            let (kind, rank, effect) = (kind.parse().unwrap(), Rank(rank), Effect::Applied);
            ActiveCause { origin, kind, rank, limit, effect }
        });
        let released = [i64::MIN, -1, i64::MAX].map(|millis| ReleasedCause {
            campaign: Revision(7),
            deadline: Deadline::at(Timestamp::from_millis(millis)),
            effect: Effect::Unchanged,
        });
        (active.collect(), released.to_vec())
    }

    #[test]
    fn causes_are_read_as_written() {
        let (active, released) = causes();
        assert_eq!(decode(&encode(&active, &released)), Ok((active.clone(), released)));
        assert_eq!(decode(&encode(&active, &[])), Ok((active, Vec::new())));
        assert!(encode(&[], &[]).is_empty());
        assert_eq!(decode(&[]), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn a_cause_takes_few_bytes() {
        let active = |revision| ActiveCause {
            origin: Origin::Campaign(Revision(revision)),
            kind: "rider_shortage".parse().unwrap(),
            rank: Rank(200),
            limit: "3km".parse().unwrap(),
            effect: Effect::Applied,
        };
        let released = |revision| ReleasedCause {
            campaign: Revision(revision),
            deadline: Deadline::at(Timestamp::from_millis(1_800_000_000_000)),
            effect: Effect::Applied,
        };
        let active: Vec<ActiveCause> = (1_000..1_020).map(active).collect();
        let released: Vec<ReleasedCause> = (1_000..1_020).map(released).collect();
        assert_eq!(encode(&active, &[]).len(), 20 + 20 * 7);
        assert_eq!(encode(&[], &released).len(), 4 + 20 * 9);
    }

    #[test]
    fn what_was_cut_off_or_comes_from_elsewhere_is_no_causes() {
        let (active, released) = causes();
        let bytes = encode(&active, &released);
        for end in 1..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(CodecError::Unreadable), "{end} bytes");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(CodecError::Unreadable));
        assert_eq!(decode(&[2, 0, 0]), Err(CodecError::Format(2)));
    }
}
