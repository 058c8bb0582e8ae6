//! The promises of [`CampaignLedger`](catchment_domain::ports::CampaignLedger).

use std::time::Duration;

use catchment_domain::Phase::{Activation, Release};
use catchment_domain::Status::{Applied, Expired, Rejected, Superseded, Unchanged};
use catchment_domain::ports::{Answer, CommandError, OutcomeFilter, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Code, Command, Damage, Draft, Lane, Nonce, OpenSlots,
    Position, RepairTerms, ReplyLane, Revision, ShopId, Slot, Status, StoredItem,
};

use crate::owner::Owner;
use crate::requester::{LEASE, Requester, answer};
use crate::scene::{BASE, campaign, draft, metres, named, policy, shops_in};
use crate::{Store, StoreHarness};

/// Of two requesters that ask at once one gets each campaign, and keeps it.
pub async fn open_takes_campaigns_of_nobody(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    for _ in 0..3 {
        campaign(&store, &ids).await;
    }
    let (left, right) = (Requester::of(&store, 0, 1).await, Requester::of(&store, 1, 2).await);
    let (of_left, of_right) = tokio::join!(left.open(), right.open());
    assert_eq!(of_left.len() + of_right.len(), 3);
    let lanes = |of: &[Campaign]| of.iter().map(|campaign| campaign.reply_lane).collect::<Vec<_>>();
    assert!(lanes(&of_left).iter().all(|lane| *lane == Some(left.lease.lane)));
    assert!(lanes(&of_right).iter().all(|lane| *lane == Some(right.lease.lane)));
    assert!(of_left.is_sorted_by_key(|campaign| campaign.name));
    assert_eq!((left.open().await, right.open().await), (of_left, of_right));
    let late = campaign(&store, &ids).await;
    assert_eq!(right.open().await.last().map(|campaign| campaign.name), Some(late.name));
    assert!(left.open().await.iter().all(|campaign| campaign.name != late.name));
}

/// What has an end of its own, or a successor that is through, is ended when somebody looks.
pub async fn open_ends_what_is_over(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let until = Some(harness.now().saturating_add(Duration::from_secs(30)));
    let timed = store.campaigns.add(&Draft { until, ..draft(named(&ids)) }).await.unwrap();
    let requester = Requester::of(&store, 0, 1).await;
    assert_eq!(requester.open().await.len(), 1);
    requester.mark(&timed, Activation, &[0]).await;
    harness.advance(Duration::from_secs(31));
    let open = requester.open().await;
    // Two shops may have been sent: two activations and two releases are open.
    assert_eq!(open[0].state, CampaignState::Ending { open: 4 });
    let tallies = store.campaigns.tallies(timed.name.revision).await.unwrap().found;
    assert_eq!((tallies.activation.of(Superseded), tallies.release.open), (1, 2));
}

/// A campaign that was replaced ends once its successor is through, where that did not take
/// effect.
pub async fn open_ends_what_was_replaced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    let old = campaign(&store, &ids).await;
    requester.open().await;
    requester.mark(&old, Activation, &[0, 1]).await;
    record_all(&mut requester, &old, [Applied, Applied, Applied]).await;
    let replaces = Some(old.name.revision);
    let new = store.campaigns.add(&Draft { replaces, ..draft(named(&ids)) }).await.unwrap();
    assert_eq!(requester.open().await.len(), 1, "the old one waits for the new one");
    assert_eq!(get(&store, &old).await.state, CampaignState::Settled);
    requester.mark(&new, Activation, &[0, 1]).await;
    record_all(&mut requester, &new, [Applied, Rejected, Unchanged]).await;
    let open = requester.open().await;
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].name, open[0].state), (old.name, CampaignState::Ending { open: 1 }));
    let released = requester.mark(&old, Release, &[0, 1]).await;
    let slots: Vec<Slot> = released.iter().flat_map(|c| c.releases().iter().copied()).collect();
    assert_eq!(slots, [Slot::Idle, Slot::Open, Slot::Idle]);
}

