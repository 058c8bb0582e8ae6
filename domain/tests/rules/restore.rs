//! A restored database: when it is noticed, and how it goes on.

use std::time::Duration;

use catchment_domain::{
    Attempt, Campaign, CampaignId, CampaignRef, CampaignState, Change, Chunk, Committed,
    Comparison, Deadline, Epoch, Known, Lane, LaneProgress, LaneRemains, LogIdentity, Mismatch,
    NoPlace, Nonce, Phase, Position, Radius, Replaced, ReplyLane, ReplyLaneRow, Request,
    RequestRecord, ReturnAddress, Revision, SeenCampaign, SinceBackup, Slot, Status, StoredLane,
    StoredReplyLane, Ticket, Timestamp, Unclear, ask_again, can_have_applied, check_committed,
    check_lanes, check_log, epoch_after, reply_lane_after, requests_since_backup,
};
use proptest::prelude::*;
use uuid::Uuid;

use CampaignState::{Ended, Ending, Sending, Settled};
use Slot::{Closed, Idle, Open};
use Status::{Applied, Expired, Rejected, Superseded};

const LANE: Lane = Lane(2);

fn database(epoch: u64, applied_next: u64) -> LaneProgress {
    let (epoch, next) = (Epoch(epoch), Position(applied_next));
    LaneProgress { lane: LANE, log: None, epoch, applied_next: next, replied_next: Position(0) }
}

fn committed(epoch: u64, next: u64) -> Committed {
    Committed { epoch: Epoch(epoch), next: Position(next) }
}

