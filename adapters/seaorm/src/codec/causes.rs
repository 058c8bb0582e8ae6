//! The causes of a shop.

use catchment_domain::{
    ActiveCause, CampaignId, CampaignRef, Deadline, Effect, Limit, Origin, Percent, Radius, Rank,
    ReleasedCause, Revision, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CodecError, read, write};

/// All causes of a shop, in the domain's order.
#[derive(Serialize, Deserialize)]
struct Causes<'a> {
    #[serde(borrow)]
    active: Vec<Active<'a>>,
    released: Vec<Released>,
}

#[derive(Serialize, Deserialize)]
struct Active<'a> {
    campaign: Option<Name>,
    kind: &'a str,
    rank: u8,
    limit: StoredLimit,
    effect: u8,
}

#[derive(Serialize, Deserialize)]
struct Released {
    campaign: Name,
    deadline: i64,
    effect: u8,
}

#[derive(Serialize, Deserialize)]
struct Name {
    revision: u64,
    id: [u8; 16],
}

#[derive(Serialize, Deserialize)]
enum StoredLimit {
    Closed,
    Metres(u32),
    Percent(u8),
}

/// The bytes of a shop's causes; none for none.
pub(crate) fn encode(active: &[ActiveCause], released: &[ReleasedCause]) -> Vec<u8> {
    if active.is_empty() && released.is_empty() {
        return Vec::new();
    }
    let active = active.iter().map(|cause| Active {
        campaign: match cause.origin {
            Origin::Campaign(campaign) => Some(Name::from(campaign)),
            Origin::Request => None,
        },
        kind: cause.kind.as_str(),
        rank: cause.rank.0,
        limit: match cause.limit {
            Limit::Closed => StoredLimit::Closed,
            Limit::Metres(metres) => StoredLimit::Metres(metres.radius().metres()),
            Limit::Percent(percent) => StoredLimit::Percent(percent.get()),
        },
        effect: effect_number(cause.effect),
    });
    let released = released.iter().map(|cause| Released {
        campaign: cause.campaign.into(),
        deadline: cause.deadline.instant().millis(),
        effect: effect_number(cause.effect),
    });
    write(&Causes { active: active.collect(), released: released.collect() })
}

/// The causes that [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<ActiveCause>, Vec<ReleasedCause>), CodecError> {
    if bytes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let causes: Causes<'_> = read(bytes)?;
    let active = causes.active.into_iter().map(ActiveCause::try_from).collect::<Result<_, _>>()?;
    let released =
        causes.released.into_iter().map(ReleasedCause::try_from).collect::<Result<_, _>>()?;
    Ok((active, released))
}

impl TryFrom<Active<'_>> for ActiveCause {
    type Error = CodecError;

    fn try_from(stored: Active<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            origin: stored.campaign.map_or(Origin::Request, |name| Origin::Campaign(name.into())),
            kind: stored.kind.parse().map_err(|_| CodecError::Value("a trigger kind"))?,
            rank: Rank(stored.rank),
            limit: stored.limit.try_into()?,
            effect: effect(stored.effect).ok_or(CodecError::Value("an effect"))?,
        })
    }
}

impl TryFrom<Released> for ReleasedCause {
    type Error = CodecError;

    fn try_from(stored: Released) -> Result<Self, CodecError> {
        Ok(Self {
            campaign: stored.campaign.into(),
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

impl From<CampaignRef> for Name {
    fn from(campaign: CampaignRef) -> Self {
        Self { revision: campaign.revision.0, id: campaign.id.0.into_bytes() }
    }
}

impl From<Name> for CampaignRef {
    fn from(name: Name) -> Self {
        Self { revision: Revision(name.revision), id: CampaignId(Uuid::from_bytes(name.id)) }
    }
}

/// What took effect, as a number.
pub(crate) const fn effect_number(effect: Effect) -> u8 {
    match effect {
        Effect::Applied => 1,
        Effect::Unchanged => 0,
    }
}

/// What took effect, by its number.
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

    fn campaign(revision: u64) -> CampaignRef {
        CampaignRef {
            revision: Revision(revision),
            id: CampaignId(Uuid::from_u128(u128::MAX - u128::from(revision))),
        }
    }

    fn causes() -> (Vec<ActiveCause>, Vec<ReleasedCause>) {
        let origins = [Origin::Campaign(campaign(1)), Origin::Campaign(campaign(300))];
        let limits = ["closed", "1m", "50%"].map(|limit| limit.parse().unwrap());
        let origins = origins.into_iter().chain([Origin::Request]);
        let active = origins.zip(limits).map(|(origin, limit)| ActiveCause {
            origin,
            kind: "rider_shortage".parse().unwrap(),
            rank: Rank(200),
            limit,
            effect: Effect::Applied,
        });
        let released = [i64::MIN, -1, i64::MAX].map(|millis| ReleasedCause {
            campaign: campaign(7),
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