/// What is marked is released by an end; what is not marked then never is.
pub async fn mark_sent_comes_before_an_end(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    let later = requester.try_mark(&sent, (Activation, Attempt(2)), &[0]).await.unwrap().found;
    assert_eq!(later, [], "that attempt is not the present one");
    let early = requester.mark(&sent, Release, &[0]).await;
    assert_eq!(early, [], "the campaign is not ending");
    let marked = requester.mark(&sent, Activation, &[0]).await;
    assert_eq!(
        marked.iter().map(|c| (c.number, c.sent)).collect::<Vec<_>>(),
        [(0, Some(Attempt::FIRST))]
    );
    let ending = store.campaigns.command(sent.name.revision, Command::End).await.unwrap();
    assert_eq!(ending.state, CampaignState::Ending { open: 4 });
    assert_eq!(requester.mark(&sent, Activation, &[0, 1]).await, []);
    let chunks = requester.mark(&sent, Release, &[0, 1]).await;
    assert_eq!(chunks[0].releases(), [Slot::Open; 2]);
    assert_eq!(chunks[1].releases(), [Slot::Idle]);
    assert_eq!(chunks[1].activations(), [Slot::Closed(Superseded)]);
    assert_eq!(chunks[1].sent, None);
    assert_eq!(chunks[1].detail(Activation, 0).map(|d| d.code), Some(Code::CampaignEnded));
}

/// Whether a mark or an end comes first: what was given out to be sent is released.
pub async fn mark_sent_and_an_end_agree(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let requester = Requester::of(&store, 0, 1).await;
    for _ in 0..16 {
        let sent = campaign(&store, &ids).await;
        requester.open().await;
        let (other, revision) = (harness.store(), sent.name.revision);
        let end =
            tokio::spawn(async move { other.campaigns.command(revision, Command::End).await });
        let marked = requester.mark(&sent, Activation, &[0, 1]).await;
        let ended = end.await.unwrap().unwrap();
        let releases = store.campaigns.tallies(revision).await.unwrap().found.release.open;
        assert_eq!(releases, if marked.is_empty() { 0 } else { 3 });
        assert_eq!(ended.state.open(), releases * 2);
    }
}

/// Who lost the lease marks nothing, so that an end need not release it.
pub async fn mark_sent_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let frozen = Requester::of(&store, 0, 1).await;
    frozen.open().await;
    harness.advance(LEASE * 2);
    let adopter = Requester::of(&store, 0, 2).await;
    let part = (Activation, sent.attempt);
    let late = frozen.try_mark(&sent, part, &[0, 1]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let late = store.campaign_ledger.open(&frozen.lease).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(adopter.open().await.len(), 1);
    let ended = store.campaigns.command(sent.name.revision, Command::End).await.unwrap();
    assert_eq!(ended.state, CampaignState::Ended);
}

/// A record that is refused leaves outcomes and position; one that is not moves both.
pub async fn record_is_atomic(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&sent, Activation, &[0, 1]).await;
    requester.record(&sent, &[answer(&sent, Activation, (0, 0), Applied)]).await;
    harness.advance(LEASE * 2);
    let adopter = Requester::of(&store, 0, 2).await;
    let answers = [1, 2].map(|index| answer(&sent, Activation, (index / 2, index), Applied));
    let refused = requester.try_record(Position(3), &sent, &answers).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!((adopter.lease.position, open(&store, &sent).await), (Position(1), 2));
    adopter.try_record(Position(3), &sent, &answers).await.unwrap();
    harness.advance(LEASE * 2);
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        let next = Requester::of(&store, 0, 3).await;
        assert_eq!((next.lease.position, open(&store, &sent).await), (Position(3), 0));
        store.reply_lanes.surrender(&next.lease).await.unwrap();
    }
}

/// A requester that froze and thawed records nothing, whatever it read.
pub async fn record_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let frozen = Requester::of(&store, 0, 1).await;
    frozen.open().await;
    frozen.mark(&sent, Activation, &[0, 1]).await;
    store.reply_lanes.surrender(&frozen.lease).await.unwrap();
    let next = Requester::of(&store, 0, 2).await;
    let late = answer(&sent, Activation, (0, 0), Applied);
    let late = frozen.try_record(Position(1), &sent, &[late]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(open(&store, &sent).await, 3);
    assert_eq!(next.lease.position, Position(0));
    next.try_record(Position(0), &sent, &[]).await.unwrap();
}

