//! What an audit found.

use catchment_domain::service::{self, DifferenceKind};
use catchment_domain::{self as domain, Status};
use serde::{Deserialize, Serialize};

use crate::Damage;
use crate::outcome::word;

/// What an audit found: counts, and examples of each kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// How many campaigns were audited.
    pub campaigns: u64,
    /// How many outcomes agree with what is stored elsewhere.
    pub agree: u64,
    /// How many outcomes cannot be checked.
    pub unproved: u64,
    /// How many outcomes changed with each look.
    pub moved: u64,
    /// How many outcomes the receipts contradict.
    pub wrong: u64,
    /// Some of them.
    pub wrong_examples: Vec<Difference>,
    /// How many outcomes are answers to records that did not agree with their campaign.
    pub foreign: u64,
    /// Some of them.
    pub foreign_examples: Vec<Difference>,
    /// How many outcomes have limits that are not in force.
    pub missing: u64,
    /// Some of them.
    pub missing_examples: Vec<Difference>,
    /// How many limits in force no campaign will end.
    pub strays: u64,
    /// Some of them.
    pub stray_examples: Vec<Stray>,
    /// How many base radii have revisions that were never given out.
    pub unknown_bases: u64,
    /// Some of them.
    pub unknown_base_examples: Vec<UnknownBase>,
    /// What cannot be read.
    pub damaged: Vec<Damage>,
}

/// An outcome that does not agree with what is stored elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The campaign.
    pub campaign: u64,
    /// The phase: `activation` or `release`.
    pub phase: String,
    /// The shop.
    pub shop: String,
    /// The outcome: a status, `open`, or `idle` if the shop was not asked.
    pub outcome: String,
    /// How often receipts say that a request took effect whose outcome is wrong.
    pub effects: Option<u8>,
    /// The status that receipts say, if they say one.
    pub proved: Option<String>,
    /// Whether a retry of the campaign asks again for an outcome that answers a foreign record.
    pub may_be_retried: Option<bool>,
}

/// A limit in force that no campaign will end by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stray {
    /// The shop.
    pub shop: String,
    /// The campaign of the limit.
    pub campaign: u64,
    /// Why no campaign will end it.
    pub why: StrayCause,
    /// Whether a retry of the campaign ends it. Otherwise a release by command does.
    pub may_be_retried: bool,
}

/// Why a limit does not belong at a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrayCause {
    /// The database has no such campaign.
    UnknownCampaign,
    /// The campaign's list does not name the shop.
    NotListed,
    /// The campaign has ended.
    Ended,
}

/// A base radius of a revision that was never given out. An overruling import replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownBase {
    /// The shop.
    pub shop: String,
    /// The revision of its base radius.
    pub revision: u64,
    /// The newest revision that was given out.
    pub newest: u64,
}

impl Audit {
    /// Returns what an audit found, with this many examples of each kind at most.
    #[must_use]
    pub fn new(audit: &service::Audit, examples: usize) -> Self {
        let [wrong, foreign, missing] = [audit.wrong(), audit.foreign(), audit.missing()];
        let some = |differences: &[&service::Difference]| -> Vec<Difference> {
            differences.iter().take(examples).copied().map(Into::into).collect()
        };
        let service::Audit { strays, unknown_bases, .. } = audit;
        Self {
            campaigns: audit.campaigns as u64,
            agree: audit.agree,
            unproved: audit.unproved,
            moved: audit.moved,
            wrong: wrong.len() as u64,
            wrong_examples: some(&wrong),
            foreign: foreign.len() as u64,
            foreign_examples: some(&foreign),
            missing: missing.len() as u64,
            missing_examples: some(&missing),
            strays: strays.len() as u64,
            stray_examples: strays.iter().take(examples).map(Into::into).collect(),
            unknown_bases: unknown_bases.len() as u64,
            unknown_base_examples: unknown_bases.iter().take(examples).map(Into::into).collect(),
            damaged: audit.damaged.iter().map(Into::into).collect(),
        }
    }
}

