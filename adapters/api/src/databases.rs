//! Databases: migrated, checked, copied and restored.

use catchment_application::AfterRestore;
use catchment_domain::Restored;
use serde::Serialize;

use crate::lanes::{CampaignAskedAgain, numbers};
use crate::topics::BeforeAndNow;

/// A database with an up-to-date schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseMigrated {
    /// Its name.
    pub database: String,
    /// Whether it is new.
    pub created: bool,
    /// The steps that were taken.
    pub steps: Vec<String>,
}

/// A database that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseChecked {
    /// Its name.
    pub database: String,
    /// How many lanes it is made for.
    pub lanes: u16,
}

/// A copy of an embedded database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseCopy {
    /// The file of the database.
    pub database: String,
    /// The file of the copy.
    pub file: String,
    /// How many shops it has.
    pub shops: u64,
    /// The newest revision.
    pub revision: u64,
    /// Its size.
    pub bytes: u64,
}

/// An embedded database that a copy has replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReplaced {
    /// The copy.
    #[serde(flatten)]
    pub copy: DatabaseCopy,
    /// Where the database before is kept.
    pub kept: Option<String>,
}

/// A server's database that was made true again after a backup was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseRestored {
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// The campaigns that ask open shops again.
    pub campaigns: Vec<CampaignAskedAgain>,
    /// The campaigns that have used up their attempts.
    pub left: Vec<u64>,
    /// The campaigns with requests that the database does not have.
    pub lost: Vec<u64>,
    /// The newest revision that was given out.
    pub revision: BeforeAndNow,
    /// How many lanes of requests get new epochs.
    pub lanes: u64,
    /// How many reply lanes get new epochs.
    pub reply_lanes: u64,
    /// How many requests will be applied again.
    pub requests: u64,
    /// How many records were removed before they were applied again, for each lane with any.
    pub gone: Vec<RecordsGone>,
    /// The lanes that stay as they are, with what is wrong and what to do.
    pub left_out: Vec<String>,
}

/// Records of a lane that were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordsGone {
    /// The lane.
    pub lane: u16,
    /// How many.
    pub records: u64,
}

impl DatabaseRestored {
    /// Shows what was changed, or would be.
    #[must_use]
    pub fn new(after: &AfterRestore, dry_run: bool) -> Self {
        let Restored { campaigns, left, known, newest, lanes, reply_lanes, .. } = &after.restored;
        let gone = after.gone.iter();
        Self {
            dry_run,
            campaigns: campaigns.found.iter().map(Into::into).collect(),
            left: numbers(left),
            lost: numbers(&after.lost),
            revision: BeforeAndNow { before: known.0, now: newest.0 },
            lanes: (*lanes).into(),
            reply_lanes: (*reply_lanes).into(),
            requests: after.requests,
            gone: gone
                .map(|(lane, records)| RecordsGone { lane: lane.0, records: *records })
                .collect(),
            left_out: after.left_out().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{
        AskedAgain, Attempt, CampaignState, Found, Lane, LaneProblem, Mismatch, ReplyLane, Revision,
    };

    use super::*;

    #[test]
    fn copies_of_a_database_are_shown_with_their_files() {
        let migrated = DatabaseMigrated {
            database: "catchment.db".to_owned(),
            created: true,
            steps: vec!["1 shops".to_owned()],
        };
        let checked = DatabaseChecked { database: "catchment.db".to_owned(), lanes: 12 };
        let copy = DatabaseCopy {
            database: "catchment.db".to_owned(),
            file: "copy.db".to_owned(),
            shops: 12_000,
            revision: 7,
            bytes: 4_096,
        };
        let kept = Some("catchment.db.before-restore".to_owned());
        let replaced = DatabaseReplaced { copy, kept };
        insta::assert_json_snapshot!((migrated, checked, replaced), @r#"
        [
          {
            "database": "catchment.db",
            "created": true,
            "steps": [
              "1 shops"
            ]
          },
          {
            "database": "catchment.db",
            "lanes": 12
          },
          {
            "database": "catchment.db",
            "file": "copy.db",
            "shops": 12000,
            "revision": 7,
            "bytes": 4096,
            "kept": "catchment.db.before-restore"
          }
        ]
        "#);
    }

    #[test]
    fn a_restored_database_is_shown_with_everything_that_was_given_up() {
        let asked = AskedAgain {
            campaign: Revision(4),
            state: CampaignState::Sending { open: 31_993 },
            attempt: Attempt(3),
            was_ended: true,
        };
        let after = AfterRestore {
            restored: Restored {
                campaigns: Found::whole(vec![asked]),
                left: vec![Revision(6)],
                known: Revision(7),
                newest: Revision(9),
                lanes: 12,
                reply_lanes: 1,
                left_out: vec![LaneProblem::of_replies(ReplyLane(1), Mismatch::OtherLog)],
            },
            requests: 48_210,
            lost: vec![Revision(8), Revision(9)],
            gone: vec![(Lane(2), 1_000)],
            left_out: vec![LaneProblem::of(Lane(3), Mismatch::NoRow)],
        };
        insta::assert_json_snapshot!(DatabaseRestored::new(&after, false), @r#"
        {
          "dryRun": false,
          "campaigns": [
            {
              "campaign": 4,
              "status": "sending",
              "open": 31993,
              "newAttempt": 3,
              "wasEnded": true
            }
          ],
          "left": [
            6
          ],
          "lost": [
            8,
            9
          ],
          "revision": {
            "before": 7,
            "now": 9
          },
          "lanes": 12,
          "replyLanes": 1,
          "requests": 48210,
          "gone": [
            {
              "lane": 2,
              "records": 1000
            }
          ],
          "leftOut": [
            "lane 3: its row in the database is gone; restore the row from a backup, or take the lane as it is by `catchment lanes accept 3`",
            "reply lane 1: the database has read it in another topic or cluster; use the topic and the cluster that belong to this database, or take the lane as it is by `catchment lanes accept 1 --reply`"
          ]
        }
        "#);
    }
}
