//! The promises of [`Moves`](catchment_domain::ports::Moves).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroU16;
use std::time::Duration;

use catchment_domain::Phase::{Activation, Release};
use catchment_domain::Status::{Applied, Rejected, Superseded, Unchanged};
use catchment_domain::ports::{CommandError, OutcomeFilter, ShopOutcome, StoreError};
use catchment_domain::{
    AcceptTerms, AcceptedLane, BeforeMove, Behind, Campaign, CampaignState, Code, Command,
    Comparison, Deadline, ImportBatch, Lane, LaneBeforeMove, Lanes, LogIdentity, Mismatch,
    MoveTerms, Moved, Phase, Position, ReplyLane, ReplyLaneBeforeMove, RequestLaneLog, Revision,
    Scope, Shop, ShopCursor, ShopId, Slot, StoredItem, StoredLane, acceptance_of, compare_requests,
};

use crate::owner::{Owner, record};
use crate::requester::{LEASE, Requester, answer, holder};
use crate::scene::{
    BASE, campaign, import, import_receipts, lasting_log, named, narrow, narrow_by, passing_log,
    radius, row, shop, shops_in, terms as import_terms,
};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);
const REPLIES: ReplyLane = ReplyLane(0);
const MOMENT: Duration = Duration::from_secs(1);

/// More lanes than any adapter's tests begin with, and fewer; none divides another.
const MORE: u16 = 11;
const FEWER: u16 = 3;

fn lanes(count: u16) -> Lanes {
    Lanes(NonZeroU16::new(count).unwrap())
}

/// Whatever is stored of a shop moves with it, and every shop is found in its new lane.
pub async fn moved_shops_are_in_their_lanes(harness: &dyn StoreHarness) {
    let mut store = harness.store();
    let ids = everywhere(&store, 60).await;
    let narrowed = [&ids[0], &ids[7], &ids[11]];
    for id in narrowed {
        let lane = store.shops.lanes().lane_of(id);
        Owner::of(&store, lane).await.change(id, narrow("2km")).await;
    }
    harness.corrupt(&ids[3]).await;
    let lost = harness.lose(&StoredItem::Profile(ids[4].to_string())).await;
    let whole = |id: &ShopId| *id != ids[3] && !(lost && *id == ids[4]);
    let (shops, damage) = (all_shops(&store).await, damaged(&store).await);
    for count in [MORE, FEWER] {
        let before = store.shops.lanes();
        let (said, next) = moved(harness, &store, count).await;
        assert_eq!((said.before, said.lanes), (before, lanes(count)));
        store = next;
        assert_eq!(store.shops.lanes(), lanes(count));
        assert_eq!(all_shops(&store).await, shops);
        assert_eq!(damaged(&store).await, damage);
        for id in ids.iter().filter(|id| whole(id)) {
            let expected = if narrowed.contains(&id) { 2_000 } else { BASE };
            assert_eq!(radius(&store, id).await, expected, "{id} in {count} lanes");
        }
        let unreadable = store.shops.get(&ids[3]).await;
        assert!(matches!(unreadable, Err(StoreError::BadData { .. })), "{unreadable:?}");
        let cursors = store.shops.list(&Scope::everything(), None, usize::MAX).await.unwrap();
        let cursors = cursors.found.into_iter();
        let cursors = cursors.map(|shop| ShopCursor::behind(&shop.id, lanes(count)));
        assert!(cursors.is_sorted(), "the shops of a lane lie together");
    }
}

