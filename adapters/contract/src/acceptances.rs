//! The promises of [`Acceptances`](catchment_domain::ports::Acceptances).

use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    AcceptTerms, AcceptedLane, AcceptedReplyLane, AskedInLanes, Attempt, Campaign, CampaignState,
    Committed, Deadline, Epoch, Lane, LaneRemains, Mismatch, Phase, Position, ReplyLane,
    RequestLaneLog, StoredItem, StoredLane, StoredReplyLane, acceptance_of,
};

use crate::owner::{Owner, id_at, record};
use crate::requester::{LEASE, Requester};
use crate::scene::{campaign, draft, lasting_log, named, narrow, narrow_by, passing_log, shops_in};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);
const REPLIES: ReplyLane = ReplyLane(0);
const MOMENT: Duration = Duration::from_secs(1);

/// A lane that was claimed stands where its owner left it; one whose row is gone has its receipts.
pub async fn lanes_are_told_as_they_stand(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut owner = worked(&store).await;
    let lanes = store.acceptances.request_lanes().await.unwrap();
    let there: Vec<Lane> = lanes.iter().map(|(lane, _)| *lane).collect();
    assert_eq!(there, store.shops.lanes().iter().collect::<Vec<_>>());
    let StoredLane::Known { progress, last_id, .. } = &lanes[0].1 else { panic!("{lanes:?}") };
    assert_eq!((progress.log, progress.epoch), (Some(lasting_log(1)), owner.claim.epoch));
    assert_eq!((progress.applied_next, progress.replied_next), (Position(2), Position(1)));
    owner.claim = store.ledger.claim(LANE, lasting_log(1), None).await.unwrap();
    assert_eq!(*last_id, owner.claim.last_id);
    let StoredLane::Known { progress, last_id, .. } = &lanes[1].1 else { panic!("{lanes:?}") };
    assert_eq!((progress.log, progress.epoch, *last_id), (None, Epoch(0), None));
    harness.lose_lane(LANE).await;
    let remains = LaneRemains { epoch: Epoch(1), read: Some((lasting_log(1).id, Position(2))) };
    assert_eq!(stored(&store, LANE).await, StoredLane::Lost { unreadable: None, remains });
}

/// One that was leased, and one that only a campaign names.
pub async fn reply_lanes_are_told_as_they_stand(harness: &dyn StoreHarness) {
    let store = harness.store();
    assert_eq!(store.acceptances.reply_lanes().await.unwrap(), []);
    let requester = Requester::of(&store, 1, 7).await;
    let [lane] = &store.acceptances.reply_lanes().await.unwrap()[..] else { panic!("one lane") };
    let row = lane.row.clone().unwrap().unwrap();
    assert_eq!((lane.lane, row.log.id), (ReplyLane(1), passing_log(1).id));
    assert_eq!((row.epoch, row.position), (requester.lease.epoch, requester.lease.position));
    assert_eq!(row.holder, Some(requester.lease.holder.0.to_string()));
    let ids = shops_in(&store, LANE, 1).await;
    campaign(&store, &ids).await;
    requester.open().await;
    harness.advance(LEASE + MOMENT);
    let [lane] = &store.acceptances.reply_lanes().await.unwrap()[..] else { panic!("one lane") };
    assert_eq!(lane.row.clone().unwrap().unwrap().holder, None, "the lease ran out");
}

/// The next owner begins where the lane goes on, whatever the log remembers, and knows the id of
/// the record before that position. The previous owner can write nothing more.
pub async fn accepted_lane_goes_on_where_it_is_told(harness: &dyn StoreHarness) {
    let store = harness.store();
    let owner = worked(&store).await;
    let ids = shops_in(&store, LANE, 1).await;
    let remembered = Committed { epoch: Epoch(90), next: Position(700) };
    let mut lane = taken(&store, LANE, (in_log(2, 0, 40), Some(remembered))).await;
    lane.last_id = Some(id_at(39));
    store.acceptances.accept(&terms(vec![lane])).await.unwrap();
    let fenced = owner.try_apply(&owner.batch(vec![record(2, &ids[0], narrow("1km"))])).await;
    assert!(matches!(fenced, Err(StoreError::Fenced)), "{fenced:?}");
    let before = store.ledger.claim(LANE, lasting_log(1), None).await;
    assert!(matches!(before, Err(StoreError::Refused { .. })), "{before:?}");
    let claim = store.ledger.claim(LANE, lasting_log(2), Some(remembered)).await.unwrap();
    assert!(remembered.epoch < claim.epoch);
    assert_eq!((claim.applied_next, claim.replied_next), (Position(40), Position(40)));
    assert_eq!(claim.last_id, Some(id_at(39)), "so that another record there is noticed");
}