impl From<&service::Difference> for Difference {
    fn from(difference: &service::Difference) -> Self {
        let (proof, may_be_retried) = match difference.kind {
            DifferenceKind::Wrong(proof) => (Some(proof.effects()), None),
            DifferenceKind::Foreign { may_be_retried } => (None, Some(may_be_retried)),
            DifferenceKind::Missing => (None, None),
        };
        let proved = proof.and_then(|(_, status)| status);
        Self {
            campaign: difference.campaign.0,
            phase: difference.phase.as_str().to_owned(),
            shop: difference.shop.to_string(),
            outcome: word(difference.slot).to_owned(),
            effects: proof.map(|(effects, _)| effects),
            proved: proved.map(|status: Status| status.as_str().to_owned()),
            may_be_retried,
        }
    }
}

impl From<&service::Stray> for Stray {
    fn from(stray: &service::Stray) -> Self {
        Self {
            shop: stray.shop.to_string(),
            campaign: stray.campaign.0,
            why: match stray.why {
                domain::StrayCause::UnknownCampaign => StrayCause::UnknownCampaign,
                domain::StrayCause::NotListed => StrayCause::NotListed,
                domain::StrayCause::Ended => StrayCause::Ended,
            },
            may_be_retried: stray.may_be_retried,
        }
    }
}

impl From<&service::UnknownBase> for UnknownBase {
    fn from(base: &service::UnknownBase) -> Self {
        let (revision, newest) = (base.revision.0, base.newest.0);
        Self { shop: base.shop.to_string(), revision, newest }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Outcome, Phase, Proof, Revision, Slot};

    use super::*;

    fn findings() -> service::Audit {
        let mut proof = Proof::default();
        let (status, code, detail) = (Status::Applied, None, None);
        let outcome = Outcome { status, code, detail, standing: None, repeat: false };
        proof.add(Phase::Release, &outcome);
        let difference = |kind| service::Difference {
            campaign: Revision(7),
            phase: Phase::Release,
            shop: "a".parse().unwrap(),
            slot: Slot::Closed(Status::Rejected),
            kind,
        };
        let base = |shop: &str| service::UnknownBase {
            shop: shop.parse().unwrap(),
            revision: Revision(9),
            newest: Revision(8),
        };
        service::Audit {
            campaigns: 1,
            agree: 2,
            differences: vec![
                difference(DifferenceKind::Missing),
                difference(DifferenceKind::Wrong(proof)),
                difference(DifferenceKind::Foreign { may_be_retried: true }),
                difference(DifferenceKind::Wrong(Proof::default())),
            ],
            strays: vec![service::Stray {
                shop: "b".parse().unwrap(),
                campaign: Revision(6),
                why: domain::StrayCause::NotListed,
                may_be_retried: false,
            }],
            unknown_bases: vec![base("c"), base("d")],
            ..service::Audit::default()
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "most of them are the snapshot")]
    fn an_audit_gives_counts_and_examples() {
        insta::assert_json_snapshot!(Audit::new(&findings(), 1), @r#"
        {
          "campaigns": 1,
          "agree": 2,
          "unproved": 0,
          "moved": 0,
          "wrong": 2,
          "wrongExamples": [
            {
              "campaign": 7,
              "phase": "release",
              "shop": "a",
              "outcome": "rejected",
              "effects": 1,
              "proved": "applied",
              "mayBeRetried": null
            }
          ],
          "foreign": 1,
          "foreignExamples": [
            {
              "campaign": 7,
              "phase": "release",
              "shop": "a",
              "outcome": "rejected",
              "effects": null,
              "proved": null,
              "mayBeRetried": true
            }
          ],
          "missing": 1,
          "missingExamples": [
            {
              "campaign": 7,
              "phase": "release",
              "shop": "a",
              "outcome": "rejected",
              "effects": null,
              "proved": null,
              "mayBeRetried": null
            }
          ],
          "strays": 1,
          "strayExamples": [
            {
              "shop": "b",
              "campaign": 6,
              "why": "not_listed",
              "mayBeRetried": false
            }
          ],
          "unknownBases": 2,
          "unknownBaseExamples": [
            {
              "shop": "c",
              "revision": 9,
              "newest": 8
            }
          ],
          "damaged": []
        }
        "#);
    }
}