/// Each shop of a campaign keeps its outcomes, whether the campaign is in force or has ended.
pub async fn moved_campaigns_keep_their_outcomes(harness: &dyn StoreHarness) {
    let mut store = harness.store();
    let ids = everywhere(&store, 50).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    let (settled, ended) = (campaign(&store, &ids).await, campaign(&store, &ids).await);
    requester.open().await;
    for (asked, phase) in [(&settled, Activation), (&ended, Activation), (&ended, Release)] {
        if phase == Release {
            store.campaigns.command(asked.name.revision, Command::End).await.unwrap();
        }
        let chunks = store.campaign_ledger.chunks(asked.name.revision).await.unwrap().found;
        let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.number).collect();
        requester.mark(asked, phase, &numbers).await;
        let places = chunks
            .iter()
            .flat_map(|chunk| (chunk.first..chunk.end()).map(move |index| (chunk.number, index)));
        let status = |index: u32| match index % 7 {
            3 => Rejected,
            5 => Unchanged,
            6 if phase == Activation => Superseded,
            _ => Applied,
        };
        let answers = places.map(|place| {
            let mut answer = answer(asked, phase, place, status(place.1));
            answer.outcome.code = (place.1 % 7 == 3).then_some(Code::UnknownShop);
            answer.outcome.detail = (place.1 % 7 == 3).then(|| format!("{place:?}").into());
            answer
        });
        requester.record(asked, &answers.collect::<Vec<_>>()).await;
    }
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    let before = [told(&store, &settled).await, told(&store, &ended).await];
    assert_eq!(before[0].0.state, CampaignState::Settled);
    assert_eq!((before[1].0.state, before[1].0.unreleased), (CampaignState::Ended, 7));
    for count in [MORE, FEWER] {
        let (said, next) = moved(harness, &store, count).await;
        assert_eq!(said.campaigns, 2);
        store = next;
        for (campaign, outcomes) in &before {
            let now = told(&store, campaign).await;
            assert_eq!(now.0, Campaign { reply_lane: None, ..campaign.clone() });
            assert_eq!(&now.1, outcomes, "in {count} lanes");
            check_lanes(&store, campaign.name.revision).await;
        }
        assert_eq!(damaged(&store).await, []);
    }
}

/// Its end asks every shop that may have been asked, and no other one; and it ends.
pub async fn moved_campaign_goes_on(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = everywhere(&store, 40).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    let whole = campaign(&store, &ids).await;
    let partly = campaign(&store, &ids).await;
    requester.open().await;
    run(&store, &mut requester, &whole, (Activation, lasting_log(1)), |_| true).await;
    run(&store, &mut requester, &partly, (Activation, lasting_log(1)), |number| number < 2).await;
    store.campaigns.command(partly.name.revision, Command::GiveUp).await.unwrap();
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    let asked = outcomes(&store, partly.name.revision, Activation).await.into_iter();
    let asked = asked.filter(|outcome| outcome.slot.took_effect()).count();
    assert!(0 < asked && asked < ids.len());
    let (_, store) = moved(harness, &store, MORE).await;
    assert_eq!(radius(&store, &ids[0]).await, 3_000);
    let mut requester = Requester::of(&store, 2, 9).await;
    for (campaign, shops) in [(&partly, asked), (&whole, ids.len())] {
        let revision = campaign.name.revision;
        let ending = store.campaigns.command(revision, Command::End).await.unwrap();
        let shops = u32::try_from(shops).unwrap();
        assert_eq!(ending.state, CampaignState::Ending { open: shops });
        assert_eq!(requester.open().await.len(), 1);
        run(&store, &mut requester, &ending, (Release, lasting_log(2)), |_| true).await;
        let ended = store.campaigns.get(revision).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.unreleased), (CampaignState::Ended, 0));
    }
    for id in &ids {
        let state = shop(&store, id).await.state;
        assert_eq!((state.radius.metres(), state.active.len()), (BASE, 0), "{id}");
    }
    assert_eq!(damaged(&store).await, []);
}

/// Whoever claims a lane first reads the new log from its beginning, and nothing is let through that
/// has passed.
pub async fn moved_lanes_begin_anew(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = everywhere(&store, 30).await;
    let mut before = Owner::of(&store, LANE).await;
    before.change(&shops_in(&store, LANE, 1).await[0], narrow("3km")).await;
    let passed = Deadline::at(harness.now());
    harness.advance(MOMENT);
    let (_, store) = moved(harness, &store, MORE).await;
    harness.step_back(MOMENT);
    for lane in lanes(MORE).iter() {
        let mut owner = Owner::in_log(&store, lane, lasting_log(2)).await;
        assert!(before.claim.epoch < owner.claim.epoch, "{lane}");
        let place = (owner.claim.applied_next, owner.claim.replied_next, owner.claim.last_id);
        assert_eq!(place, (Position(0), Position(0), None), "{lane}");
        let Some(id) = ids.iter().find(|id| lanes(MORE).lane_of(id) == lane) else { continue };
        let receipt = owner.change(id, narrow_by("1km", passed)).await;
        assert!(!receipt.entries[0].outcome.status.took_effect(), "{receipt:?}");
        owner.change(id, narrow("2km")).await;
        assert_eq!(radius(&store, id).await, 2_000);
    }
    let late = before.batch(vec![record(1, &ids[0], narrow("1km"))]);
    let late = before.try_apply(&late).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
}

