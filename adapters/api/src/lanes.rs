//! Lanes: how they stand, and what taking them as they are gives up.

use catchment_application::ListedLane;
use catchment_domain::{
    AcceptTerms, Accepted, AcceptedLane, AcceptedReplyLane, AnyLane, AskedAgain, AskedInLanes,
    PositionRange, Revision,
};
use serde::Serialize;

/// A lane of requests or of replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// What the lane carries.
    pub of: LaneKind,
    /// Its number.
    pub lane: u16,
    /// Who has it, as far as is known.
    pub owner: Option<String>,
    /// Its newest owner's number.
    pub epoch: Option<u64>,
    /// The next position to apply, or the next reply to record.
    pub next: Option<u64>,
    /// The next position to answer.
    pub answered: Option<u64>,
    /// One past the last record.
    pub end: Option<u64>,
    /// How many positions lie between `next` and `end`.
    pub lag: Option<u64>,
    /// Why it cannot go on, or why that is not known.
    pub problem: Option<String>,
}

/// What a lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LaneKind {
    /// Requests.
    Requests,
    /// Replies.
    Replies,
}

impl From<&ListedLane> for Lane {
    fn from(listed: &ListedLane) -> Self {
        let (of, lane) = match listed.lane {
            AnyLane::Requests(lane) => (LaneKind::Requests, lane.0),
            AnyLane::Replies(lane) => (LaneKind::Replies, lane.0),
        };
        Self {
            of,
            lane,
            owner: listed.owner.clone(),
            epoch: listed.epoch.map(|epoch| epoch.0),
            next: listed.next.map(|next| next.0),
            answered: listed.answered.map(|answered| answered.0),
            end: listed.end.map(|end| end.0),
            lag: listed.lag(),
            problem: listed.problem(),
        }
    }
}

/// How lanes go on that are taken as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LanesAccepted {
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// The lanes of requests.
    pub lanes: Vec<RequestLaneAccepted>,
    /// The lanes of replies.
    pub reply_lanes: Vec<ReplyLaneAccepted>,
}

/// How a lane of requests goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestLaneAccepted {
    /// Its number.
    pub lane: u16,
    /// The next position to apply.
    pub next: u64,
    /// What is given up by that.
    pub given_up: GivenUp,
}

/// What is given up of a lane of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// From where on the topic as it was before is not applied.
    pub of_topic_before: Option<u64>,
    /// Requests that are not applied.
    pub unapplied: Option<Positions>,
    /// Requests that were applied, and are not answered.
    pub unanswered: Option<Positions>,
}

/// Positions from the first one up to, not including, the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Positions {
    /// The first.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

impl From<PositionRange> for Positions {
    fn from(range: PositionRange) -> Self {
        Self { from: range.from.0, to: range.to.0 }
    }
}

/// How a lane of replies goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplyLaneAccepted {
    /// Its number.
    pub lane: u16,
    /// The next reply to record; `null` if the lane is given up.
    pub next: Option<u64>,
}

impl From<&AcceptTerms> for LanesAccepted {
    fn from(AcceptTerms { requests, replies, dry_run }: &AcceptTerms) -> Self {
        let request = |AcceptedLane { lane, acceptance, .. }: &AcceptedLane| RequestLaneAccepted {
            lane: lane.0,
            next: acceptance.applied_next.0,
            given_up: GivenUp {
                of_topic_before: acceptance.skipped.of_log_before.map(|from| from.0),
                unapplied: acceptance.skipped.unapplied.map(Into::into),
                unanswered: acceptance.skipped.unanswered.map(Into::into),
            },
        };
        let reply = |AcceptedReplyLane { stored, end, .. }: &AcceptedReplyLane| ReplyLaneAccepted {
            lane: stored.lane.0,
            next: end.map(|end| end.0),
        };
        Self {
            dry_run: *dry_run,
            lanes: requests.iter().map(request).collect(),
            reply_lanes: replies.iter().map(reply).collect(),
        }
    }
}

/// What becomes of the campaigns whose lanes were taken as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedCampaigns {
    /// The campaigns with open shops there.
    pub campaigns: Vec<CampaignAskedAgain>,
    /// Among them those that have had every attempt there is: their requests will expire.
    pub left: Vec<u64>,
    /// The campaigns that go to other reply lanes.
    pub moved: Vec<u64>,
}

/// A campaign that asks open shops again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignAskedAgain {
    /// Its revision.
    pub campaign: u64,
    /// `sending`, `settled`, `ending` or `ended`.
    pub status: &'static str,
    /// How many of its requests there have no outcome.
    pub open: u64,
    /// The attempt in which they are asked, if it is a new one.
    pub new_attempt: Option<u16>,
    /// Whether it was ended since the backup, if one was restored.
    pub was_ended: Option<bool>,
}

