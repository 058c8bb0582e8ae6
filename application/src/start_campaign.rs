//! Starts a campaign.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Clock};
use catchment_domain::{
    Campaign, CampaignError, CampaignId, Draft, Limit, Nonce, Policy, Replaced, Revision,
    Timestamp, TriggerKind,
};

use crate::triggers::known_kind;
use crate::{InvalidField, ResolvedScope, UseCaseError};

/// What a user asks for.
#[derive(Clone, Debug)]
pub struct CampaignOrder {
    /// The name of the trigger kind.
    pub kind: String,
    /// How far the shops deliver at most; `None` = the kind's own limit.
    pub limit: Option<Limit>,
    /// Which shops.
    pub scope: ResolvedScope,
    /// What happened, for people.
    pub reason: Reason,
    /// How long the requests may begin to apply.
    pub timeout: Duration,
    /// When the campaign ends by itself.
    pub until: Option<Until>,
    /// The campaign whose place it takes.
    pub replaces: Option<Revision>,
}

/// What happened, for people: one line of at most [`Reason::MAX_BYTES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The most bytes of a reason.
    pub const MAX_BYTES: usize = 1024;
}

impl FromStr for Reason {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        if Self::MAX_BYTES < text.len() {
            let problem = format!("a reason is at most {} bytes", Self::MAX_BYTES);
            return Err(InvalidField::new("reason", problem));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidField::new("reason", "a reason is one line of text"));
        }
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a campaign ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So long after its start.
    After(Duration),
    /// At this instant.
    At(Timestamp),
}

/// A campaign that can be started now.
#[derive(Clone, Debug)]
pub struct CampaignPlan {
    /// Why.
    pub kind: TriggerKind,
    /// How far the shops deliver at most.
    pub limit: Limit,
    /// Which shops.
    pub scope: ResolvedScope,
    /// What happened, for people.
    pub reason: Reason,
    /// How long the requests may begin to apply.
    pub timeout: Duration,
    /// When the campaign ends by itself.
    pub until: Option<Timestamp>,
    /// The campaign whose place it takes.
    pub replaces: Option<Replaced>,
}

/// Checks an order against the trigger kinds, the time and the campaign to replace.
///
/// # Errors
///
/// When a field has to be corrected, or the other campaign cannot be replaced.
pub async fn plan_campaign(
    campaigns: &dyn CampaignRepository,
    clock: &dyn Clock,
    policy: &Policy,
    order: CampaignOrder,
) -> Result<CampaignPlan, UseCaseError> {
    let CampaignOrder { kind, limit, scope, reason, timeout, until, replaces } = order;
    let (kind, rule) = known_kind(&kind, policy)?;
    let limit = limit.or(rule.default_limit).ok_or_else(|| {
        InvalidField::new("limit", format!("`{kind}` has no limit of its own: say `limit`"))
    })?;
    let until = until.map(|until| instant_of(until, clock.now())).transpose()?;
    let replaces = match replaces {
        Some(revision) => Some(replaceable(campaigns, revision).await?),
        None => None,
    };
    Ok(CampaignPlan { kind, limit, scope, reason, timeout, until, replaces })
}

fn instant_of(until: Until, now: Timestamp) -> Result<Timestamp, InvalidField> {
    match until {
        Until::After(duration) => Ok(now.saturating_add(duration)),
        Until::At(instant) if instant <= now => {
            Err(InvalidField::new("until", "`until` lies in the past"))
        }
        Until::At(instant) => Ok(instant),
    }
}

async fn replaceable(
    campaigns: &dyn CampaignRepository,
    revision: Revision,
) -> Result<Replaced, UseCaseError> {
    let campaign = campaigns.get(revision).await?;
    let campaign = campaign.ok_or(CampaignError::Unknown(revision))?;
    campaign.check_replaceable()?;
    Ok(Replaced { campaign: campaign.name, deadline: campaign.deadline })
}

/// Stores a campaign. Requesters send its requests then.
///
/// # Errors
///
/// When the scope has no shop, or the other campaign cannot be replaced any more.
pub async fn start_campaign(
    campaigns: &dyn CampaignRepository,
    plan: CampaignPlan,
    (id, nonce): (CampaignId, Nonce),
) -> Result<Campaign, UseCaseError> {
    let CampaignPlan { kind, limit, scope, reason, timeout, until, replaces } = plan;
    let draft = Draft {
        kind,
        limit,
        scope: scope.into(),
        reason: reason.0,
        timeout,
        until,
        replaces: replaces.map(|replaced| replaced.campaign.revision),
        id,
        nonce,
    };
    Ok(campaigns.add(&draft).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(" 비가 온다 ".parse::<Reason>().unwrap().to_string(), "비가 온다");
        assert!("a\nb".parse::<Reason>().is_err());
        assert!("x".repeat(1_025).parse::<Reason>().is_err());
    }

    #[test]
    fn an_end_in_the_past_is_refused() {
        let now = Timestamp::from_millis(5_000);
        let second = Duration::from_secs(1);
        let later = Timestamp::from_millis(6_000);
        assert_eq!(instant_of(Until::After(second), now), Ok(later));
        assert_eq!(instant_of(Until::At(later), now), Ok(later));
        assert_eq!(instant_of(Until::At(now), now).unwrap_err().field, "until");
    }
}
