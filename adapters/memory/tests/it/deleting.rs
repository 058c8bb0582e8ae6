//! Which campaigns a deletion deletes, when it clears away what they left, and when old campaigns are
//! looked at again.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{CommandError, Deletions, StoreError};
use catchment_domain::service::{Deletion, Retention, Unwanted, delete_campaigns};
use catchment_domain::{CampaignError, Damage, Found, Revision, StoredItem, Timestamp};

const HOUR: Duration = Duration::from_hours(1);
const ALL: Unwanted = Unwanted::EndedFor(HOUR);

/// Campaigns 1 to 5 have ended, and so many after them. Campaign 2 is in force, campaign 4 took the
/// place of campaign 3, and campaign 5 is gone by the time that it is to be deleted.
#[derive(Default)]
struct Stored {
    is_damaged: bool,
    unreadable: Option<Revision>,
    /// A campaign whose last deadline passed a moment ago.
    waiting: Mutex<Option<Revision>>,
    more: Mutex<u64>,
    /// How often the causes of all shops were read.
    reads: Mutex<u32>,
    deleted: Mutex<BTreeSet<Revision>>,
    /// What is to be cleared away, and what was done, in order.
    left: Mutex<u32>,
    done: Mutex<Vec<String>>,
}

#[async_trait]
impl Deletions for Stored {
    async fn ended(&self, _: Duration) -> Result<Vec<Revision>, StoreError> {
        let deleted = self.deleted.lock().unwrap();
        let ended = (1..=5 + *self.more.lock().unwrap()).map(Revision);
        Ok(ended.filter(|campaign| !deleted.contains(campaign)).collect())
    }

    async fn in_force(&self) -> Result<Found<BTreeSet<Revision>>, StoreError> {
        *self.reads.lock().unwrap() += 1;
        let damaged = self.is_damaged.then(damage).into_iter().collect();
        Ok(Found { found: [Revision(2)].into(), damaged })
    }

    async fn delete(&self, campaign: Revision, dry_run: bool) -> Result<(), CommandError> {
        let mut deleted = self.deleted.lock().unwrap();
        if self.unreadable == Some(campaign) {
            return Err(StoreError::BadData { what: "unreadable".to_owned() }.into());
        }
        if *self.waiting.lock().unwrap() == Some(campaign) {
            return Err(CampaignError::MayStillApply(campaign).into());
        }
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

fn kept(campaign: Revision, why: CampaignError) -> Deletion {
    Deletion { kept: vec![(campaign, why)], ..Deletion::default() }
}

#[tokio::test]
async fn what_is_in_force_stays_and_the_others_are_cleared_away_one_by_one() {
    let in_force = (Revision(2), CampaignError::InForce(Revision(2)));
    let expected = Deletion {
        deleted: [1, 3, 4].map(Revision).to_vec(),
        kept: vec![in_force],
        ..Deletion::default()
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
        let campaign = Revision(campaign);
        let unwanted = Unwanted::Campaign(campaign);
        for dry_run in [true, false] {
            assert_eq!(check(&stored, unwanted, dry_run, kept(campaign, why)).await, "");
        }
    }
}

#[tokio::test]
async fn nothing_is_deleted_while_the_causes_of_a_shop_cannot_be_read() {
    let stored = Stored { is_damaged: true, left: Mutex::new(1), ..Stored::default() };
    let expected = Deletion { unreadable_shops: vec![damage()], ..Deletion::default() };
    assert_eq!(check(&stored, ALL, false, expected).await, "clear");
}

#[tokio::test]
async fn a_campaign_that_cannot_be_read_holds_up_no_other() {
    let stored = Stored { unreadable: Some(Revision(1)), ..Stored::default() };
    let item = StoredItem::Campaign(Revision(1));
    let expected = Deletion {
        deleted: [3, 4].map(Revision).to_vec(),
        kept: vec![(Revision(2), CampaignError::InForce(Revision(2)))],
        damaged: vec![Damage { item, what: "unreadable".to_owned() }],
        ..Deletion::default()
    };
    for dry_run in [true, false] {
        check(&stored, ALL, dry_run, expected.clone()).await;
    }
}

/// Looks so many minutes after the first look, with so many campaigns that became old since; and
/// how often the causes of all shops were read by then.
async fn check_reads(stored: &Stored, looks: &[(i64, u64, u32)]) {
    let mut retention = Retention::new(Some(HOUR));
    for &(minutes, more, reads) in looks {
        *stored.more.lock().unwrap() = more;
        let now = Timestamp::from_millis(1_800_000_000_000 + minutes * 60_000);
        retention.look(stored, now).await.unwrap();
        assert_eq!(*stored.reads.lock().unwrap(), reads, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn campaigns_that_stay_are_tried_again_after_a_day() {
    let day = 24 * 60;
    let stored = Stored { unreadable: Some(Revision(1)), ..Stored::default() };
    let looks = [(0, 0, 1), (10, 0, 1), (20, 1, 2), (30, 1, 2), (day + 19, 1, 2), (day + 20, 1, 3)];
    check_reads(&stored, &looks).await;
    let deleted = BTreeSet::from([3, 4, 6].map(Revision));
    assert_eq!(stored.deleted.into_inner().unwrap(), deleted);
    // The clock stepped back.
    check_reads(&Stored::default(), &[(0, 0, 1), (-10, 0, 2), (0, 0, 2)]).await;
    let stored = Stored { is_damaged: true, ..Stored::default() };
    check_reads(&stored, &[(0, 0, 1), (10, 0, 1), (day, 0, 2)]).await;
}

#[tokio::test]
async fn a_campaign_that_only_waits_is_tried_each_time_and_no_shop_is_read_for_it() {
    let stored = Stored { waiting: Mutex::new(Some(Revision(1))), ..Stored::default() };
    check_reads(&stored, &[(0, 0, 1), (10, 0, 1), (20, 0, 1)]).await;
    assert!(!stored.deleted.lock().unwrap().contains(&Revision(1)));
    let mut retention = Retention::new(Some(HOUR));
    for (is_waiting, reads) in [(true, 2), (true, 2), (false, 3), (false, 3)] {
        *stored.waiting.lock().unwrap() = is_waiting.then_some(Revision(1));
        let deletion = retention.look(&stored, Timestamp::from_millis(0)).await.unwrap();
        assert_eq!(*stored.reads.lock().unwrap(), reads, "{deletion:?}");
    }
    assert!(stored.deleted.lock().unwrap().contains(&Revision(1)));
}

#[tokio::test]
async fn what_a_killed_deletion_left_is_cleared_away_where_campaigns_are_kept_for_ever() {
    let stored = Stored { left: Mutex::new(2), ..Stored::default() };
    let now = Timestamp::from_millis(0);
    let deletion = Retention::new(None).look(&stored, now).await.unwrap();
    assert_eq!((deletion, *stored.reads.lock().unwrap()), (Deletion::default(), 0));
    assert_eq!(stored.done.into_inner().unwrap(), ["clear", "clear"]);
}