/// The positions of a log that begins anew are not those of the receipts.
pub async fn accepted_log_is_not_answered_from_old_receipts(harness: &dyn StoreHarness) {
    let store = harness.store();
    worked(&store).await;
    let lane = taken(&store, LANE, (in_log(1, 0, 0), None)).await;
    store.acceptances.accept(&terms(vec![lane])).await.unwrap();
    let mut owner = Owner::of(&store, LANE).await;
    assert_eq!(owner.receipts().await, []);
    let mut shown = 0;
    store.ledger.visit_receipts(&mut |_, _| shown += 1).await.unwrap();
    assert_eq!(shown, 2);
    let ids = shops_in(&store, LANE, 1).await;
    let receipt = owner.change(&ids[0], narrow("2km")).await;
    assert_eq!(owner.receipts().await, [receipt]);
}

/// What was applied in the same log is still answered.
pub async fn accepted_lane_keeps_its_receipts(harness: &dyn StoreHarness) {
    let store = harness.store();
    let owner = worked(&store).await;
    let before = owner.receipts().await;
    let lane = taken(&store, LANE, (in_log(1, 9, 12), None)).await;
    store.acceptances.accept(&terms(vec![lane])).await.unwrap();
    let owner = Owner::of(&store, LANE).await;
    assert_eq!((owner.receipts().await, owner.claim.applied_next), (before, Position(9)));
}

/// A lane that somebody has applied to since it was looked at may work. A claim is no progress.
pub async fn accept_of_a_lane_that_moved_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    worked(&store).await;
    let lane = taken(&store, LANE, (in_log(1, 9, 12), None)).await;
    let mut owner = Owner::of(&store, LANE).await;
    let ids = shops_in(&store, LANE, 1).await;
    assert!(lane.check(&stored(&store, LANE).await).is_ok(), "a claim moves nothing");
    owner.change(&ids[0], narrow("2km")).await;
    let refused = store.acceptances.accept(&terms(vec![lane])).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    owner.change(&ids[0], narrow("1km")).await;
}

/// A lane without a row is claimed again, and treats as passed what any lane did.
pub async fn accept_makes_a_lost_row_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mut owner = Owner::of(&store, LANE).await;
    let passed = Deadline::at(harness.now());
    harness.advance(MOMENT);
    owner.change(&ids[0], narrow_by("2km", passed)).await;
    harness.lose_lane(LANE).await;
    let claim = store.ledger.claim(LANE, lasting_log(1), None).await;
    assert!(matches!(claim, Err(StoreError::Refused { .. })), "{claim:?}");
    let lane = taken(&store, LANE, (in_log(1, 0, 1), None)).await;
    store.acceptances.accept(&terms(vec![lane])).await.unwrap();
    let mut next = Owner::of(&store, LANE).await;
    assert!(owner.claim.epoch < next.claim.epoch);
    assert_eq!((next.claim.applied_next, next.claim.replied_next), (Position(1), Position(1)));
    harness.step_back(MOMENT);
    let receipt = next.change(&ids[0], narrow_by("1km", passed)).await;
    assert!(!receipt.entries[0].outcome.status.took_effect(), "{receipt:?}");
    // An import finds its row, too.
    shops_in(&store, LANE, 2).await;
}

/// A row whose epoch has no next one cannot be read. Others do not take such an epoch over.
pub async fn accept_replaces_an_epoch_without_a_next(harness: &dyn StoreHarness) {
    let store = harness.store();
    worked(&store).await;
    for epoch in [Epoch::LAST, Epoch(i64::MAX.unsigned_abs())] {
        for lane in [LANE, Lane(1)] {
            harness.set_epoch(lane, epoch).await;
        }
        let mismatch = stored(&store, LANE).await.mismatch();
        assert!(matches!(mismatch, Some(Mismatch::UnreadableRow { .. })), "{mismatch:?}");
        let lanes = store.restores.lanes().await.unwrap();
        assert!(lanes.iter().all(|known| known.lane != LANE), "{lanes:?}");
        let claim = store.ledger.claim(LANE, lasting_log(1), None).await;
        assert!(matches!(claim, Err(StoreError::Refused { .. })), "{claim:?}");
        let lane = taken(&store, LANE, (in_log(1, 0, 2), None)).await;
        store.acceptances.accept(&terms(vec![lane])).await.unwrap();
        let claim = store.ledger.claim(LANE, lasting_log(1), None).await.unwrap();
        assert_eq!(claim.applied_next, Position(2));
        assert!(claim.epoch < Epoch::BELIEVED, "{claim:?}");
    }
}

