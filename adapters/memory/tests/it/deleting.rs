//! Which campaigns a deletion deletes, and when it clears away what they left.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{CommandError, Deletions, StoreError};
use catchment_domain::service::{Deletion, Unwanted, delete_campaigns};
use catchment_domain::{CampaignError, Damage, Found, Revision, StoredItem};

const ALL: Unwanted = Unwanted::EndedFor(Duration::from_hours(1));

/// Campaigns 1 to 5 have ended. Campaign 2 is in force, campaign 4 took the place of campaign 3,
/// and campaign 5 is gone by the time that it is to be deleted.
#[derive(Default)]
struct Stored {
    is_damaged: bool,
    deleted: Mutex<BTreeSet<Revision>>,
    /// What is to be cleared away, and what was done, in order.
    left: Mutex<u32>,
    done: Mutex<Vec<String>>,
}

#[async_trait]
impl Deletions for Stored {
    async fn ended(&self, _: Duration) -> Result<Vec<Revision>, StoreError> {
        Ok((1..=5).map(Revision).collect())
    }

    async fn in_force(&self) -> Result<Found<BTreeSet<Revision>>, StoreError> {
        let damaged = self.is_damaged.then(damage).into_iter().collect();
        Ok(Found { found: [Revision(2)].into(), damaged })
    }

    async fn delete(&self, campaign: Revision, dry_run: bool) -> Result<(), CommandError> {
        let mut deleted = self.deleted.lock().unwrap();
        if campaign == Revision(5) {
            return Err(CampaignError::Unknown(campaign).into());
        }
        if campaign == Revision(4) && !deleted.contains(&Revision(3)) {
            return Err(CampaignError::Succeeds(campaign, Revision(3)).into());
        }
        if !dry_run {
            deleted.insert(campaign);
            *self.left.lock().unwrap() += 2;
            self.done.lock().unwrap().push(format!("delete {campaign}"));
        }
        Ok(())
    }

    async fn clear(&self) -> Result<bool, StoreError> {
        let mut left = self.left.lock().unwrap();
        let Some(less) = left.checked_sub(1) else { return Ok(false) };
        *left = less;
        self.done.lock().unwrap().push("clear".to_owned());
        Ok(true)
    }
}

fn damage() -> Damage {
    Damage { item: StoredItem::State("a".to_owned()), what: "unreadable".to_owned() }
}

/// Deletes, and returns what was done and what was told.
async fn check(stored: &Stored, unwanted: Unwanted, dry_run: bool, expected: Deletion) -> String {
    let deletion = delete_campaigns(stored, unwanted, dry_run).await.unwrap();
    assert_eq!(deletion, expected, "{unwanted:?} {dry_run}");
    stored.done.lock().unwrap().join(", ")
}

fn kept(kept: CampaignError) -> Deletion {
    Deletion { kept: vec![kept], ..Deletion::default() }
}

#[tokio::test]
async fn what_is_in_force_stays_and_the_others_are_cleared_away_one_by_one() {
    let in_force = CampaignError::InForce(Revision(2));
    let expected = Deletion {
        deleted: [1, 3, 4].map(Revision).to_vec(),
        kept: vec![in_force],
        damaged: Vec::new(),
    };
    let stored = Stored { left: Mutex::new(1), ..Stored::default() };
    assert_eq!(check(&stored, ALL, true, expected.clone()).await, "");
    assert_eq!(
        check(&stored, ALL, false, expected).await,
        "clear, delete 1, clear, clear, delete 3, clear, clear, delete 4, clear, clear"
    );
}

#[tokio::test]
async fn one_campaign_is_refused_with_the_reason() {
    let stored = Stored::default();
    for (campaign, why) in [
        (2, CampaignError::InForce(Revision(2))),
        (4, CampaignError::Succeeds(Revision(4), Revision(3))),
        (5, CampaignError::Unknown(Revision(5))),
    ] {
        let unwanted = Unwanted::Campaign(Revision(campaign));
        for dry_run in [true, false] {
            assert_eq!(check(&stored, unwanted, dry_run, kept(why)).await, "");
        }
    }
}

#[tokio::test]
async fn nothing_is_deleted_while_the_causes_of_a_shop_cannot_be_read() {
    let stored = Stored { is_damaged: true, left: Mutex::new(1), ..Stored::default() };
    let expected = Deletion { damaged: vec![damage()], ..Deletion::default() };
    assert_eq!(check(&stored, ALL, false, expected).await, "clear");
}