/// A requester whose lane stands elsewhere than it thinks records nothing.
pub async fn record_from_elsewhere_is_fenced(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&sent, Activation, &[0, 1]).await;
    requester.try_record(Position(7), &sent, &[]).await.unwrap();
    let late = answer(&sent, Activation, (0, 0), Applied);
    let late = requester.try_record(Position(9), &sent, &[late]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(get(&store, &sent).await.state, CampaignState::Sending { open: 3 });
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    assert_eq!(Requester::of(&store, 0, 2).await.lease.position, Position(7));
}

/// An answer does not count if its request was applied in a database that is gone. The position of
/// the reply lane does not matter. Once this database has applied the request, the answer counts.
pub async fn record_counts_only_what_was_applied(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let sent = campaign(&store, &ids).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&sent, Activation, &[0, 1]).await;
    let mut owner = Owner::of(&store, Lane(0)).await;
    owner.ask(&sent, Activation, (0, &ids[0])).await;
    // Nobody has claimed the other lane yet.
    let of_requests = |positions: [u64; 3]| {
        let places = [(0, 0), (0, 1), (1, 2)].into_iter().zip(positions);
        let answers = places.map(|(place, position)| Answer {
            request_position: Some(Position(position)),
            ..answer(&sent, Activation, place, Applied)
        });
        answers.collect::<Vec<_>>()
    };
    let recorded = requester.record(&sent, &of_requests([0, 1, 0])).await;
    assert_eq!(recorded.counted, 1);
    let open = |chunk, activations| (sent.name.revision, chunk, left_open(activations, 0));
    assert_eq!(recorded.open, [open(0, 1), open(1, 1)]);
    assert_eq!(get(&store, &sent).await.state, CampaignState::Sending { open: 2 });

    owner.ask(&sent, Activation, (1, &ids[1])).await;
    Owner::of(&store, Lane(1)).await.ask(&sent, Activation, (2, &ids[2])).await;
    assert_eq!(requester.record(&sent, &of_requests([0, 1, 0])).await.counted, 2);
    assert_eq!(get(&store, &sent).await.state, CampaignState::Settled);
}

/// A requester that is given what belongs to another lane does nothing with it.
pub async fn lanes_keep_to_their_campaigns(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let owner = Requester::of(&store, 0, 1).await;
    owner.open().await;
    owner.mark(&sent, Activation, &[0]).await;
    let stranger = Requester::of(&store, 1, 2).await;
    assert_eq!(stranger.mark(&sent, Activation, &[0, 1]).await, []);
    let answers = [answer(&sent, Activation, (0, 0), Applied)];
    let recorded = stranger.try_record(Position(1), &sent, &answers).await.unwrap();
    assert_eq!(recorded, Recorded::default());
    assert_eq!(get(&store, &sent).await.state, CampaignState::Sending { open: 3 });
    let chunks = owner.mark(&sent, Activation, &[0]).await;
    assert_eq!(chunks[0].activations(), [Slot::Open; 2]);
    let ended = store.campaigns.command(sent.name.revision, Command::End).await.unwrap();
    assert_eq!(ended.state, CampaignState::Ending { open: 4 }, "the other chunk was never marked");
}

