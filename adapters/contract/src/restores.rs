//! The promises of [`Restores`](catchment_domain::ports::Restores).

use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Attempt, Campaign, CampaignState, Change, Command, Committed, Deadline, Epoch, LONGEST_LEASE,
    Lane, LaneProblem, LaneProgress, Mismatch, Phase, Position, ReplyLane, RestoreTerms, Restored,
    Revision, SinceBackup, Slot, Status, StoredItem,
};

use crate::moves::moved;
use crate::owner::{Owner, id_at, record, request_of};
use crate::requester::{LEASE, Requester, answer, holder};
use crate::scene::{campaign, lasting_log, metres, narrow, passing_log, shops_in};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);
const MOMENT: Duration = Duration::from_secs(1);

/// A lane that was claimed and applied to stands where its owner left it; the others are new.
pub async fn lanes_are_told_as_they_stand(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    owner.change(&ids[0], narrow("1km")).await;
    store.ledger.replied(LANE, owner.claim.epoch, Position(1)).await.unwrap();
    let lanes = store.restores.lanes().await.unwrap();
    let there: Vec<Lane> = lanes.iter().map(|lane| lane.lane).collect();
    assert_eq!(there, store.shops.lanes().iter().collect::<Vec<_>>());
    let LaneProgress { log, epoch, applied_next, replied_next, .. } = lanes[0];
    assert_eq!((log, epoch), (Some(lasting_log(1)), owner.claim.epoch));
    assert_eq!((applied_next, replied_next), (Position(2), Position(1)));
    let new = (lanes[1].log, lanes[1].epoch, lanes[1].applied_next);
    assert_eq!(new, (None, Epoch(0), Position(0)));
}

/// A log is left once the database was moved away from it. No other log is.
pub async fn left_logs_are_known(harness: &dyn StoreHarness) {
    let store = harness.store();
    Owner::of(&store, LANE).await;
    assert!(!store.restores.has_left(lasting_log(1)).await.unwrap());
    let count = store.shops.lanes().count();
    let (_, store) = moved(harness, &store, count).await;
    assert!(store.restores.has_left(lasting_log(1)).await.unwrap());
    for other in [lasting_log(2), passing_log(3)] {
        assert!(!store.restores.has_left(other).await.unwrap(), "{other:?}");
    }
}

/// The newest revision and all campaigns, each by its revision alone if it cannot be read.
pub async fn known_holds_revision_and_campaigns(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let [ended, bad, open] =
        [campaign(&store, &ids).await, campaign(&store, &ids).await, campaign(&store, &ids).await];
    store.campaigns.command(ended.name.revision, Command::End).await.unwrap();
    harness.damage(&StoredItem::Campaign(bad.name.revision)).await;
    let revision = store.shops.take_revision().await.unwrap();
    let known = store.restores.known().await.unwrap();
    assert_eq!(known.newest, revision);
    let campaigns = [ended, open].map(|campaign| (campaign.name, campaign.nonce));
    assert_eq!(known.campaigns, campaigns);
    assert_eq!(known.damaged, [bad.name.revision].into());
}

