//! Follows a campaign until it has reached the goal of a command.

mod bar;

use anyhow::Context as _;
use catchment_domain::ports::{CampaignRepository, OutcomeFilter, Tallies};
use catchment_domain::service::OutcomePages;
use catchment_domain::{
    Campaign, CampaignError, CampaignState, Code, Phase, Revision, Slot, Status, Tally,
};

pub(crate) use bar::Bar;

use crate::left_out::LeftOut;

/// The state that a campaign has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Every shop has an outcome. A campaign that was ended or replaced before cannot reach this
    /// goal any more.
    Settled,
    /// The campaign is over at every shop.
    Ended,
}

impl Goal {
    /// Returns the goal that a campaign reaches by itself.
    pub(crate) const fn of(campaign: &Campaign) -> Self {
        if campaign.state.is_ending_or_ended() || campaign.replaced_by.is_some() {
            Self::Ended
        } else {
            Self::Settled
        }
    }

    /// The outcomes that lead to it.
    pub(crate) const fn tally(self, tallies: &Tallies) -> Tally {
        match self {
            Self::Settled => tallies.activation,
            Self::Ended => tallies.release,
        }
    }
}

/// The present state of a campaign.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) campaign: Campaign,
    /// The outcomes, without the damaged ones.
    pub(crate) tallies: Tallies,
    /// The outcomes that cannot be read.
    pub(crate) left_out: LeftOut,
}

impl Standing {
    /// Reads the state of a campaign.
    ///
    /// # Errors
    ///
    /// When the campaign does not exist, or cannot be read.
    pub(crate) async fn read(
        campaigns: &dyn CampaignRepository,
        revision: Revision,
    ) -> anyhow::Result<Self> {
        let campaign = campaigns.get(revision).await?;
        let campaign = campaign.ok_or(CampaignError::Unknown(revision))?;
        let tallies = campaigns.tallies(revision).await.context("could not count its outcomes")?;
        Ok(Self { campaign, tallies: tallies.found, left_out: tallies.damaged.into() })
    }

    /// Returns whether all shops that missed the goal are unknown, so that a retry would not help.
    ///
    /// # Errors
    ///
    /// When the outcomes cannot be read.
    pub(crate) async fn misses_unknown_shops_alone(
        &self,
        campaigns: &dyn CampaignRepository,
        goal: Goal,
    ) -> anyhow::Result<bool> {
        let tally = goal.tally(&self.tallies);
        let others = tally.of(Status::Expired) + tally.of(Status::Failed);
        if tally.of(Status::Rejected) == 0 || 0 < others {
            return Ok(false);
        }
        let phase = match goal {
            Goal::Settled => Phase::Activation,
            Goal::Ended => Phase::Release,
        };
        let filter = OutcomeFilter { phase, status: Some(Slot::Closed(Status::Rejected)) };
        let mut pages = OutcomePages::new(campaigns, self.campaign.name.revision, filter);
        while let Some(page) = pages.next().await? {
            if page.iter().any(|outcome| outcome.code != Some(Code::UnknownShop)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Returns whether there is nothing left to wait for.
pub(crate) const fn is_over(campaign: &Campaign, goal: Goal) -> bool {
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