/// No log that the database ever left is read from its beginning, and what a consumer would meet is
/// told.
pub async fn left_log_is_refused(harness: &dyn StoreHarness) {
    let mut store = harness.store();
    Owner::of(&store, LANE).await;
    let mut left = vec![lasting_log(1)];
    // The first log, one that nobody read, and one that was read.
    for (count, claimed) in [(MORE, None), (FEWER, None), (FEWER, Some(lasting_log(2)))] {
        if let Some(log) = claimed {
            Owner::in_log(&store, LANE, log).await;
            left.push(log);
        }
        store = moved(harness, &store, count).await.1;
        for log in &left {
            for lane in lanes(count).iter() {
                let refused = store.ledger.claim(lane, *log, None).await.unwrap_err();
                let StoreError::Refused { what } = refused else { panic!("{refused:?}") };
                assert!(what.contains("has left this topic"), "{what}");
            }
            assert!(store.restores.has_left(*log).await.unwrap());
            let compared = compare_requests(&stored(&store, LANE).await, &holding(*log));
            assert_eq!(compared, Comparison::Differs(Mismatch::LeftLog));
        }
        let compared = compare_requests(&stored(&store, LANE).await, &holding(lasting_log(9)));
        assert_eq!(compared, Comparison::Unread);
        assert!(!store.restores.has_left(lasting_log(9)).await.unwrap());
    }
    let (known, log) = (stored(&store, LANE).await, holding(left[0]));
    let acceptance = acceptance_of(&known, &log, None).unwrap();
    let (committed, last_id) = (None, None);
    let accepted = AcceptedLane { lane: LANE, stored: known, committed, acceptance, last_id };
    let terms = AcceptTerms { requests: vec![accepted], replies: Vec::new(), dry_run: false };
    store.acceptances.accept(&terms).await.unwrap();
    // Services go on in the accepted log. Other logs that were left do not matter.
    let has_left = async |log| store.restores.has_left(log).await.unwrap();
    assert_eq!((has_left(left[0]).await, has_left(left[1]).await), (false, true));
    let claim = store.ledger.claim(LANE, left[0], None).await.unwrap();
    assert_eq!(claim.applied_next, log.end);
    // A log that ends with its process is not left.
    Owner::in_log(&store, Lane(1), passing_log(3)).await;
}

/// The topic of replies may be another one, with other positions and fewer partitions.
pub async fn moved_reply_lanes_are_forgotten(harness: &dyn StoreHarness) {
    let store = harness.store();
    let log = (lasting_log(1), Position(7));
    let lease = store.reply_lanes.lease(REPLIES, holder(1), log, LEASE).await.unwrap().unwrap();
    store.campaign_ledger.record(&lease, Position(9), &[]).await.unwrap();
    store.reply_lanes.surrender(&lease).await.unwrap();
    let (_, store) = moved(harness, &store, MORE).await;
    assert_eq!(store.acceptances.reply_lanes().await.unwrap(), []);
    let log = (lasting_log(2), Position(3));
    let lease = store.reply_lanes.lease(REPLIES, holder(2), log, LEASE).await.unwrap().unwrap();
    assert_eq!(lease.position, Position(3));
}

/// Nothing is divided anew, so what is proved of requests stays proved. Nothing is answered from it.
pub async fn move_within_the_number_keeps_receipts(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let mut owner = Owner::of(&store, LANE).await;
    owner.change(&ids[0], narrow("3km")).await;
    owner.change(&ids[1], narrow("1km")).await;
    let count = store.shops.lanes().count();
    let (said, store) = moved(harness, &store, count).await;
    assert_eq!((said.before, said.shops), (said.lanes, 2));
    let mut shown = 0;
    store.ledger.visit_receipts(&mut |_, _| shown += 1).await.unwrap();
    assert_eq!(shown, 2);
    assert_eq!(import_receipts(&store, LANE).await.len(), 1);
    let mut owner = Owner::in_log(&store, LANE, lasting_log(2)).await;
    assert_eq!((owner.receipts().await, owner.claim.applied_next), (vec![], Position(0)));
    let receipt = owner.change(&ids[0], narrow("2km")).await;
    assert_eq!(owner.receipts().await, [receipt]);
    let before = store.ledger.claim(Lane(1), lasting_log(1), None).await;
    assert!(matches!(before, Err(StoreError::Refused { .. })), "{before:?}");
}

