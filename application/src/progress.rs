//! How far a campaign is, and how it ended.

use catchment_domain::ports::{CampaignRepository, OutcomeFilter, StoreError, Tallies};
use catchment_domain::service::OutcomePages;
use catchment_domain::{
    Campaign, CampaignError, CampaignState, Code, Damage, Found, Phase, Revision, Slot, Status,
    Tally, Timestamp,
};

use crate::UseCaseError;

/// How far a campaign is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignProgress {
    /// The campaign.
    pub campaign: Campaign,
    /// The outcomes as they were counted last, without the damaged ones.
    pub tallies: Tallies,
    /// What cannot be read.
    pub damaged: Vec<Damage>,
    /// Whether the campaign that it replaces has not ended yet. It may have shops that this one
    /// does not have, so it ends later.
    pub is_replacing: bool,
    /// Since when no shop got an outcome, if that is long ago.
    pub stalled_since: Option<Timestamp>,
}

/// The state that a campaign has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Every shop has an outcome. A campaign that was ended or replaced before cannot reach this
    /// goal any more.
    Settled,
    /// The campaign is over at every shop.
    Ended,
}

impl Goal {
    /// Returns the goal that a campaign reaches by itself.
    #[must_use]
    pub const fn of(campaign: &Campaign) -> Self {
        if campaign.state.is_ending_or_ended() || campaign.replaced_by.is_some() {
            Self::Ended
        } else {
            Self::Settled
        }
    }

    /// Returns the phase whose outcomes lead to the goal.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Settled => Phase::Activation,
            Self::Ended => Phase::Release,
        }
    }
}

/// How a campaign ended a user's wait for its goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every shop is as it was asked for.
    Reached,
    /// It was ended before every shop had an outcome.
    EndedBefore,
    /// It was replaced before every shop had an outcome.
    ReplacedBefore(Revision),
    /// Some shops are not as they were asked for.
    Missed {
        /// How many shops have which failure.
        failures: Vec<(Status, u32)>,
        /// Whether no shop has the ids that failed, so that a retry would not help.
        unknown_alone: bool,
    },
}

impl CampaignProgress {
    /// Returns whether there is nothing left to wait for.
    #[must_use]
    pub const fn has_reached(&self, goal: Goal) -> bool {
        !self.is_replacing && is_over(&self.campaign, goal)
    }

    /// The outcomes that lead to a goal.
    #[must_use]
    pub const fn tally(&self, goal: Goal) -> Tally {
        match goal {
            Goal::Settled => self.tallies.activation,
            Goal::Ended => self.tallies.release,
        }
    }

    /// Returns how the campaign left its shops.
    ///
    /// # Errors
    ///
    /// When the outcomes cannot be read.
    pub async fn verdict(
        &self,
        campaigns: &dyn CampaignRepository,
        goal: Goal,
    ) -> Result<Verdict, UseCaseError> {
        if goal == Goal::Settled
            && let Some(left) = self.left_before_settled()
        {
            return Ok(left);
        }
        let tally = self.tally(goal);
        let failures = [Status::Rejected, Status::Expired, Status::Failed];
        let failures = failures.map(|status| (status, tally.of(status)));
        let failures: Vec<_> = failures.into_iter().filter(|(_, shops)| 0 < *shops).collect();
        let unknown_alone = match failures.as_slice() {
            [] => return Ok(Verdict::Reached),
            [(Status::Rejected, _)] => self.rejects_unknown_alone(campaigns, goal).await?,
            _ => false,
        };
        Ok(Verdict::Missed { failures, unknown_alone })
    }

    /// Returns how the campaign was left before every shop had an outcome. A settled campaign may
    /// have been ended since then.
    fn left_before_settled(&self) -> Option<Verdict> {
        let tally = &self.tallies.activation;
        if tally.open == 0 && tally.of(Status::Superseded) == 0 {
            return None;
        }
        match (self.campaign.state, self.campaign.replaced_by) {
            (CampaignState::Settled, _) | (CampaignState::Sending { .. }, None) => None,
            (_, Some(by)) => Some(Verdict::ReplacedBefore(by)),
            (CampaignState::Ending { .. } | CampaignState::Ended, None) => {
                Some(Verdict::EndedBefore)
            }
        }
    }

    async fn rejects_unknown_alone(
        &self,
        campaigns: &dyn CampaignRepository,
        goal: Goal,
    ) -> Result<bool, StoreError> {
        let status = Some(Slot::Closed(Status::Rejected));
        let filter = OutcomeFilter { phase: goal.phase(), status };
        let mut pages = OutcomePages::new(campaigns, self.campaign.name.revision, filter);
        while let Some(page) = pages.next().await? {
            if page.iter().any(|outcome| outcome.code != Some(Code::UnknownShop)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads how far a campaign is.
///
/// # Errors
///
/// When there is no such campaign, or it cannot be read.
pub async fn campaign_progress(
    campaigns: &dyn CampaignRepository,
    revision: Revision,
) -> Result<CampaignProgress, UseCaseError> {
    let campaign = campaigns.get(revision).await?.ok_or(CampaignError::Unknown(revision))?;
    let Found { found: tallies, damaged } = campaigns.tallies(revision).await?;
    let is_replacing = is_replacing(campaigns, &campaign).await?;
    Ok(CampaignProgress { campaign, tallies, damaged, is_replacing, stalled_since: None })
}

/// Returns whether the campaign that another replaces has not ended yet.
pub(crate) async fn is_replacing(
    campaigns: &dyn CampaignRepository,
    campaign: &Campaign,
) -> Result<bool, StoreError> {
    let Some(replaced) = campaign.replaces else { return Ok(false) };
    let replaced = campaigns.get(replaced.campaign.revision).await?;
    Ok(replaced.is_some_and(|replaced| !is_over(&replaced, Goal::Ended)))
}

const fn is_over(campaign: &Campaign, goal: Goal) -> bool {
    match (goal, campaign.state) {
        (_, CampaignState::Ended)
        | (Goal::Settled, CampaignState::Settled | CampaignState::Ending { .. }) => true,
        (Goal::Settled, CampaignState::Sending { .. }) => campaign.replaced_by.is_some(),
        (
            Goal::Ended,
            CampaignState::Sending { .. } | CampaignState::Settled | CampaignState::Ending { .. },
        ) => false,
    }
}
