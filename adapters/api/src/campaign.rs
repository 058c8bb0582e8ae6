//! Campaigns, as programs read them.

use std::collections::BTreeMap;
use std::time::Duration;

use catchment_application::CampaignProgress;
use catchment_domain::{self as domain, Tally};
use serde::{Deserialize, Serialize};

use crate::lanes::numbers;
use crate::{Limit, instant, seconds};

/// How many shops have which outcome. Shops without an outcome count as `open`.
pub type Counts = BTreeMap<String, u32>;

/// A campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// Its number.
    pub campaign: u64,
    /// Its id.
    pub id: String,
    /// `sending`, `settled`, `ending` or `ended`.
    pub status: String,
    /// How many activations and releases have no outcome.
    pub open: u32,
    /// How many releases were rejected or given up.
    pub unreleased: u32,
    /// Why it was started.
    pub kind: String,
    /// How far its shops deliver at most.
    pub limit: Limit,
    /// How many shops it has.
    pub shops: u32,
    /// What happened, for people.
    pub reason: String,
    /// When it was stored.
    pub created_at: String,
    /// The deadline of the present attempt.
    pub deadline: String,
    /// How long its requests may begin to apply, in seconds.
    pub timeout: f64,
    /// When it ends by itself.
    pub until: Option<String>,
    /// The present attempt, from 1.
    pub attempt: u16,
    /// The campaign whose place it takes.
    pub replaces: Option<u64>,
    /// The campaign that takes its place.
    pub replaced_by: Option<u64>,
}

impl From<&domain::Campaign> for Campaign {
    fn from(campaign: &domain::Campaign) -> Self {
        Self {
            campaign: campaign.name.revision.0,
            id: campaign.name.id.to_string(),
            status: campaign.state.to_string(),
            open: campaign.state.open(),
            unreleased: campaign.unreleased,
            kind: campaign.kind.to_string(),
            limit: campaign.limit.into(),
            shops: campaign.shops,
            reason: campaign.reason.clone(),
            created_at: instant(campaign.created_at),
            deadline: instant(campaign.deadline.instant()),
            timeout: seconds(campaign.timeout),
            until: campaign.until.map(instant),
            attempt: campaign.attempt.0,
            replaces: campaign.replaces.map(|replaced| replaced.campaign.revision.0),
            replaced_by: campaign.replaced_by.map(|by| by.0),
        }
    }
}

/// A campaign, and how many of its shops have which outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// The outcomes of the activations.
    pub outcomes: Counts,
    /// The outcomes of the releases.
    pub releases: Counts,
    /// Since when no shop got an outcome, if that is long ago.
    pub stalled_since: Option<String>,
}

impl From<&CampaignProgress> for Progress {
    fn from(progress: &CampaignProgress) -> Self {
        Self {
            campaign: (&progress.campaign).into(),
            outcomes: counts(&progress.tallies.activation),
            releases: counts(&progress.tallies.release),
            stalled_since: progress.stalled_since.map(instant),
        }
    }
}

/// A campaign that was stored a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartedCampaign {
    /// Its number.
    pub campaign: u64,
    /// `sending`.
    pub status: String,
    /// How many shops it has.
    pub shops: u32,
}

impl From<&domain::Campaign> for StartedCampaign {
    fn from(campaign: &domain::Campaign) -> Self {
        let (status, shops) = (campaign.state.to_string(), campaign.shops);
        Self { campaign: campaign.name.revision.0, status, shops }
    }
}

/// The end of a wait for a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignSummary {
    /// Its number.
    pub campaign: u64,
    /// `sending`, `settled`, `ending` or `ended`.
    pub status: String,
    /// How many shops it has.
    pub shops: u32,
    /// The outcomes of the activations.
    pub outcomes: Counts,
    /// The outcomes of the releases.
    pub releases: Counts,
    /// The campaign that takes its place, if there is one.
    pub replaced_by: Option<u64>,
    /// How long the wait was.
    pub seconds: f64,
}

impl CampaignSummary {
    /// Sums up a campaign after a wait.
    #[must_use]
    pub fn new(progress: &CampaignProgress, waited: Duration) -> Self {
        let CampaignProgress { campaign, tallies, .. } = progress;
        Self {
            campaign: campaign.name.revision.0,
            status: campaign.state.to_string(),
            shops: campaign.shops,
            outcomes: counts(&tallies.activation),
            releases: counts(&tallies.release),
            replaced_by: campaign.replaced_by.map(|by| by.0),
            seconds: seconds(waited),
        }
    }
}

/// Returns how many shops have which outcome.
#[must_use]
pub fn counts(tally: &Tally) -> Counts {
    let closed = tally.iter().map(|(status, shops)| (status.to_string(), shops));
    let open = (0 < tally.open).then(|| ("open".to_owned(), tally.open));
    closed.chain(open).collect()
}

/// What a deletion of campaigns did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignDeletion {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The campaigns that were deleted.
    pub deleted: Vec<u64>,
    /// The campaigns that were not.
    pub kept: Vec<KeptCampaign>,
}

/// A campaign that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCampaign {
    /// The campaign.
    pub campaign: u64,
    /// Why, for people.
    pub reason: String,
}