/// Open shops are asked again in an attempt that no request since the backup has, and every shop
/// may have been asked. What is settled stays.
pub async fn restored_asks_open_shops_again(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let settled = campaign(&store, &ids[..1]).await;
    let [open, unsent] = [campaign(&store, &ids[1..]).await, campaign(&store, &ids[1..]).await];
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    for campaign in [&settled, &open] {
        requester.mark(campaign, Phase::Activation, &[0]).await;
        let applied = answer(campaign, Phase::Activation, (0, 0), Status::Applied);
        requester.record(campaign, &[applied]).await;
    }
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    let settled = get(&store, settled.name.revision).await;
    assert_eq!(settled.state, CampaignState::Settled);

    // Since the backup, the open campaign had come to its third attempt.
    let mut later = open.clone();
    later.attempt = Attempt(3);
    later.deadline = Deadline::at(open.deadline.instant().saturating_add(LEASE));
    harness.advance(LEASE);
    let mut terms = terms(&store).await;
    terms.since_backup.add(&request_of(&later, Phase::Activation, (1, &ids[2]), 9));
    let restored = store.restores.restored(&terms).await.unwrap();
    let [asked, other] = restored.campaigns.found[..] else { panic!("{restored:?}") };
    assert_eq!((asked.campaign, asked.attempt), (open.name.revision, Attempt(4)));
    assert_eq!((asked.state, asked.was_ended), (CampaignState::Sending { open: 1 }, false));
    assert_eq!((other.campaign, other.attempt), (unsent.name.revision, Attempt(2)));

    let again = get(&store, open.name.revision).await;
    assert_eq!((again.attempt, again.state), (Attempt(4), CampaignState::Sending { open: 1 }));
    assert!(later.deadline < again.deadline, "{:?}", again.deadline);
    assert_eq!(get(&store, settled.name.revision).await, settled);
    let requester = Requester::of(&store, 0, 2).await;
    requester.open().await;
    let marked = requester.mark(&again, Phase::Activation, &[0]).await;
    assert_eq!(marked[0].activations(), [Slot::Closed(Status::Applied), Slot::Open]);

    // The end of a campaign releases every shop: each may have been asked since the backup.
    let ended = store.campaigns.command(unsent.name.revision, Command::End).await;
    assert_eq!(ended.unwrap().state, CampaignState::Ending { open: 4 });
}

/// A damaged campaign is named and stays as it is. It is asked again once it is repaired. Damaged
/// outcomes of a campaign without an open shop are not needed.
pub async fn restored_leaves_damage_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let [bad, lost, whole] =
        [campaign(&store, &ids).await, campaign(&store, &ids).await, campaign(&store, &ids).await];
    let settled = campaign(&store, &ids).await.name.revision;
    store.campaigns.command(settled, Command::GiveUp).await.unwrap();
    harness.damage(&StoredItem::Outcomes(settled, 0)).await;
    let items =
        [StoredItem::Campaign(bad.name.revision), StoredItem::Outcomes(lost.name.revision, 0)];
    for item in &items {
        harness.damage(item).await;
    }
    let terms = terms(&store).await;
    let restored = store.restores.restored(&terms).await.unwrap();
    let asked: Vec<_> = restored.campaigns.found.iter().map(|asked| asked.campaign).collect();
    assert_eq!(asked, [whole.name.revision]);
    let damaged = restored.campaigns.damaged.into_iter().map(|damage| damage.item);
    assert_eq!(damaged.collect::<Vec<_>>(), items);
    assert_eq!(get(&store, lost.name.revision).await.attempt, Attempt(1));
}

/// The next campaign takes a revision above every revision that was given out since the backup.
pub async fn restored_gives_out_newer_revisions(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let known = store.restores.known().await.unwrap().newest;
    let mut terms = terms(&store).await;
    let revision = Revision(known.0 + 40);
    let base = Change::SetBase { revision, radius: metres(4_000), deadline: None };
    terms.since_backup.add(&record(9, &ids[0], base));
    let restored = store.restores.restored(&terms).await.unwrap();
    assert_eq!((restored.known, restored.newest), (known, revision));
    assert_eq!(store.shops.take_revision().await.unwrap(), Revision(revision.0 + 1));
}

/// A revision that is taken while the database is made true again is not taken again.
pub async fn restored_gives_no_revision_out_again(harness: &dyn StoreHarness) {
    let (store, other) = (harness.store(), harness.store());
    let terms = terms(&store).await;
    let mut taken = Vec::new();
    for _ in 0..10 {
        let take = async {
            let mut taken = Vec::new();
            for _ in 0..5 {
                taken.push(other.shops.take_revision().await.unwrap());
            }
            taken
        };
        let (restored, at_once) = tokio::join!(store.restores.restored(&terms), take);
        restored.unwrap();
        taken.extend(at_once);
    }
    assert!(taken.is_sorted_by(|before, after| before < after), "{taken:?}");
}