/// Answers count as the domain's chunk says, whatever comes, and in whatever order.
pub async fn record_goes_by_the_rules(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let sent = campaign(&store, &ids).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    let mut model = requester.mark(&sent, Activation, &[0, 1]).await;
    let mut foreign = answer(&sent, Activation, (0, 1), Applied);
    foreign.ticket.nonce = Nonce::from_random(sent.nonce.get() + 1);
    let mut early = answer(&sent, Activation, (0, 1), Applied);
    early.ticket.attempt = Attempt(2);
    let mut told = answer(&sent, Activation, (0, 0), Rejected);
    told.outcome.code = Some(Code::BadData);
    let answers = [
        told,
        foreign,
        early,
        answer(&sent, Release, (0, 1), Applied),
        answer(&sent, Activation, (0, 0), Expired),
        answer(&sent, Activation, (1, 2), Unchanged),
        answer(&sent, Activation, (1, 2), Applied),
        answer(&sent, Activation, (0, 0), Applied),
        answer(&sent, Activation, (1, 99), Applied),
        answer(&sent, Activation, (9, 2), Applied),
    ];
    let expected = play(&mut model, &sent, &answers);
    let recorded = requester.record(&sent, &answers).await;
    assert_eq!((expected, recorded.counted), (3, 3));
    assert_eq!(requester.mark(&sent, Activation, &[0, 1]).await, model);
    assert_eq!(get(&store, &sent).await.state, CampaignState::Sending { open: 1 });
    requester.record(&sent, &[answer(&sent, Activation, (0, 1), Expired)]).await;
    assert_eq!(get(&store, &sent).await.state, CampaignState::Settled);
    store.campaigns.command(sent.name.revision, Command::End).await.unwrap();
    let ending = get(&store, &sent).await;
    let mut model = requester.mark(&ending, Release, &[0, 1]).await;
    let releases = [0, 1, 2].map(|index| answer(&sent, Release, (index / 2, index), Applied));
    assert_eq!(play(&mut model, &ending, &releases), 3);
    let recorded = requester.record(&sent, &releases).await;
    assert_eq!(recorded.campaigns[0].state, CampaignState::Ended);
    assert_eq!(get(&store, &sent).await.state, CampaignState::Ended);
}

/// Nobody can have answered a request that was not sent yet. So an answer does not count if its
/// chunk was never marked, or not yet in the new attempt.
pub async fn record_counts_only_what_was_sent(harness: &dyn StoreHarness) {
    let store = harness.store();
    let begun = campaign(&store, &two_chunks(&store).await).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&begun, Activation, &[0]).await;
    let early = |campaign: &Campaign| {
        [(0, 0), (0, 1), (1, 2)].map(|place| answer(campaign, Activation, place, Applied))
    };
    assert_eq!(requester.record(&begun, &early(&begun)[2..]).await.counted, 0);
    requester.mark(&begun, Activation, &[1]).await;
    record_all(&mut requester, &begun, [Applied, Rejected, Rejected]).await;
    store.campaigns.command(begun.name.revision, Command::Retry).await.unwrap();
    let again = get(&store, &begun).await;
    assert_eq!(requester.record(&again, &early(&again)).await.counted, 0);
    requester.mark(&again, Activation, &[0]).await;
    assert_eq!(requester.record(&again, &early(&again)).await.counted, 1);
    assert_eq!(open(&store, &again).await, 1);
    // A late answer to the first attempt counts.
    assert_eq!(requester.record(&begun, &early(&begun)).await.counted, 1);
    assert_eq!(get(&store, &again).await.state, CampaignState::Settled);
}

/// What is open of a chunk, by phase.
const fn left_open(activations: u32, releases: u32) -> OpenSlots {
    OpenSlots { activations, releases }
}

/// Answers that are recorded while a campaign is ended: neither undoes the other.
pub async fn record_and_an_end_agree(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    for _ in 0..16 {
        let sent = campaign(&store, &ids).await;
        requester.open().await;
        requester.mark(&sent, Activation, &[0, 1]).await;
        let (other, revision) = (harness.store(), sent.name.revision);
        let end =
            tokio::spawn(async move { other.campaigns.command(revision, Command::End).await });
        record_all(&mut requester, &sent, [Applied, Unchanged, Rejected]).await;
        end.await.unwrap().unwrap();
        let tallies = store.campaigns.tallies(revision).await.unwrap().found;
        assert_eq!((tallies.activation.open, tallies.release.open), (0, 3));
        assert_eq!(get(&store, &sent).await.state, CampaignState::Ending { open: 3 });
    }
}

