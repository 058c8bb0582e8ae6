//! What a repair found and did.

use catchment_application::RepairFindings;
use catchment_domain as domain;
use catchment_domain::service::Finding;
use serde::{Deserialize, Serialize};

use crate::Damage;
use crate::release::Standing;

/// A damaged item, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairFinding {
    /// The item, and what is wrong with it.
    #[serde(flatten)]
    pub damage: Damage,
    /// How it was mended. `null` if it cannot be.
    pub repair: Option<Mended>,
    /// Why it cannot be mended, and what to do.
    pub not_mended: Option<String>,
}

/// How an item was mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
pub enum Mended {
    /// Lost outcomes of a chunk are asked for again.
    Outcomes {
        /// How many activations and releases are open.
        open: u32,
    },
    /// A campaign was counted anew.
    Counts {
        /// How many activations and releases are open.
        open: u32,
        /// How many releases were rejected or given up.
        unreleased: u32,
    },
    /// What is in force at a shop was rebuilt.
    State {
        /// How many causes are in force.
        causes: u64,
        /// How the repair left the shop.
        #[serde(flatten)]
        standing: Standing,
        /// Whether the base radius was lost, and is the default one.
        is_base_lost: bool,
    },
}

/// How many items a repair mended, and how many it could not mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairSummary {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many items were mended, or would have been.
    pub mended: u64,
    /// How many items cannot be mended.
    pub not_mended: u64,
}

impl From<&Finding> for RepairFinding {
    fn from(Finding { damage, result }: &Finding) -> Self {
        Self {
            damage: damage.into(),
            repair: result.as_ref().ok().map(|mended| (*mended).into()),
            not_mended: result.as_ref().err().map(ToString::to_string),
        }
    }
}

impl From<domain::Mended> for Mended {
    fn from(mended: domain::Mended) -> Self {
        match mended {
            domain::Mended::Outcomes { open } => Self::Outcomes { open },
            domain::Mended::Counts { open, unreleased } => Self::Counts { open, unreleased },
            domain::Mended::State { causes, standing, is_base_lost } => {
                Self::State { causes: causes as u64, standing: standing.into(), is_base_lost }
            }
        }
    }
}

impl From<&RepairFindings> for RepairSummary {
    fn from(findings: &RepairFindings) -> Self {
        let (mended, not_mended) = findings.counts();
        Self { dry_run: findings.dry_run, mended, not_mended }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{DecidedBy, Radius, Revision, StoredItem, Unmendable};

    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "most of them are the snapshot")]
    fn a_finding_says_what_became_of_the_item() {
        let finding = |item, result| {
            let damage = domain::Damage { item, what: "unreadable".to_owned() };
            Finding { damage, result }
        };
        let after = Radius::try_from(5_000_u32).unwrap();
        let (before, decided_by) = (None, DecidedBy::Base);
        let standing = domain::Standing { before, after, decided_by, version: 4 };
        let state = domain::Mended::State { causes: 0, standing, is_base_lost: true };
        let findings = RepairFindings {
            dry_run: false,
            findings: vec![
                finding(StoredItem::Counts(Revision(7)), Err(Unmendable::Campaign)),
                finding(StoredItem::State("a".to_owned()), Ok(state)),
                finding(
                    StoredItem::Outcomes(Revision(7), 2),
                    Ok(domain::Mended::Outcomes { open: 3 }),
                ),
                finding(
                    StoredItem::Counts(Revision(8)),
                    Ok(domain::Mended::Counts { open: 3, unreleased: 1 }),
                ),
            ],
        };
        let views: Vec<RepairFinding> = findings.findings.iter().map(Into::into).collect();
        insta::assert_json_snapshot!(views, @r#"
        [
          {
            "item": {
              "type": "counts",
              "campaign": 7
            },
            "damage": "unreadable",
            "repair": null,
            "notMended": "nothing else tells what it was: restore the row from a backup"
          },
          {
            "item": {
              "type": "state",
              "shop": "a"
            },
            "damage": "unreadable",
            "repair": {
              "type": "state",
              "causes": 0,
              "before": null,
              "after": 5000,
              "decidedBy": "base",
              "version": 4,
              "isBaseLost": true
            },
            "notMended": null
          },
          {
            "item": {
              "type": "outcomes",
              "campaign": 7,
              "chunk": 2
            },
            "damage": "unreadable",
            "repair": {
              "type": "outcomes",
              "open": 3
            },
            "notMended": null
          },
          {
            "item": {
              "type": "counts",
              "campaign": 8
            },
            "damage": "unreadable",
            "repair": {
              "type": "counts",
              "open": 3,
              "unreleased": 1
            },
            "notMended": null
          }
        ]
        "#);
        insta::assert_json_snapshot!(RepairSummary::from(&findings), @r#"
        {
          "dryRun": false,
          "mended": 3,
          "notMended": 1
        }
        "#);
    }
}
