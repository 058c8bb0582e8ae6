//! The promises of [`Restores`](catchment_domain::ports::Restores).

use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Attempt, Campaign, CampaignState, Change, Command, Committed, Deadline, Epoch, Lane,
    LaneProgress, LostTime, Phase, Position, ReplyLane, RestoreTerms, Restored, Revision, Slot,
    Status,
};

use crate::owner::{Owner, id_at, record, request_of};
use crate::requester::{LEASE, Requester, answer};
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

/// What is open goes on in an attempt that no request of the lost time had, and every shop may
/// have been asked. What is settled stays.
pub async fn restored_asks_open_shops_again(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 3).await;
    let settled = campaign(&store, &ids[..1]).await;
    let open = campaign(&store, &ids[1..]).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&settled, Phase::Activation, &[0]).await;
    let applied =
        |campaign, index| answer(campaign, Phase::Activation, (0, index), Status::Applied);
    requester.record(&settled, &[applied(&settled, 0)]).await;
    requester.record(&open, &[applied(&open, 0)]).await;
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    let settled = store.campaigns.get(settled.name.revision).await.unwrap().unwrap();
    assert_eq!(settled.state, CampaignState::Settled);

    // Before the database was restored, the open campaign had come to its third attempt.
    let mut later = open.clone();
    later.attempt = Attempt(3);
    later.deadline = Deadline::at(open.deadline.instant().saturating_add(LEASE));
    let mut terms = terms(&store).await;
    terms.lost.add(&request_of(&later, Phase::Activation, (1, &ids[2]), 9));
    let restored = store.restores.restored(&terms).await.unwrap();
    let [asked] = restored.campaigns[..] else { panic!("{restored:?}") };
    assert_eq!((asked.campaign, asked.attempt), (open.name.revision, Attempt(4)));
    assert_eq!((asked.state, asked.was_ended), (CampaignState::Sending { open: 1 }, false));

    let again = store.campaigns.get(open.name.revision).await.unwrap().unwrap();
    assert_eq!((again.attempt, again.state), (Attempt(4), CampaignState::Sending { open: 1 }));
    assert!(later.deadline < again.deadline, "{:?}", again.deadline);
    let kept = store.campaigns.get(settled.name.revision).await.unwrap().unwrap();
    assert_eq!(kept, settled);
    let chunks = Requester::of(&store, 0, 2).await;
    chunks.open().await;
    let marked = chunks.mark(&again, Phase::Activation, &[0]).await;
    assert_eq!(marked[0].activations(), [Slot::Closed(Status::Applied), Slot::Open]);

    // Its end releases every shop, for each may have been asked.
    let ended = store.campaigns.command(open.name.revision, Command::End).await;
    assert_eq!(ended.unwrap().state, CampaignState::Ending { open: 3 });
}

/// The next campaign takes a revision above every one that the lost time gave out.
pub async fn restored_gives_out_newer_revisions(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let known = store.restores.newest().await.unwrap();
    let mut terms = terms(&store).await;
    let revision = Revision(known.0 + 40);
    let base = Change::SetBase { revision, radius: metres(4_000), deadline: None };
    terms.lost.add(&record(9, &ids[0], base));
    let restored = store.restores.restored(&terms).await.unwrap();
    assert_eq!((restored.known, restored.newest), (known, revision));
    assert_eq!(store.shops.take_revision().await.unwrap(), Revision(revision.0 + 1));
}

/// A lane that the log is ahead of may be claimed again, and goes on where the database stands.
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

/// The next holder of a reply lane begins at the lane's end.
pub async fn restored_replies_are_not_read_again(harness: &dyn StoreHarness) {
    let store = harness.store();
    let old = Requester::of(&store, 0, 1).await;
    harness.advance(LEASE + MOMENT);
    let mut terms = terms(&store).await;
    terms.replies.1.insert(ReplyLane(0), Position(70));
    terms.replies.1.insert(ReplyLane(1), Position(80));
    assert_eq!(store.restores.restored(&terms).await.unwrap().reply_lanes, 1);
    let late = store.campaign_ledger.record(&old.lease, Position(9), &[]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let next = Requester::of(&store, 0, 2).await;
    assert_eq!(next.lease.position, Position(70));
    assert!(old.lease.epoch < next.lease.epoch);
}

/// A requester at work is not disturbed: it could have sent what the log does not hold yet.
pub async fn restored_waits_for_leases(harness: &dyn StoreHarness) {
    let store = harness.store();
    let requester = Requester::of(&store, 0, 1).await;
    let terms = terms(&store).await;
    let refused = store.restores.restored(&terms).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    store.reply_lanes.renew(&requester.lease, LEASE).await.unwrap();
    harness.advance(LEASE + MOMENT);
    store.restores.restored(&terms).await.unwrap();
}

/// A dry run says what would be done.
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

/// Terms by which nothing was seen, and nothing is remembered.
async fn terms(store: &Store) -> RestoreTerms {
    let known = store.restores.newest().await.unwrap();
    RestoreTerms {
        requests: (lasting_log(1), [].into()),
        replies: (passing_log(1), [].into()),
        lost: LostTime::since(known),
        dry_run: false,
    }
}