/// A campaign that cannot be read is named with each look; the others of the lane go on, and it
/// goes on itself as soon as it can be read.
pub async fn damaged_campaign_stands_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let [bad, good] = [campaign(&store, &ids).await, campaign(&store, &ids).await];
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&bad, Activation, &[0, 1]).await;
    let item = StoredItem::Campaign(bad.name.revision);
    harness.damage(&item).await;
    let late = campaign(&store, &ids).await;
    let opened = store.campaign_ledger.open(&requester.lease).await.unwrap();
    let open: Vec<_> = opened.found.iter().map(|campaign| campaign.name).collect();
    assert_eq!(open, [good.name, late.name]);
    check_named(&opened.damaged, &[&item]);
    let part = (Activation, bad.attempt);
    let marked = requester.try_mark(&bad, part, &[0]).await.unwrap();
    assert_eq!(marked.found, []);
    check_named(&marked.damaged, &[&item]);
    requester.mark(&good, Activation, &[0, 1]).await;
    let recorded = requester.record(&bad, &[answer(&bad, Activation, (0, 0), Applied)]).await;
    assert_eq!(recorded.counted, 0);
    check_named(&recorded.damaged, &[&item]);
    record_all(&mut requester, &good, [Applied, Applied, Applied]).await;
    assert_eq!(get(&store, &good).await.state, CampaignState::Settled);
    // Somebody must name it.
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    assert_eq!(store.reply_lanes.orphans().await.unwrap(), [requester.lease.lane]);
}

/// A campaign that cannot be read is named, also if it is alone in its lane and nothing of it is
/// open. So the requester that adopts the lane keeps it, as long as somebody must look.
pub async fn damaged_names_every_campaign(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    for (lane, is_settled) in [(ReplyLane(0), false), (ReplyLane(1), true)] {
        let mut requester = Requester::of(&store, lane.0, 1).await;
        let bad = campaign(&store, &ids).await;
        requester.open().await;
        if is_settled {
            requester.mark(&bad, Activation, &[0, 1]).await;
            record_all(&mut requester, &bad, [Applied, Applied, Applied]).await;
        }
        assert_eq!(store.campaign_ledger.damaged(lane).await.unwrap(), []);
        let item = StoredItem::Campaign(bad.name.revision);
        harness.damage(&item).await;
        check_named(&store.campaign_ledger.damaged(lane).await.unwrap(), &[&item]);
        assert_eq!(store.campaign_ledger.damaged(ReplyLane(2)).await.unwrap(), []);
        if !is_settled {
            let opened = store.campaign_ledger.open(&requester.lease).await.unwrap();
            check_named(&opened.damaged, &[&item]);
        }
        store.reply_lanes.surrender(&requester.lease).await.unwrap();
        assert!(store.reply_lanes.orphans().await.unwrap().contains(&lane));
    }
}

/// Outcomes that cannot be read are named; the other chunks of the campaign go on, and the lane
/// moves on behind answers to these.
pub async fn damaged_outcomes_stand_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let until = Some(harness.now().saturating_add(Duration::from_secs(30)));
    let sent = store.campaigns.add(&Draft { until, ..draft(named(&ids)) }).await.unwrap();
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    let item = StoredItem::Outcomes(sent.name.revision, 0);
    harness.damage(&item).await;
    let part = (Activation, sent.attempt);
    let marked = requester.try_mark(&sent, part, &[0, 1]).await.unwrap();
    assert_eq!(marked.found.iter().map(|chunk| chunk.number).collect::<Vec<_>>(), [1]);
    check_named(&marked.damaged, &[&item]);
    let answers = [(0, 0), (0, 1), (1, 2)].map(|at| answer(&sent, Activation, at, Applied));
    let recorded = requester.record(&sent, &answers).await;
    assert_eq!(
        (recorded.counted, recorded.open),
        (1, vec![(sent.name.revision, 1, left_open(0, 0))])
    );
    check_named(&recorded.damaged, &[&item]);
    assert_eq!(get(&store, &sent).await.state, CampaignState::Sending { open: 2 });
    // Nobody knows what of it would have to be released.
    harness.advance(Duration::from_secs(31));
    let opened = store.campaign_ledger.open(&requester.lease).await.unwrap();
    let states: Vec<_> = opened.found.iter().map(|campaign| campaign.state).collect();
    assert_eq!(states, [CampaignState::Sending { open: 2 }]);
    check_named(&opened.damaged, &[&item]);
    store.reply_lanes.surrender(&requester.lease).await.unwrap();
    let next = Requester::of(&store, 0, 2).await;
    assert_eq!(next.lease.position, Position(3));
}