/// What is under way would be lost with the log, so nothing is changed then.
pub async fn move_needs_a_drained_database(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = everywhere(&store, 9).await;
    let open = campaign(&store, &ids).await;
    let terms = terms(&store, MORE, false).await;
    refused(&store, &terms, "campaign").await;
    let requester = Requester::of(&store, 0, 1).await;
    store.campaigns.command(open.name.revision, Command::End).await.unwrap();
    refused(&store, &terms, "reply lane 0 is leased").await;
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    // It was leased since the lanes were looked at.
    refused(&store, &terms, "reply lane 0").await;
    let looked = self::terms(&store, MORE, false).await;
    Owner::of(&store, LANE).await;
    refused(&store, &looked, "lane 0").await;
    moved(harness, &store, MORE).await;
}

/// Nobody knows where its shops belong.
pub async fn move_of_damage_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = everywhere(&store, 9).await;
    let [listed, counted, read] = [(); 3].map(|()| campaign(&store, &ids));
    let (listed, counted, read) = (listed.await, counted.await, read.await);
    for campaign in [&listed, &counted, &read] {
        store.campaigns.command(campaign.name.revision, Command::End).await.unwrap();
    }
    let terms = terms(&store, MORE, false).await;
    for item in [
        StoredItem::List(listed.name.revision, 0),
        StoredItem::Outcomes(counted.name.revision, 0),
        StoredItem::Campaign(read.name.revision),
    ] {
        harness.damage(&item).await;
        refused(&store, &terms, "`catchment repair` first").await;
    }
}

/// Repeated, everything is as it was.
pub async fn move_may_be_repeated(harness: &dyn StoreHarness) {
    let mut store = harness.store();
    let ids = everywhere(&store, 30).await;
    let first = store.shops.lanes().count();
    let ended = campaign(&store, &ids).await;
    store.campaigns.command(ended.name.revision, Command::End).await.unwrap();
    let (shops, (campaign, outcomes)) = (all_shops(&store).await, told(&store, &ended).await);
    for count in [MORE, MORE, first, first, FEWER, MORE] {
        store = moved(harness, &store, count).await.1;
        assert_eq!(all_shops(&store).await, shops);
        assert_eq!(told(&store, &ended).await, (campaign.clone(), outcomes.clone()));
        check_lanes(&store, ended.name.revision).await;
    }
    assert_eq!(damaged(&store).await, []);
}