#[test]
fn a_log_that_knows_more_than_the_database_shows_that_it_was_restored() {
    for (log, is_older) in [
        (None, false),
        (Some(committed(4, 900)), false),
        (Some(committed(5, 0)), false),
        (Some(committed(5, 100)), false),
        (Some(committed(5, 101)), true),
        (Some(committed(6, 0)), true),
        (Some(committed(6, 900)), true),
        (Some(committed(99_999_999_999, 0)), true),
        (Some(committed(Epoch::BELIEVED.0, 0)), true),
        (Some(committed(Epoch::BELIEVED.0 + 1, 900)), false),
        (Some(committed(u64::MAX, u64::MAX)), false),
    ] {
        let checked = check_committed(&database(5, 100), log);
        assert_eq!(checked.is_err(), is_older, "{log:?}");
        let again = epoch_after(Epoch(5), log);
        assert_eq!(check_committed(&database(again.0, 100), log), Ok(()), "after it: {log:?}");
        assert!(again.next().is_some(), "a database can read it: {log:?}");
    }
    let line = check_committed(&database(5, 100), Some(committed(6, 900))).unwrap_err().to_string();
    assert!(!line.contains('\n'));
    for part in
        ["epoch 6 answered lane 2 up to 900", "epoch 5 and position 100", "database restored`"]
    {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_reply_tells_of_a_database_that_applied_its_request() {
    for (applied_next, request, expected) in [
        (None, None, true),
        (Some(0), None, true),
        (None, Some(0), false),
        (Some(0), Some(0), false),
        (Some(7), Some(6), true),
        (Some(7), Some(7), false),
        (Some(7), Some(u64::MAX), false),
        (Some(u64::MAX), Some(0), true),
    ] {
        let can = can_have_applied(applied_next.map(Position), request.map(Position));
        assert_eq!(can, expected, "{applied_next:?} {request:?}");
    }
}

/// A lane's row, the log that its positions belong to, what another log remembers, and whether the
/// database is older.
#[test]
fn epochs_are_compared_with_every_log_and_positions_with_their_own() {
    let [this, other] = [1, 2].map(|id| LogIdentity { id, lasting: true });
    for (log, remembered, is_older) in [
        (None, committed(5, 101), true),
        (Some(this), committed(5, 101), true),
        (Some(this), committed(6, 0), true),
        (Some(other), committed(5, 101), false),
        (Some(other), committed(4, 900), false),
        (Some(other), committed(6, 0), true),
        (Some(other), committed(Epoch::BELIEVED.0 + 1, 900), false),
    ] {
        let lane = LaneProgress { log, ..database(5, 100) };
        let checked = check_lanes(&[lane], (this, &[(LANE, remembered)].into()));
        assert_eq!(checked.is_err(), is_older, "{log:?} {remembered:?}");
        let again = LaneProgress { epoch: epoch_after(Epoch(5), Some(remembered)), ..lane };
        let checked = check_lanes(&[again], (this, &[(LANE, remembered)].into()));
        assert_eq!(checked, Ok(()), "after it: {log:?} {remembered:?}");
    }
}

/// What each lane of the database was read in, what the log remembers of it, and whether the log is
/// the wrong one.
#[test]
fn a_log_is_the_wrong_one_if_no_lane_belongs_to_it() {
    let log = |id, lasting| Some(LogIdentity { id, lasting });
    let (this, other, ended) = (log(1, true), log(2, true), log(3, false));
    let (nothing, lower, higher) = (None, Some(committed(5, 900)), Some(committed(6, 0)));
    let forged = Some(committed(Epoch::BELIEVED.0 + 1, 0));
    for (lanes, is_wrong) in [
        (&[][..], false),
        (&[(None, nothing), (ended, nothing)], false),
        (&[(other, nothing), (this, nothing)], false),
        (&[(other, lower), (other, higher)], false),
        (&[(other, nothing)], true),
        (&[(other, lower), (None, higher), (ended, nothing)], true),
        (&[(other, forged)], true),
    ] {
        let lane = |number: usize| Lane(u16::try_from(number).unwrap());
        let database = lanes.iter().enumerate().map(|(number, (log, _))| LaneProgress {
            lane: lane(number),
            log: *log,
            ..database(5, 100)
        });
        let database: Vec<LaneProgress> = database.collect();
        let remembered = lanes.iter().enumerate();
        let remembered =
            remembered.filter_map(|(number, (_, committed))| Some((lane(number), (*committed)?)));
        let checked = check_log(&database, (this.unwrap(), &remembered.collect()));
        assert_eq!(checked.is_err(), is_wrong, "{lanes:?}");
    }
}

/// The log that the lane was read in, what came of comparing it with the present one, and where the
/// requests since the backup begin.
#[test]
fn the_requests_since_a_backup_begin_behind_what_was_applied_if_the_log_is_the_one_that_was_read() {
    let log = |id, lasting| LogIdentity { id, lasting };
    let (this, other, ended) = (log(1, true), log(2, true), log(3, false));
    let known = |log| {
        let progress = LaneProgress { log, ..database(5, 100) };
        StoredLane::Known { progress, last_id: None, left: Vec::new() }
    };
    let lost = |unreadable: Option<&str>| {
        let unreadable = unreadable.map(str::to_owned);
        StoredLane::Lost { unreadable, remains: LaneRemains::default() }
    };
    let differs = Comparison::Differs;
    let (none, at) = (|mismatch| Err(NoPlace::Differs(mismatch)), |at| Ok(Position(at)));
    let early = || Mismatch::EndsEarly { end: Position(40), next: Position(100) };
    let replaced = || Mismatch::OtherRecord { next: Position(100) };
    let gone = |first| Mismatch::RecordsGone { from: Position(90), first: Position(first) };
    let unreadable = || Mismatch::UnreadableRow { what: "bad".to_owned() };
    for (stored, comparison, expected) in [
        (known(Some(this)), Comparison::Fits, at(100)),
        (known(None), Comparison::Unread, at(0)),
        (known(Some(ended)), Comparison::Unread, at(0)),
        (known(Some(this)), differs(gone(95)), at(100)),
        (known(Some(this)), differs(gone(120)), at(100)),
        (known(Some(this)), differs(Mismatch::ReceiptGone { position: Position(99) }), at(100)),
        (known(Some(this)), differs(early()), none(early())),
        (known(Some(this)), differs(replaced()), none(replaced())),
        (known(Some(other)), differs(Mismatch::OtherLog), none(Mismatch::OtherLog)),
        (lost(None), differs(Mismatch::NoRow), none(Mismatch::NoRow)),
        (lost(Some("bad")), differs(unreadable()), none(unreadable())),
        (
            known(Some(this)),
            Comparison::Unclear(Unclear::Unseen),
            Err(NoPlace::Unclear(Unclear::Unseen)),
        ),
    ] {
        let begin = requests_since_backup(&stored, &comparison, this);
        assert_eq!(begin, expected, "{stored:?} {comparison:?}");
    }
}

#[test]
fn a_reply_lane_goes_on_at_its_end_if_it_fits_its_log() {
    let log = |id, lasting| LogIdentity { id, lasting };
    let row = |log| Ok(ReplyLaneRow { log, epoch: Epoch(3), position: Position(9), holder: None });
    let bad = || "reply_lane.position".to_owned();
    let ends = [(ReplyLane(0), Position(70)), (ReplyLane(1), Position(80))].into();
    for (lane, row, expected) in [
        (1, Some(row(log(1, true))), Ok(Position(80))),
        (1, Some(row(log(2, false))), Ok(Position(80))),
        (0, None, Ok(Position(70))),
        (1, Some(row(log(2, true))), Err(Mismatch::OtherLog)),
        (1, Some(Err(bad())), Err(Mismatch::UnreadableRow { what: bad() })),
        (2, Some(row(log(1, true))), Err(Mismatch::NoPartition { partitions: 2 })),
    ] {
        let stored = StoredReplyLane { lane: ReplyLane(lane), row };
        assert_eq!(reply_lane_after(&stored, (log(1, true), &ends)), expected, "{stored:?}");
    }
}

/// What happens to a lane.
#[derive(Clone, Copy, Debug)]
enum Event {
    Claim,
    Apply(u64),
    /// The owner tells the log, perhaps of a while ago.
    Commit {
        late: u64,
    },
}

proptest! {
    /// An honest database is never refused. A backup from before a claim that was committed is
    /// always refused, and so is a backup from before a position that its own owner committed.
    #[test]
    fn prop_only_an_older_database_is_refused(
        events in prop::collection::vec(
            prop_oneof![
                1 => Just(Event::Claim),
                3 => (1_u64..50).prop_map(Event::Apply),
                2 => (0_u64..60).prop_map(|late| Event::Commit { late }),
            ],
            1..60,
        ),
    ) {
        let (mut now, mut log) = (database(0, 0), None);
        let mut begun = 0;
        // Each state that was backed up, and whether the log has heard of a later one.
        let mut backups: Vec<(LaneProgress, bool)> = Vec::new();
        for event in events {
            match event {
                Event::Claim => {
                    now.epoch = Epoch(now.epoch.0 + 1);
                    begun = now.applied_next.0;
                }
                Event::Apply(count) => now.applied_next = Position(now.applied_next.0 + count),
                Event::Commit { late } => {
                    let next = now.applied_next.0.saturating_sub(late).max(begun);
                    log = Some(committed(now.epoch.0, next));
                    for (backup, is_known) in &mut backups {
                        *is_known |= backup.epoch < now.epoch || backup.applied_next.0 < next;
                    }
                }
            }
            prop_assert_eq!(check_committed(&now, log), Ok(()));
            for (backup, is_known) in &backups {
                let is_refused = check_committed(backup, log).is_err();
                prop_assert!(!is_refused || *is_known, "nothing was committed since");
                let is_claimed_since = log.is_some_and(|log| backup.epoch < log.epoch);
                prop_assert!(is_refused || !is_claimed_since);
            }
            backups.push((now, false));
        }
    }
}

const REVISION: Revision = Revision(7);
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn nonce() -> Nonce {
    Nonce::from_random(42)
}

fn deadline(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

/// A campaign in its second attempt, whose deadline has passed.
fn campaign(state: CampaignState) -> Campaign {
    Campaign {
        name: CampaignRef { revision: REVISION, id: CampaignId(Uuid::from_u128(7)) },
        nonce: nonce(),
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        reason: String::new(),
        shops: 3,
        created_at: Timestamp::from_millis(0),
        timeout: Duration::from_mins(5),
        until: None,
        replaces: None,
        replaced_by: None,
        reply_lane: None,
        attempt: Attempt(2),
        deadline: deadline(500_000),
        state,
        unreleased: 0,
    }
}

fn chunk(sent: Option<u16>, activations: &[Slot], releases: &[Slot]) -> Chunk {
    let mut releases = releases.to_vec();
    releases.resize(activations.len(), Idle);
    Chunk::restore((0, LANE, 0), sent.map(Attempt), activations.to_vec(), releases, Vec::new())
}

fn seen(attempt: u16, millis: i64) -> SeenCampaign {
    let (attempt, deadline) = (Attempt(attempt), deadline(millis));
    SeenCampaign { attempt, deadline, was_ended: false }
}

/// Asks again what is open of a campaign with one chunk. Returns attempt, deadline in milliseconds,
/// state and whether the chunk may have been sent; `None` where nothing changed.
fn asked(
    campaign: &Campaign,
    chunk: &Chunk,
    seen: Option<SeenCampaign>,
    mark: i64,
) -> Option<(u16, i64, CampaignState, bool)> {
    let mut chunks = [chunk.clone()];
    let again = ask_again(campaign, &mut chunks, seen, (NOW, deadline(mark))).unwrap();
    if again.is_none() {
        assert_eq!(chunks[0], *chunk, "nothing changes");
    }
    let again = again?;
    let unchanged = Campaign {
        attempt: campaign.attempt,
        deadline: campaign.deadline,
        state: campaign.state,
        ..again.clone()
    };
    assert_eq!(unchanged, *campaign, "nothing else changes");
    let millis = again.deadline.instant().millis();
    Some((again.attempt.0, millis, again.state, chunks[0].may_have_been_sent()))
}

#[test]
fn what_is_open_is_asked_again_above_everything_that_was_sent() {
    let open = chunk(None, &[Closed(Applied), Open, Open], &[]);
    let sending = campaign(Sending { open: 2 });
    // Five minutes from when the services are at work, or from what is later than that.
    assert_eq!(asked(&sending, &open, None, 0), Some((3, 1_360_000, Sending { open: 2 }, true)));
    let behind = Some((3, 2_300_000, Sending { open: 2 }, true));
    assert_eq!(asked(&sending, &open, None, 2_000_000), behind, "above the mark");
    let sent = Some((3, 1_550_000, Sending { open: 2 }, true));
    assert_eq!(asked(&sending, &open, Some(seen(2, 1_250_000)), 0), sent, "above what was sent");
    let above = asked(&sending, &open, Some(seen(9, 500_000)), 0);
    assert_eq!(above.unwrap().0, 10, "no request since the backup has this attempt");
}

#[test]
fn a_forged_request_uses_up_neither_time_nor_attempts() {
    let open = chunk(None, &[Closed(Applied), Open, Open], &[]);
    let sending = campaign(Sending { open: 2 });
    let (_, millis, ..) = asked(&sending, &open, Some(seen(2, i64::MAX)), 0).unwrap();
    assert_eq!(millis, 1_600_000, "no deadline that was given by now is later than 1,300,000");
    let (attempt, ..) = asked(&sending, &open, Some(seen(Attempt::MAX.0, 0)), 0).unwrap();
    assert_eq!(attempt, 103, "a campaign is not retried a hundred times");
}

#[test]
fn what_was_retried_since_the_backup_is_asked_again_too() {
    let slots = [Closed(Expired), Closed(Rejected), Open];
    let open = chunk(Some(2), &slots, &[]);
    let sending = campaign(Sending { open: 1 });
    let (_, _, state, _) = asked(&sending, &open, Some(seen(2, 500_000)), 0).unwrap();
    assert_eq!(state, Sending { open: 1 }, "no retry was seen");
    let (attempt, _, state, _) = asked(&sending, &open, Some(seen(3, 900_000)), 0).unwrap();
    assert_eq!((attempt, state), (4, Sending { open: 3 }), "its requests may apply now");
}

#[test]
fn what_is_settled_or_ended_stays() {
    let done = chunk(Some(2), &[Closed(Applied), Closed(Expired)], &[]);
    assert_eq!(asked(&campaign(Settled), &done, None, 0), None);
    // An old request with a later deadline is rejected, because the campaign keeps its own.
    let kept = Some((4, 500_000, Settled, true));
    assert_eq!(asked(&campaign(Settled), &done, Some(seen(3, 2_000_000)), 0), kept);
    let released = chunk(Some(2), &[Closed(Applied)], &[Closed(Applied)]);
    assert_eq!(asked(&campaign(Ended), &released, None, 0), None);
    assert_eq!(
        asked(&campaign(Ended), &released, Some(seen(3, 0)), 0),
        Some((4, 500_000, Ended, true))
    );
}

#[test]
fn releases_are_asked_again_and_keep_the_deadline_of_the_activations() {
    let never = chunk(None, &[Closed(Superseded)], &[]);
    let open = chunk(Some(2), &[Closed(Applied), Open], &[Open, Closed(Applied)]);
    let ending = campaign(Ending { open: 2 });
    assert_eq!(asked(&ending, &open, None, 0), Some((3, 500_000, Ending { open: 2 }, true)));
    // What was never sent before the end was not sent after it.
    assert_eq!(asked(&ending, &never, None, 0), Some((3, 500_000, Ended, false)));
}

#[test]
fn a_campaign_that_was_replaced_gets_no_new_deadline() {
    let open = chunk(Some(2), &[Open], &[]);
    let replaced = Campaign { replaced_by: Some(Revision(8)), ..campaign(Sending { open: 1 }) };
    assert_eq!(asked(&replaced, &open, None, 0), Some((3, 500_000, Sending { open: 1 }, true)));
}

#[test]
fn there_is_no_attempt_above_the_last() {
    let open = chunk(Some(2), &[Open], &[]);
    let last = Campaign { attempt: Attempt::MAX, ..campaign(Sending { open: 1 }) };
    let mut chunks = [open];
    let result = ask_again(&last, &mut chunks, Some(seen(1, 0)), (NOW, deadline(0)));
    assert!(result.is_err());
}

fn record(id: Ticket, change: Change) -> RequestRecord {
    let id = id.id();
    RequestRecord {
        position: Position(0),
        id,
        return_address: ReturnAddress::default(),
        request: Ok(Request { id, shop: "s".parse().unwrap(), change }),
    }
}

fn ticket(revision: u64, attempt: u16, phase: Phase) -> Ticket {
    let (revision, attempt) = (Revision(revision), Attempt(attempt));
    Ticket { revision, phase, attempt, index: 0, nonce: nonce() }
}

fn activation(revision: u64, attempt: u16, millis: i64) -> RequestRecord {
    let Campaign { name, kind, limit, .. } = campaign(Settled);
    let name = CampaignRef { revision: Revision(revision), ..name };
    let old = CampaignRef { revision: Revision(1), ..name };
    let replaces = Some(Replaced { campaign: old, deadline: deadline(9_000_000) });
    let deadline = deadline(millis);
    let change = Change::Activate { campaign: name, kind, limit, deadline, replaces };
    record(ticket(revision, attempt, Phase::Activation), change)
}

fn base(revision: u64) -> RequestRecord {
    let revision = Revision(revision);
    let change = Change::SetBase { revision, radius: Radius::CLOSED, deadline: None };
    record(ticket(1, 1, Phase::Activation), change)
}

/// Nothing was read yet, and the database has one campaign.
fn since_backup() -> SinceBackup {
    let Campaign { name, nonce, .. } = campaign(Settled);
    let (campaigns, damaged) = (vec![(name, nonce)], [Revision(4)].into());
    SinceBackup::new(Known { newest: REVISION, campaigns, damaged })
}

#[test]
fn requests_since_the_backup_say_what_became_of_a_campaign() {
    let mut since = since_backup();
    let this = campaign(Settled);
    assert_eq!((since.of(&this), since.campaigns().count()), (None, 0));
    for (attempt, millis) in [(3, 10), (5, 40), (4, 30)] {
        since.add(&activation(7, attempt, millis));
    }
    assert_eq!(since.of(&this), Some(seen(5, 40)));
    let release = Change::Release { campaign: this.name, deadline: deadline(20) };
    since.add(&record(ticket(7, 5, Phase::Release), release));
    assert!(since.of(&this).unwrap().was_ended);
    assert_eq!(since.campaigns().collect::<Vec<_>>(), [REVISION]);
    // Another random number, and ids of another campaign and of another phase.
    let other = Campaign { nonce: Nonce::from_random(1), ..this.clone() };
    assert_eq!(since.of(&other), None);
    let change = activation(7, 9, 90).request.unwrap().change;
    since.add(&record(ticket(8, 9, Phase::Activation), change));
    since.add(&record(ticket(7, 9, Phase::Release), change));
    assert_eq!(since.of(&this).unwrap().attempt, Attempt(5));
    assert_eq!((since.newest(), since.requests()), (REVISION, 6));
    assert!(since.lost().is_empty());
}

#[test]
fn requests_since_the_backup_name_what_was_given_out() {
    let mut since = since_backup();
    since.add(&activation(12, 1, 0));
    assert_eq!(since.newest(), Revision(12));
    since.add(&base(15));
    assert_eq!(since.newest(), Revision(15));
    since.add(&base(1_795_309_200_000));
    since.add(&activation(1_795_309_200_000, 1, 0));
    assert_eq!(since.newest(), Revision(15), "a time is no revision");
    // Revision 6 was taken before the backup, and its campaign was not stored by then.
    since.add(&activation(6, 1, 0));
    // A damaged campaign is not lost. Neither is a campaign for which a request with another nonce
    // was forged.
    since.add(&activation(4, 1, 0));
    let other = Ticket { nonce: Nonce::from_random(1), ..ticket(7, 1, Phase::Activation) };
    since.add(&record(other, activation(7, 1, 0).request.unwrap().change));
    assert_eq!(since.lost().iter().copied().collect::<Vec<_>>(), [Revision(6), Revision(12)]);
    assert_eq!(since.campaigns().count(), 0);
}