/// A chunk has lost the row of its outcomes. Every query of the campaign names that chunk. Neither
/// its time nor a command ends the campaign until a repair has mended the chunk. After that, the
/// end releases every shop.
pub async fn lost_outcomes_stand_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    // Chunk 1 is the last one: no later number shows that it is missing.
    for (lost, is_answered) in [(0, true), (1, true), (0, false), (1, false)] {
        let until = Some(harness.now().saturating_add(Duration::from_secs(5)));
        let sent = store.campaigns.add(&Draft { until, ..draft(named(&ids)) }).await.unwrap();
        let revision = sent.name.revision;
        requester.open().await;
        requester.mark(&sent, Activation, &[0, 1]).await;
        if is_answered {
            record_all(&mut requester, &sent, [Applied, Applied, Rejected]).await;
        }
        let item = StoredItem::Outcomes(revision, lost);
        if !harness.lose(&item).await {
            return;
        }
        if !is_answered {
            check_lost_is_not_run(&mut requester, &sent, lost).await;
        }
        check_lost_is_told(&store, revision, lost).await;
        let before = get(&store, &sent).await;
        for command in [Command::End, Command::Retry, Command::GiveUp] {
            let result = store.campaigns.command(revision, command).await;
            let is_bad = matches!(result, Err(CommandError::Store(StoreError::BadData { .. })));
            assert!(is_bad, "{command:?}: {result:?}");
        }
        harness.advance(Duration::from_secs(6));
        let opened = store.campaign_ledger.open(&requester.lease).await.unwrap();
        check_named(&opened.damaged, &[&item]);
        assert_eq!(get(&store, &sent).await, before);

        let default_base = metres(BASE);
        let terms = RepairTerms { policy: policy(), default_base, dry_run: false };
        store.repairs.mend_outcomes(revision, &[lost], &terms).await.unwrap();
        let opened = store.campaign_ledger.open(&requester.lease).await.unwrap();
        assert_eq!(opened.damaged, []);
        let tallies = store.campaigns.tallies(revision).await.unwrap();
        assert_eq!((tallies.found.release.open, tallies.damaged), (3, vec![]));
    }
}

/// A lost chunk is neither sent nor answered, and the other one goes on.
async fn check_lost_is_not_run(requester: &mut Requester, campaign: &Campaign, lost: u32) {
    let item = StoredItem::Outcomes(campaign.name.revision, lost);
    let part = (Activation, campaign.attempt);
    let marked = requester.try_mark(campaign, part, &[0, 1]).await.unwrap();
    assert_eq!(marked.found.iter().map(|chunk| chunk.number).collect::<Vec<_>>(), [1 - lost]);
    check_named(&marked.damaged, &[&item]);
    let answers = [(0, 0), (0, 1), (1, 2)].map(|at| answer(campaign, Activation, at, Applied));
    let recorded = requester.record(campaign, &answers).await;
    assert_eq!(recorded.open, [(campaign.name.revision, 1 - lost, left_open(0, 0))]);
    check_named(&recorded.damaged, &[&item]);
}

/// Checks that each query of a campaign names the chunk that is lost.
async fn check_lost_is_told(store: &Store, revision: Revision, lost: u32) {
    let item = StoredItem::Outcomes(revision, lost);
    let chunks = store.campaign_ledger.chunks(revision).await.unwrap();
    assert_eq!(chunks.found.iter().map(|chunk| chunk.number).collect::<Vec<_>>(), [1 - lost]);
    check_named(&chunks.damaged, &[&item]);
    let tallies = store.campaigns.tallies(revision).await.unwrap();
    check_named(&tallies.damaged, &[&item]);
    let filter = OutcomeFilter { phase: Activation, status: None };
    let outcomes = store.campaigns.outcomes(revision, filter, 0, 9).await.unwrap();
    let places: Vec<u32> = outcomes.found.iter().map(|outcome| outcome.index).collect();
    assert_eq!(places, if lost == 0 { vec![2] } else { vec![0, 1] });
    check_named(&outcomes.damaged, &[&item]);
}