/// An import or a campaign that began before is refused, or does it right.
pub async fn what_was_opened_before_a_move_does_no_harm(harness: &dyn StoreHarness) {
    let before = harness.store();
    let ids = everywhere(&before, 30).await;
    let of_before = before.shops.lanes();
    let terms = terms(&before, MORE, false).await;
    let importing = async {
        for _ in 0..20 {
            let revision = before.shops.take_revision().await.unwrap();
            let rows = ids.iter().map(row).collect();
            for batch in ImportBatch::split(rows, of_before) {
                match before.shops.import(&batch, import_terms(revision)).await {
                    Ok(_) => {}
                    Err(error) if is_refused(&error) => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    };
    let (moved, ()) = tokio::join!(before.moves.move_away(&terms), importing);
    moved.unwrap();
    let after = harness.with_lanes(lanes(MORE)).await;
    let has_moved = |id: &&ShopId| of_before.lane_of(id) != lanes(MORE).lane_of(id);
    let elsewhere = ids.iter().find(has_moved).unwrap();
    for batch in ImportBatch::split(vec![row(elsewhere)], of_before) {
        let revision = after.shops.take_revision().await.unwrap();
        let late = before.shops.import(&batch, import_terms(revision)).await;
        assert!(late.as_ref().is_err_and(is_refused), "{late:?}");
    }
    match before.campaigns.add(&crate::scene::draft(named(&ids))).await {
        Ok(late) => check_lanes(&after, late.name.revision).await,
        Err(CommandError::Store(StoreError::OtherLanes(_))) => {}
        Err(error) => panic!("{error:?}"),
    }
    // All users of the memory store share one number of lanes.
    if before.shops.lanes() == of_before {
        for lane in of_before.iter() {
            let late = before.ledger.claim(lane, passing_log(1), None).await;
            assert!(matches!(late, Err(StoreError::OtherLanes(_))), "{lane}: {late:?}");
        }
        let late = before.shops.list(&Scope::everything(), None, 1).await;
        assert!(matches!(late, Err(StoreError::OtherLanes(_))), "{late:?}");
        let (requests, replies) = (Vec::new(), Vec::new());
        let nothing = AcceptTerms { requests, replies, dry_run: false };
        let late = before.acceptances.accept(&nothing).await;
        assert!(matches!(late, Err(StoreError::OtherLanes(_))), "{late:?}");
    }
    assert_eq!(after.shops.count(&Scope::everything()).await.unwrap(), ids.len() as u64);
    for id in &ids {
        assert_eq!(radius(&after, id).await, BASE, "{id}");
    }
    assert_eq!(damaged(&after).await, []);
}

/// Whether a write by the old number of lanes was refused. The memory store knows that only of the
/// lanes of shops.
const fn is_refused(error: &StoreError) -> bool {
    matches!(error, StoreError::OtherLanes(_) | StoreError::Refused { .. })
}

/// A dry run says what would be done.
pub async fn move_dry_run_changes_nothing(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = everywhere(&store, 20).await;
    let ended = campaign(&store, &ids).await;
    store.campaigns.command(ended.name.revision, Command::End).await.unwrap();
    Owner::of(&store, LANE).await;
    let state = async || {
        let lanes = store.acceptances.request_lanes().await.unwrap();
        let told = told(&store, &ended).await;
        (lanes, all_shops(&store).await, told, store.shops.get(&ids[0]).await.unwrap())
    };
    let before = state().await;
    let said = store.moves.move_away(&terms(&store, MORE, true).await).await.unwrap();
    assert_eq!(state().await, before);
    let (done, store) = moved(harness, &store, MORE).await;
    assert_eq!(done, said);
    assert_eq!((said.shops, said.campaigns), (20, 1));
    assert_eq!(store.shops.lanes(), lanes(MORE));
}

/// Adds shops in many lanes, in the order of their ids.
async fn everywhere(store: &Store, count: u32) -> Vec<ShopId> {
    let ids = (0..count).map(|number| format!("shop-{number:03}").parse().unwrap());
    let ids: Vec<ShopId> = ids.collect();
    import(store, &ids.iter().map(row).collect::<Vec<_>>()).await;
    ids
}

/// Returns the terms of a move to so many lanes, from the database as it stands.
async fn terms(store: &Store, count: u16, dry_run: bool) -> MoveTerms {
    let requests = store.acceptances.request_lanes().await.unwrap().into_iter();
    let requests = requests.map(|(lane, stored)| LaneBeforeMove {
        lane,
        stored,
        mismatch: None,
        behind: Behind::Nothing,
    });
    let replies = store.acceptances.reply_lanes().await.unwrap().into_iter();
    let replies = replies.map(|stored| ReplyLaneBeforeMove {
        stored,
        mismatch: None,
        behind: Behind::Nothing,
    });
    let (requests, replies) = (requests.collect(), replies.collect());
    let before = BeforeMove { requests, replies, ..BeforeMove::default() };
    MoveTerms::new(lanes(count), before, dry_run)
}

/// Moves the database, and opens it anew.
pub(crate) async fn moved(harness: &dyn StoreHarness, store: &Store, count: u16) -> (Moved, Store) {
    let moved = store.moves.move_away(&terms(store, count, false).await).await.unwrap();
    (moved, harness.with_lanes(lanes(count)).await)
}

/// It is refused with these words, and changes nothing.
async fn refused(store: &Store, terms: &MoveTerms, words: &str) {
    let (lanes, shops) = (store.acceptances.request_lanes().await.unwrap(), all_shops(store).await);
    let refused = store.moves.move_away(terms).await;
    let Err(StoreError::Refused { what }) = refused else { panic!("{refused:?}") };
    assert!(what.contains(words), "{what}");
    assert_eq!(store.acceptances.request_lanes().await.unwrap(), lanes);
    assert_eq!(all_shops(store).await, shops);
}

/// Every shop that can be read, by its id.
async fn all_shops(store: &Store) -> BTreeMap<ShopId, Shop> {
    let shops = store.shops.list(&Scope::everything(), None, usize::MAX).await.unwrap().found;
    shops.into_iter().map(|shop| (shop.id.clone(), shop)).collect()
}

async fn damaged(store: &Store) -> Vec<StoredItem> {
    let damages = store.repairs.find().await.unwrap().into_iter();
    damages.map(|damage| damage.item).filter(|item| !is_receipt(item)).collect()
}

const fn is_receipt(item: &StoredItem) -> bool {
    matches!(item, StoredItem::Receipt(..) | StoredItem::ImportReceipt(..))
}

async fn outcomes(store: &Store, revision: Revision, phase: Phase) -> Vec<ShopOutcome> {
    let filter = OutcomeFilter { phase, status: None };
    let outcomes = store.campaigns.outcomes(revision, filter, 0, usize::MAX).await.unwrap();
    assert_eq!(outcomes.damaged, []);
    outcomes.found
}

/// A campaign, and the outcomes of each phase by shop, wherever the shop stands in its list.
async fn told(
    store: &Store,
    campaign: &Campaign,
) -> (Campaign, BTreeMap<(Phase, ShopId), ShopOutcome>) {
    let revision = campaign.name.revision;
    let mut told = BTreeMap::new();
    for phase in [Activation, Release] {
        for outcome in outcomes(store, revision, phase).await {
            let outcome = ShopOutcome { index: 0, ..outcome };
            told.insert((phase, outcome.shop.clone()), outcome);
        }
    }
    (store.campaigns.get(revision).await.unwrap().unwrap(), told)
}

/// Each chunk of a campaign holds shops of its lane.
async fn check_lanes(store: &Store, revision: Revision) {
    let chunks = store.campaign_ledger.chunks(revision).await.unwrap().found;
    let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.number).collect();
    let lists = store.campaign_ledger.lists(revision, &numbers).await.unwrap().found;
    let lists: BTreeMap<u32, _> = lists.into_iter().collect();
    for chunk in chunks {
        let mut ids = lists[&chunk.number].iter().map(|id| id.parse::<ShopId>().unwrap());
        assert!(ids.all(|id| store.shops.lanes().lane_of(&id) == chunk.lane), "{chunk:?}");
    }
}

/// Asks the shops of some chunks of a campaign over a log, and records what they answer.
async fn run(
    store: &Store,
    requester: &mut Requester,
    campaign: &Campaign,
    (phase, log): (Phase, LogIdentity),
    is_asked: impl Fn(u32) -> bool,
) {
    let revision = campaign.name.revision;
    let chunks = store.campaign_ledger.chunks(revision).await.unwrap().found;
    let numbers = chunks.iter().map(|chunk| chunk.number).filter(|number| is_asked(*number));
    requester.mark(campaign, phase, &numbers.collect::<Vec<_>>()).await;
    let (mut owners, mut answers) = (BTreeMap::new(), Vec::new());
    for ShopOutcome { index, shop, slot, .. } in outcomes(store, revision, phase).await {
        let chunk = chunks.iter().find(|chunk| index < chunk.end()).unwrap();
        if slot != Slot::Open || !is_asked(chunk.number) {
            continue;
        }
        let lane = store.shops.lanes().lane_of(&shop);
        assert_eq!(chunk.lane, lane);
        if let Entry::Vacant(new) = owners.entry(lane) {
            new.insert(Owner::in_log(store, lane, log).await);
        }
        let receipt = owners.get_mut(&lane).unwrap().ask(campaign, phase, (index, &shop)).await;
        let status = receipt.entries[0].outcome.status;
        answers.push(answer(campaign, phase, (chunk.number, index), status));
    }
    requester.record(campaign, &answers).await;
}

async fn stored(store: &Store, lane: Lane) -> StoredLane {
    let lanes = store.acceptances.request_lanes().await.unwrap();
    lanes.into_iter().find(|(found, _)| *found == lane).unwrap().1
}

/// A log with some requests in each lane.
const fn holding(log: LogIdentity) -> RequestLaneLog {
    let (first, end) = (Position(0), Position(5));
    RequestLaneLog { log, first, end, before: None, without_receipt: None }
}