/// If the log is ahead of the database, the lane may be claimed again, and goes on where the database
/// stands.
pub async fn restored_lanes_may_be_claimed(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    let committed = Committed { epoch: Epoch(owner.claim.epoch.0 + 5), next: Position(9) };
    let claim = || store.ledger.claim(LANE, lasting_log(1), Some(committed));
    assert!(matches!(claim().await, Err(StoreError::Older(_))));
    let mut terms = terms(&store).await;
    terms.requests.1.insert(LANE, committed);
    let restored = store.restores.restored(&terms).await.unwrap();
    assert_eq!(restored.lanes, u32::from(store.shops.lanes().count()));
    let late = owner.try_apply(&owner.batch(vec![record(1, &ids[0], narrow("1km"))])).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let claim = claim().await.unwrap();
    assert!(committed.epoch < claim.epoch);
    assert_eq!((claim.applied_next, claim.last_id), (Position(1), Some(id_at(0))));
}

/// A lane without a row is accepted afterwards. Reply lanes move, and open shops are asked again.
pub async fn restored_leaves_lost_lanes_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let open = campaign(&store, &ids).await;
    Requester::of(&store, 0, 1).await;
    harness.advance(LEASE + MOMENT);
    harness.lose_lane(LANE).await;
    let mut terms = terms(&store).await;
    let committed = Committed { epoch: Epoch(5), next: Position(9) };
    terms.requests.1 = [(LANE, committed), (Lane(1), committed)].into();
    let restored = store.restores.restored(&terms).await.unwrap();
    assert_eq!(restored.lanes, u32::from(store.shops.lanes().count()) - 1);
    assert_eq!((restored.reply_lanes, restored.campaigns.found.len()), (1, 1));
    assert_eq!(get(&store, open.name.revision).await.attempt, Attempt(2));
    store.ledger.claim(Lane(1), lasting_log(1), Some(committed)).await.unwrap();
    let lanes = store.restores.lanes().await.unwrap();
    assert!(lanes.iter().all(|lane| lane.lane != LANE));
    let (_, lost) = store.acceptances.request_lanes().await.unwrap().remove(0);
    assert!(lost.mismatch().is_some(), "{lost:?}");
}

/// The next holder of a reply lane begins at the lane's end.
pub async fn restored_replies_are_not_read_again(harness: &dyn StoreHarness) {
    let store = harness.store();
    let old = Requester::of(&store, 0, 1).await;
    harness.advance(LEASE + MOMENT);
    let mut terms = terms(&store).await;
    terms.replies.1 = [(ReplyLane(0), Position(70)), (ReplyLane(1), Position(80))].into();
    assert_eq!(store.restores.restored(&terms).await.unwrap().reply_lanes, 1);
    let late = store.campaign_ledger.record(&old.lease, Position(9), &[]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let next = Requester::of(&store, 0, 2).await;
    assert_eq!(next.lease.position, Position(70));
    assert!(old.lease.epoch < next.lease.epoch);
}

/// A reply lane that belongs to another topic, or has no partition, keeps its position, and its
/// holder is fenced. All other reply lanes move to their ends.
pub async fn restored_leaves_foreign_reply_lanes_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let [before, present] = [1, 2].map(lasting_log);
    let mut leases = Vec::new();
    for (lane, log) in [(0, before), (1, present), (5, present)] {
        let (lane, begin) = (ReplyLane(lane), (log, Position(9)));
        leases.push(store.reply_lanes.lease(lane, holder(1), begin, LEASE).await.unwrap().unwrap());
    }
    harness.advance(LEASE + MOMENT);
    let mut terms = terms(&store).await;
    terms.replies = (present, [0, 1, 2].map(|lane| (ReplyLane(lane), Position(70))).into());
    let restored = store.restores.restored(&terms).await.unwrap();
    let left_out = [
        LaneProblem::of_replies(ReplyLane(0), Mismatch::OtherLog),
        LaneProblem::of_replies(ReplyLane(5), Mismatch::NoPartition { partitions: 3 }),
    ];
    assert_eq!((restored.reply_lanes, &restored.left_out[..]), (1, &left_out[..]));
    let lanes = store.acceptances.reply_lanes().await.unwrap().into_iter();
    let lanes = lanes.map(|lane| (lane.lane.0, lane.row.unwrap().unwrap()));
    let lanes: Vec<_> = lanes.map(|(lane, row)| (lane, row.log, row.position.0)).collect();
    assert_eq!(lanes, [(0, before, 9), (1, present, 70), (5, present, 9)]);
    for lease in leases {
        let late = store.reply_lanes.renew(&lease, LEASE).await;
        assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    }
}