impl CampaignDeletion {
    /// Says what a deletion did.
    #[must_use]
    pub fn new(deletion: &domain::service::Deletion, dry_run: bool) -> Self {
        let kept = deletion
            .kept
            .iter()
            .map(|(campaign, why)| KeptCampaign { campaign: campaign.0, reason: why.to_string() });
        Self { dry_run, deleted: numbers(&deletion.deleted), kept: kept.collect() }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::ports::Tallies;
    use catchment_domain::{
        Attempt, CampaignId, CampaignRef, CampaignState, Deadline, Nonce, Replaced, Revision, Slot,
        Status, Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    fn campaign() -> domain::Campaign {
        let at = |millis: i64| Timestamp::from_millis(1_795_309_200_000 + millis);
        let name = |number| CampaignRef {
            revision: Revision(number),
            id: CampaignId(Uuid::from_u128(number.into())),
        };
        domain::Campaign {
            name: name(7),
            nonce: Nonce::from_random(1),
            kind: "bad_weather".parse().unwrap(),
            limit: "50%".parse().unwrap(),
            reason: "비가 온다".to_owned(),
            shops: 3,
            created_at: at(0),
            timeout: Duration::from_mins(5),
            until: Some(at(7_200_000)),
            replaces: Some(Replaced { campaign: name(6), deadline: Deadline::at(at(1)) }),
            replaced_by: None,
            reply_lane: None,
            attempt: Attempt(1),
            deadline: Deadline::at(at(300_000)),
            state: CampaignState::Sending { open: 1 },
            unreleased: 0,
        }
    }

    fn progress() -> CampaignProgress {
        let mut tallies = Tallies::default();
        tallies.activation.add(&[Slot::Closed(Status::Applied), Slot::Open]);
        CampaignProgress {
            campaign: campaign(),
            tallies,
            damaged: Vec::new(),
            is_replacing: true,
            stalled_since: None,
        }
    }

    #[test]
    fn a_campaign_has_the_units_of_the_wire() {
        insta::assert_json_snapshot!(Campaign::from(&campaign()), @r#"
        {
          "campaign": 7,
          "id": "00000000-0000-0000-0000-000000000007",
          "status": "sending",
          "open": 1,
          "unreleased": 0,
          "kind": "bad_weather",
          "limit": {
            "percent": 50
          },
          "shops": 3,
          "reason": "비가 온다",
          "createdAt": "2026-11-22T01:00:00Z",
          "deadline": "2026-11-22T01:05:00Z",
          "timeout": 300.0,
          "until": "2026-11-22T03:00:00Z",
          "attempt": 1,
          "replaces": 6,
          "replacedBy": null
        }
        "#);
    }

    #[test]
    fn progress_adds_the_outcomes_to_the_campaign() {
        let mut told = serde_json::to_value(Progress::from(&progress())).unwrap();
        let campaign = serde_json::to_value(Campaign::from(&campaign())).unwrap();
        let fields = told.as_object_mut().unwrap();
        fields.retain(|name, _| campaign.get(name).is_none());
        insta::assert_json_snapshot!(told, @r#"
        {
          "outcomes": {
            "applied": 1,
            "open": 1
          },
          "releases": {},
          "stalledSince": null
        }
        "#);
    }

    #[test]
    fn a_summary_is_short() {
        let summary = CampaignSummary::new(&progress(), Duration::from_micros(1_234_567));
        insta::assert_json_snapshot!(summary, @r#"
        {
          "campaign": 7,
          "status": "sending",
          "shops": 3,
          "outcomes": {
            "applied": 1,
            "open": 1
          },
          "releases": {},
          "replacedBy": null,
          "seconds": 1.235
        }
        "#);
        let mut ended = progress();
        ended.campaign.state = CampaignState::Ended;
        ended.campaign.replaced_by = Some(Revision(8));
        ended.tallies.release.add(&[Slot::Closed(Status::Unchanged)]);
        insta::assert_json_snapshot!(CampaignSummary::new(&ended, Duration::ZERO), @r#"
        {
          "campaign": 7,
          "status": "ended",
          "shops": 3,
          "outcomes": {
            "applied": 1,
            "open": 1
          },
          "releases": {
            "unchanged": 1
          },
          "replacedBy": 8,
          "seconds": 0.0
        }
        "#);
        insta::assert_json_snapshot!(StartedCampaign::from(&campaign()), @r#"
        {
          "campaign": 7,
          "status": "sending",
          "shops": 3
        }
        "#);
    }

    #[test]
    fn a_deletion_says_what_was_kept_and_why() {
        let deletion = domain::service::Deletion {
            deleted: vec![Revision(3)],
            kept: vec![(Revision(4), domain::CampaignError::NotEnded(Revision(4)))],
            ..domain::service::Deletion::default()
        };
        insta::assert_json_snapshot!(CampaignDeletion::new(&deletion, true), @r#"
        {
          "dryRun": true,
          "deleted": [
            3
          ],
          "kept": [
            {
              "campaign": 4,
              "reason": "campaign 4 has not ended"
            }
          ]
        }
        "#);
    }
}