impl From<&AskedInLanes> for CampaignAskedAgain {
    fn from(AskedInLanes { campaign, state, open, new_attempt }: &AskedInLanes) -> Self {
        Self {
            campaign: campaign.0,
            status: state.as_str(),
            open: *open,
            new_attempt: new_attempt.map(|attempt| attempt.0),
            was_ended: None,
        }
    }
}

impl From<&AskedAgain> for CampaignAskedAgain {
    fn from(AskedAgain { campaign, state, attempt, was_ended }: &AskedAgain) -> Self {
        Self {
            campaign: campaign.0,
            status: state.as_str(),
            open: state.open().into(),
            new_attempt: Some(attempt.0),
            was_ended: Some(*was_ended),
        }
    }
}

impl From<&Accepted> for AcceptedCampaigns {
    fn from(Accepted { asked, left, moved, .. }: &Accepted) -> Self {
        Self {
            campaigns: asked.iter().map(Into::into).collect(),
            left: numbers(left),
            moved: numbers(moved),
        }
    }
}

pub(crate) fn numbers(revisions: &[Revision]) -> Vec<u64> {
    revisions.iter().map(|revision| revision.0).collect()
}

#[cfg(test)]
mod tests {
    use catchment_domain::{
        Acceptance, Attempt, CampaignState, Epoch, Lane as RequestLane, LaneRemains, LogIdentity,
        Position, ReplyLane, Skipped, StoredLane, StoredReplyLane, Unclear,
    };

    use super::*;

    #[test]
    fn a_lane_is_shown_with_its_lag_and_why_it_cannot_go_on() {
        let lane = ListedLane {
            lane: AnyLane::Requests(RequestLane(1)),
            owner: Some("consumer".to_owned()),
            epoch: Some(Epoch(4)),
            next: Some(Position(9)),
            answered: Some(Position(8)),
            end: Some(Position(12)),
            mismatch: None,
            unclear: Some(Unclear::Unsteady),
        };
        insta::assert_json_snapshot!(Lane::from(&lane), @r#"
        {
          "of": "requests",
          "lane": 1,
          "owner": "consumer",
          "epoch": 4,
          "next": 9,
          "answered": 8,
          "end": 12,
          "lag": 3,
          "problem": "lane 1: it changed between two looks: repeat the command; if that does not help, stop first what sends into the lane"
        }
        "#);
    }

    #[test]
    fn what_is_given_up_is_shown_by_lane() {
        let (lane, committed, last_id) = (RequestLane(2), None, None);
        let stored = StoredLane::Lost { unreadable: None, remains: LaneRemains::default() };
        let range = |from, to| PositionRange::of(Position(from), Position(to));
        let (unapplied, unanswered) = (range(2, 12), None);
        let acceptance = Acceptance {
            log: LogIdentity::NONE,
            applied_next: Position(12),
            replied_next: Position(12),
            keeps_receipts: false,
            skipped: Skipped { of_log_before: Some(Position(9)), unapplied, unanswered },
        };
        let requests = vec![AcceptedLane { lane, stored, committed, acceptance, last_id }];
        let stored = StoredReplyLane { lane: ReplyLane(7), row: None };
        let replies = vec![AcceptedReplyLane { stored, log: LogIdentity::NONE, end: None }];
        let terms = AcceptTerms { requests, replies, dry_run: true };
        insta::assert_json_snapshot!(LanesAccepted::from(&terms), @r#"
        {
          "dryRun": true,
          "lanes": [
            {
              "lane": 2,
              "next": 12,
              "givenUp": {
                "ofTopicBefore": 9,
                "unapplied": {
                  "from": 2,
                  "to": 12
                },
                "unanswered": null
              }
            }
          ],
          "replyLanes": [
            {
              "lane": 7,
              "next": null
            }
          ]
        }
        "#);
    }

    #[test]
    fn campaigns_that_ask_again_are_shown_with_their_new_attempt() {
        let asked = AskedInLanes {
            campaign: Revision(4),
            state: CampaignState::Sending { open: 7 },
            open: 3,
            new_attempt: Some(Attempt(2)),
        };
        let accepted = Accepted {
            asked: vec![asked],
            left: vec![Revision(5)],
            moved: vec![Revision(4)],
            damaged: Vec::new(),
        };
        insta::assert_json_snapshot!(AcceptedCampaigns::from(&accepted), @r#"
        {
          "campaigns": [
            {
              "campaign": 4,
              "status": "sending",
              "open": 3,
              "newAttempt": 2,
              "wasEnded": null
            }
          ],
          "left": [
            5
          ],
          "moved": [
            4
          ]
        }
        "#);
    }
}