/// If the database was read in another log, nothing is changed, unless this log remembers that a lane
/// came to it later.
pub async fn restored_refuses_a_foreign_log(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let owner = Owner::of(&store, LANE).await;
    let open = campaign(&store, &ids).await;
    let mut terms = terms(&store).await;
    terms.requests.0 = lasting_log(2);
    let lanes = store.restores.lanes().await.unwrap();
    let refused = store.restores.restored(&terms).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(store.restores.lanes().await.unwrap(), lanes);
    assert_eq!(get(&store, open.name.revision).await, open);
    let committed = Committed { epoch: Epoch(owner.claim.epoch.0 + 1), next: Position(0) };
    terms.requests.1.insert(LANE, committed);
    store.restores.restored(&terms).await.unwrap();
    assert_eq!(get(&store, open.name.revision).await.attempt, Attempt(2));
}

/// A requester at work is not disturbed: it may have sent requests that the log does not hold yet.
pub async fn restored_waits_for_leases(harness: &dyn StoreHarness) {
    let store = harness.store();
    let requester = Requester::of(&store, 0, 1).await;
    let terms = terms(&store).await;
    let refused = store.restores.restored(&terms).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    store.reply_lanes.renew(&requester.lease, LEASE).await.unwrap();
    harness.advance(LEASE + MOMENT);
    store.restores.restored(&terms).await.unwrap();
    Requester::of(&store, 0, 1).await;
    harness.step_back(LONGEST_LEASE);
    // No requester has so long a lease.
    store.restores.restored(&terms).await.unwrap();
}

/// Done twice at once and then once more, it leaves everything as once, but for higher numbers.
pub async fn restored_may_be_repeated(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    let open = campaign(&store, &ids).await;
    let committed = Committed { epoch: Epoch(owner.claim.epoch.0 + 5), next: Position(9) };
    let mut terms = terms(&store).await;
    terms.requests.1.insert(LANE, committed);
    let other = harness.store();
    let at_once = tokio::join!(store.restores.restored(&terms), other.restores.restored(&terms));
    let at_once = [at_once.0.unwrap(), at_once.1.unwrap()];
    let again = store.restores.restored(&terms).await.unwrap();
    for restored in at_once.iter().chain([&again]) {
        let [asked] = restored.campaigns.found[..] else { panic!("{restored:?}") };
        let state = CampaignState::Sending { open: 2 };
        assert_eq!((asked.campaign, asked.state), (open.name.revision, state));
    }
    let asked = get(&store, open.name.revision).await;
    assert_eq!(asked.attempt, again.campaigns.found[0].attempt);
    let claim = store.ledger.claim(LANE, lasting_log(1), Some(committed)).await.unwrap();
    assert!(committed.epoch < claim.epoch);
    assert_eq!(claim.applied_next, Position(1));
}

/// A dry run returns what would be changed.
pub async fn restored_dry_run_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let open = campaign(&store, &ids).await;
    let before = (store.restores.lanes().await.unwrap(), get(&store, open.name.revision).await);
    let terms = terms(&store).await;
    let dry = RestoreTerms { dry_run: true, ..terms.clone() };
    let said: Restored = store.restores.restored(&dry).await.unwrap();
    let after = (store.restores.lanes().await.unwrap(), get(&store, open.name.revision).await);
    assert_eq!(before, after);
    assert_eq!(store.restores.restored(&terms).await.unwrap(), said);
    assert_eq!(get(&store, open.name.revision).await.attempt, Attempt(2));
}

async fn get(store: &Store, revision: Revision) -> Campaign {
    store.campaigns.get(revision).await.unwrap().unwrap()
}

/// Terms of logs that remember nothing, with no request since the backup. There is one reply lane.
async fn terms(store: &Store) -> RestoreTerms {
    let known = store.restores.known().await.unwrap();
    RestoreTerms {
        requests: (lasting_log(1), [].into()),
        replies: (passing_log(1), [(ReplyLane(0), Position(0))].into()),
        since_backup: SinceBackup::new(known),
        dry_run: false,
    }
}