/// Shops whose requests would expire are asked in a new attempt; the other campaigns go on.
pub async fn accept_lets_late_shops_be_asked_in_time(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lanes = store.shops.lanes();
    let (here, there) = (shops_in(&store, LANE, 2).await, shops_in(&store, Lane(1), 1).await);
    let late = campaign(&store, &here).await;
    let elsewhere = campaign(&store, &there).await;
    harness.advance(draft(named(&here)).timeout + MOMENT);
    let open = campaign(&store, &[here[0].clone(), there[0].clone()]).await;
    let accepted = store.acceptances.accept(&cut(&store, lanes.iter().take(1)).await).await;
    let accepted = accepted.unwrap();
    let [first, second] = accepted.asked[..] else { panic!("{accepted:?}") };
    assert_eq!((first.campaign, first.open), (late.name.revision, 2));
    assert_eq!(first.new_attempt, Some(Attempt(2)));
    assert_eq!((second.campaign, second.open, second.new_attempt), (open.name.revision, 1, None));
    let asked = get(&store, &late).await;
    assert_eq!((asked.attempt, asked.state), (Attempt(2), CampaignState::Sending { open: 2 }));
    assert!(late.deadline < asked.deadline && !asked.deadline.is_passed(harness.now()));
    assert_eq!(get(&store, &elsewhere).await, elsewhere);
    assert_eq!(get(&store, &open).await, open);
    // A reply lane has all the shops of its campaigns, be it still there or not.
    for end in [Some(Position(70)), None] {
        Requester::of(&store, 3, 1).await.open().await;
        harness.advance(draft(named(&here)).timeout + MOMENT);
        let before = get(&store, &elsewhere).await;
        let replies = vec![begun_at(&store, ReplyLane(3), end).await];
        let terms = AcceptTerms { replies, ..terms(Vec::new()) };
        let accepted = store.acceptances.accept(&terms).await.unwrap();
        let said = |asked: &AskedInLanes| (asked.campaign, asked.open, asked.new_attempt.is_some());
        let said: Vec<_> = accepted.asked.iter().map(said).collect();
        let all = [(&late, 2), (&elsewhere, 1), (&open, 2)];
        assert_eq!(said, all.map(|(campaign, open)| (campaign.name.revision, open, true)));
        let after = get(&store, &elsewhere).await;
        assert_eq!(after.attempt, Attempt(before.attempt.0 + 1));
        assert!(before.deadline < after.deadline && !after.deadline.is_passed(harness.now()));
        assert_eq!(after.reply_lane, end.map(|_| ReplyLane(3)));
    }
}

/// A damaged campaign with open shops is named, and its deadline stays.
pub async fn accept_names_damaged_campaigns(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let [bad, late] = [campaign(&store, &ids).await, campaign(&store, &ids).await];
    harness.advance(draft(named(&ids)).timeout + MOMENT);
    let item = StoredItem::Campaign(bad.name.revision);
    harness.damage(&item).await;
    let accepted = store.acceptances.accept(&cut(&store, [LANE]).await).await.unwrap();
    let damaged: Vec<&StoredItem> = accepted.damaged.iter().map(|damage| &damage.item).collect();
    assert_eq!(damaged, [&item]);
    let [asked] = accepted.asked[..] else { panic!("{accepted:?}") };
    assert_eq!((asked.campaign, asked.new_attempt), (late.name.revision, Some(Attempt(2))));
}