/// Shops that cannot be read are named, and those of other chunks are told.
pub async fn damaged_list_stands_alone(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = two_chunks(&store).await;
    let sent = campaign(&store, &ids).await;
    let item = StoredItem::List(sent.name.revision, 0);
    harness.damage(&item).await;
    let lists = store.campaign_ledger.lists(sent.name.revision, &[0, 1]).await.unwrap();
    let sizes: Vec<_> = lists.found.iter().map(|(number, list)| (*number, list.len())).collect();
    assert_eq!(sizes, [(1, 1)]);
    check_named(&lists.damaged, &[&item]);
    // What was answered counts all the same: an end needs no list.
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&sent, Activation, &[0, 1]).await;
    record_all(&mut requester, &sent, [Applied, Applied, Applied]).await;
    let ending = store.campaigns.command(sent.name.revision, Command::End).await.unwrap();
    assert_eq!(ending.state, CampaignState::Ending { open: 3 });
}

/// These items are named, each with what is wrong.
fn check_named(damages: &[Damage], items: &[&StoredItem]) {
    assert_eq!(damages.iter().map(|damage| &damage.item).collect::<Vec<_>>(), items);
    assert!(damages.iter().all(|damage| !damage.what.is_empty()));
}

/// Every way to ask about a campaign tells what was recorded.
pub async fn record_is_seen_by_all(harness: &dyn StoreHarness) {
    let store = harness.store();
    let sent = campaign(&store, &two_chunks(&store).await).await;
    let revision = sent.name.revision;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&sent, Activation, &[0, 1]).await;
    let answers = [(0, 0, Applied), (1, 2, Rejected)]
        .map(|(chunk, index, status)| answer(&sent, Activation, (chunk, index), status));
    let recorded = requester.record(&sent, &answers).await;
    let state = CampaignState::Sending { open: 1 };
    assert_eq!(recorded.counted, 2);
    assert_eq!(recorded.open, [(revision, 0, left_open(1, 0)), (revision, 1, left_open(0, 0))]);
    assert_eq!(recorded.campaigns.iter().map(|c| c.state).collect::<Vec<_>>(), [state]);
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        assert_eq!(get(&store, &sent).await.state, state);
        assert_eq!(store.campaigns.list(None, 99).await.unwrap().found, [get(&store, &sent).await]);
        let tally = store.campaigns.tallies(revision).await.unwrap().found.activation;
        assert_eq!((tally.open, tally.of(Applied), tally.of(Rejected)), (1, 1, 1));
        let chunks = store.campaign_ledger.chunks(revision).await.unwrap().found;
        assert_eq!(chunks.iter().map(|chunk| chunk.open).collect::<Vec<_>>(), [1, 0]);
        let filter = OutcomeFilter { phase: Activation, status: None };
        let outcomes = store.campaigns.outcomes(revision, filter, 0, 9).await.unwrap().found;
        let slots: Vec<Slot> = outcomes.iter().map(|outcome| outcome.slot).collect();
        assert_eq!(slots, [Slot::Closed(Applied), Slot::Open, Slot::Closed(Rejected)]);
    }
}

/// Two shops of one lane and one of another: a campaign over them has two chunks.
async fn two_chunks(store: &Store) -> Vec<ShopId> {
    let mut ids = shops_in(store, Lane(0), 2).await;
    ids.extend(shops_in(store, Lane(1), 1).await);
    ids
}

/// Answers the three activations of a campaign of two chunks.
async fn record_all(requester: &mut Requester, campaign: &Campaign, statuses: [Status; 3]) {
    let answers: Vec<Answer> = [(0, 0), (0, 1), (1, 2)]
        .into_iter()
        .zip(statuses)
        .map(|(place, status)| answer(campaign, Activation, place, status))
        .collect();
    requester.record(campaign, &answers).await;
}

/// What the domain makes of answers. Returns how many count.
fn play(chunks: &mut [Chunk], campaign: &Campaign, answers: &[Answer]) -> u32 {
    let mut counted = 0;
    for answer in answers {
        if let Some(chunk) = chunks.get_mut(answer.chunk as usize) {
            counted += u32::from(chunk.record(campaign, answer.ticket, &answer.outcome));
        }
    }
    counted
}

async fn get(store: &Store, campaign: &Campaign) -> Campaign {
    store.campaigns.get(campaign.name.revision).await.unwrap().unwrap()
}

async fn open(store: &Store, campaign: &Campaign) -> u32 {
    get(store, campaign).await.state.open()
}