/// The next holder of a reply lane begins at the end that is named, in the log that is named.
pub async fn accepted_reply_lane_begins_at_its_end(harness: &dyn StoreHarness) {
    let store = harness.store();
    let old = Requester::of(&store, 0, 1).await;
    let begin = begun_at(&store, REPLIES, Some(Position(70))).await;
    let terms = AcceptTerms { replies: vec![begin], ..terms(Vec::new()) };
    store.acceptances.accept(&terms).await.unwrap();
    let late = store.campaign_ledger.record(&old.lease, Position(9), &[]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let next = Requester::of(&store, 0, 2).await;
    assert_eq!(next.lease.position, Position(70));
    assert!(old.lease.epoch < next.lease.epoch);
}

/// A reply lane that was leased or read since it was looked at may work. Nothing is changed then.
pub async fn accept_of_a_reply_lane_that_moved_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    for end in [Some(Position(70)), None] {
        let never_read = begun_at(&store, REPLIES, end).await;
        let requester = Requester::of(&store, 0, 1).await;
        let leased = begun_at(&store, REPLIES, end).await;
        store.campaign_ledger.record(&requester.lease, Position(9), &[]).await.unwrap();
        for stale in [never_read, leased] {
            let terms = AcceptTerms { replies: vec![stale], ..terms(Vec::new()) };
            let refused = store.acceptances.accept(&terms).await;
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        let gone = begun_at(&store, REPLIES, None).await;
        store.reply_lanes.renew(&requester.lease, LEASE).await.unwrap();
        let terms = AcceptTerms { replies: vec![gone], ..terms(Vec::new()) };
        store.acceptances.accept(&terms).await.unwrap();
    }
}

/// The unfinished campaigns of a lane that the log does not have any more are taken by others.
pub async fn campaigns_of_a_gone_reply_lane_go_to_others(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let stored = campaign(&store, &ids).await;
    let old = Requester::of(&store, 3, 1).await;
    assert_eq!(old.open().await.len(), 1);
    let gone = begun_at(&store, ReplyLane(3), None).await;
    let terms = AcceptTerms { replies: vec![gone], ..terms(Vec::new()) };
    let accepted = store.acceptances.accept(&terms).await.unwrap();
    assert_eq!(accepted.moved, [stored.name.revision]);
    assert_eq!(store.acceptances.reply_lanes().await.unwrap(), []);
    let late = old.try_mark(&stored, (Phase::Activation, stored.attempt), &[0]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let next = Requester::of(&store, 0, 2).await;
    let [taken] = &next.open().await[..] else { panic!("the campaign is taken") };
    assert_eq!((taken.name, taken.reply_lane), (stored.name, Some(REPLIES)));
}

/// A dry run says what would be done.
pub async fn accept_dry_run_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let late = campaign(&store, &ids).await;
    let requester = Requester::of(&store, 3, 1).await;
    requester.open().await;
    harness.advance(draft(named(&ids)).timeout + MOMENT);
    let gone = begun_at(&store, ReplyLane(3), None).await;
    let terms = AcceptTerms { replies: vec![gone], ..cut(&store, [LANE]).await };
    let state = async || {
        let lanes = store.acceptances.request_lanes().await.unwrap();
        (lanes, store.acceptances.reply_lanes().await.unwrap(), get(&store, &late).await)
    };
    let before = state().await;
    let dry = AcceptTerms { dry_run: true, ..terms.clone() };
    let said = store.acceptances.accept(&dry).await.unwrap();
    assert_eq!(state().await, before);
    assert_eq!(store.acceptances.accept(&terms).await.unwrap(), said);
    assert_ne!(state().await, before);
}

/// A lane to which two requests were applied, the first of which is answered.
async fn worked(store: &Store) -> Owner {
    let ids = shops_in(store, LANE, 1).await;
    let mut owner = Owner::of(store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    owner.change(&ids[0], narrow("1km")).await;
    store.ledger.replied(LANE, owner.claim.epoch, Position(1)).await.unwrap();
    owner
}

async fn stored(store: &Store, lane: Lane) -> StoredLane {
    let lanes = store.acceptances.request_lanes().await.unwrap();
    lanes.into_iter().find(|(found, _)| *found == lane).unwrap().1
}

/// The reply lane as it stands, to begin at its end.
async fn begun_at(store: &Store, lane: ReplyLane, end: Option<Position>) -> AcceptedReplyLane {
    let lanes = store.acceptances.reply_lanes().await.unwrap();
    let found = lanes.into_iter().find(|found| found.lane == lane);
    let stored = found.unwrap_or(StoredReplyLane { lane, row: None });
    AcceptedReplyLane { stored, log: passing_log(1), end }
}

/// A log of this number that holds these positions.
fn in_log(number: u128, first: u64, end: u64) -> RequestLaneLog {
    let log = lasting_log(number);
    let (first, end) = (Position(first), Position(end));
    RequestLaneLog { log, first, end, before: None, without_receipt: None }
}

/// The lane as it stands, as its log lets it be taken.
async fn taken(
    store: &Store,
    lane: Lane,
    (log, committed): (RequestLaneLog, Option<Committed>),
) -> AcceptedLane {
    let stored = stored(store, lane).await;
    let acceptance = acceptance_of(&stored, &log, committed).unwrap();
    AcceptedLane { lane, stored, committed, acceptance, last_id: None }
}

/// Accepts these unclaimed lanes in a log whose first records are gone.
async fn cut(store: &Store, lanes: impl IntoIterator<Item = Lane>) -> AcceptTerms {
    let mut requests = Vec::new();
    for lane in lanes {
        requests.push(taken(store, lane, (in_log(1, 5, 5), None)).await);
    }
    terms(requests)
}

fn terms(requests: Vec<AcceptedLane>) -> AcceptTerms {
    AcceptTerms { requests, replies: Vec::new(), dry_run: false }
}

async fn get(store: &Store, campaign: &Campaign) -> Campaign {
    store.campaigns.get(campaign.name.revision).await.unwrap().unwrap()
}
