//! Accepting a lane: where it goes on, what is given up, and that it works then.

use std::time::Duration;

use catchment_domain::{
    Acceptance, AcceptedLane, AcceptedReplyLane, Attempt, Campaign, CampaignId, CampaignRef,
    CampaignState, Committed, Deadline, Epoch, Lane, LogIdentity, Nonce, Position, PositionRange,
    ReplyLane, ReplyLaneRow, RequestLaneLog, Revision, Skipped, StoredLane, StoredReplyLane,
    Timestamp, Unclear, acceptance_of, ask_in_time, compare_requests,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::mismatch::{LOG, OTHER, id, known, log, lost, moved};

fn range(from: u64, to: u64) -> Option<PositionRange> {
    PositionRange::of(Position(from), Position(to))
}

const NOTHING: Skipped = Skipped { of_log_before: None, unapplied: None, unanswered: None };

/// Asserts where the lane goes on (applied, answered), whether its receipts are kept, and what is
/// given up, for a log that remembers this next position.
fn assert_accepted(
    lane: &StoredLane,
    log: &RequestLaneLog,
    committed: Option<u64>,
    (applied, replied, keeps_receipts): (u64, u64, bool),
    skipped: Skipped,
) {
    let committed = committed.map(|next| Committed { epoch: Epoch(4), next: Position(next) });
    let expected = Acceptance {
        log: LOG,
        applied_next: Position(applied),
        replied_next: Position(replied),
        keeps_receipts,
        skipped,
    };
    assert_eq!(acceptance_of(lane, log, committed), Some(expected), "{lane:?} {log:?}");
}

#[test]
fn a_lane_that_fits_its_log_cannot_be_accepted() {
    let (lane, log) = (known(Some(LOG), 9, 9, Some(8)), log(0, 12, Some(8), None));
    assert_eq!(acceptance_of(&lane, &log, None), None);
}

#[test]
fn a_lane_of_another_log_or_of_a_shorter_one_goes_on_at_the_end() {
    let of_log_before = Some(Position(9));
    for (lane, log, goes_on, unapplied, unanswered) in [
        (
            known(Some(OTHER), 9, 6, Some(8)),
            log(2, 12, None, None),
            (12, 12, false),
            range(2, 12),
            range(6, 9),
        ),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 4, None, None), (4, 4, false), range(0, 4), None),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 0, None, None), (0, 0, false), None, None),
    ] {
        let skipped = Skipped { of_log_before, unapplied, unanswered };
        assert_accepted(&lane, &log, None, goes_on, skipped);
    }
}

#[test]
fn a_log_that_was_left_goes_on_at_the_end() {
    let skipped = Skipped { unapplied: range(2, 12), ..NOTHING };
    let goes_on = (12, 12, false);
    assert_accepted(&moved(&[LOG]), &log(2, 12, None, None), None, goes_on, skipped);
}

#[test]
fn a_hole_is_skipped_and_replies_without_a_record_or_a_receipt_are_given_up() {
    for (lane, log, goes_on, unapplied, unanswered) in [
        (
            known(Some(LOG), 9, 6, Some(8)),
            log(11, 12, None, None),
            (11, 11, true),
            range(9, 11),
            range(6, 9),
        ),
        (
            known(Some(LOG), 9, 5, Some(8)),
            log(7, 12, Some(8), None),
            (9, 7, true),
            None,
            range(5, 7),
        ),
        (
            known(Some(LOG), 9, 5, Some(8)),
            log(7, 12, Some(8), Some(8)),
            (9, 9, true),
            None,
            range(5, 9),
        ),
        (
            known(Some(LOG), 9, 5, Some(8)),
            log(0, 12, Some(8), Some(7)),
            (9, 9, true),
            None,
            range(5, 9),
        ),
    ] {
        let skipped = Skipped { unapplied, unanswered, ..NOTHING };
        assert_accepted(&lane, &log, None, goes_on, skipped);
    }
}

#[test]
fn a_lane_without_a_row_goes_on_by_its_receipts_and_by_what_the_log_remembers() {
    let whole = log(0, 12, None, None);
    let cut = log(10, 12, None, None);
    for (lane, log, committed, goes_on, skipped) in [
        (
            lost(Some((LOG, 9))),
            &whole,
            None,
            (9, 9, true),
            Skipped { unanswered: range(0, 9), ..NOTHING },
        ),
        (
            lost(Some((LOG, 9))),
            &cut,
            Some(7),
            (10, 10, true),
            Skipped { unapplied: range(9, 10), unanswered: range(7, 9), ..NOTHING },
        ),
        (
            lost(Some((LOG, 9))),
            &whole,
            Some(7),
            (9, 9, true),
            Skipped { unanswered: range(7, 9), ..NOTHING },
        ),
        (
            lost(Some((LOG, 9))),
            &cut,
            Some(9),
            (10, 10, true),
            Skipped { unapplied: range(9, 10), ..NOTHING },
        ),
        (lost(None), &whole, Some(9), (9, 9, true), NOTHING),
        (
            lost(Some((OTHER, 9))),
            &whole,
            None,
            (12, 12, false),
            Skipped { unapplied: range(0, 12), ..NOTHING },
        ),
        (
            lost(Some((LOG, 14))),
            &whole,
            None,
            (12, 12, false),
            Skipped {
                of_log_before: Some(Position(14)),
                unapplied: range(0, 12),
                unanswered: range(0, 14),
            },
        ),
    ] {
        assert_accepted(&lane, log, committed, goes_on, skipped);
    }
}

#[test]
fn a_lane_goes_on_at_its_end_only_where_nothing_is_held_back() {
    let unseen = Err(Unclear::Unseen);
    let held_back = Err(Unclear::OpenTransaction { from: Position(12) });
    for (keeps_receipts, end, expected) in [
        (false, Some(12), Ok(())),
        (false, Some(11), Ok(())),
        (false, Some(13), held_back),
        (false, None, unseen),
        (true, Some(13), Ok(())),
        (true, None, Ok(())),
    ] {
        let (applied_next, replied_next) = (Position(12), Position(12));
        let skipped = NOTHING;
        let acceptance =
            Acceptance { log: LOG, applied_next, replied_next, keeps_receipts, skipped };
        let end = end.map(Position);
        assert_eq!(acceptance.check_end(end), expected, "{acceptance:?} {end:?}");
    }
}

#[test]
fn a_lane_that_is_accepted_knows_the_record_before_it() {
    let stored = known(Some(OTHER), 9, 9, Some(8));
    let acceptance = acceptance_of(&stored, &log(0, 12, None, None), None).unwrap();
    let (lane, committed) = (Lane(2), None);
    let taken = AcceptedLane { lane, stored, committed, acceptance, last_id: None };
    for (seen, expected) in [
        (log(0, 12, Some(7), None), Ok(Some(id(7)))),
        (log(0, 14, Some(7), None), Ok(Some(id(7)))),
        (log(12, 12, None, None), Ok(None)),
        (log(0, 11, None, None), Err(Unclear::Unsteady)),
        (RequestLaneLog { log: OTHER, ..log(0, 12, Some(7), None) }, Err(Unclear::Unsteady)),
    ] {
        let behind = taken.clone().behind_the_record_in(&seen);
        assert_eq!(behind.map(|taken| taken.last_id), expected, "{seen:?}");
        // A log that is made again after that is another one, although nothing was applied.
        let again = known(Some(LOG), 12, 12, expected.ok().flatten().map(|_| 7));
        let differs = compare_requests(&again, &log(0, 12, Some(6), None)).mismatch().is_some();
        assert_eq!(differs, matches!(expected, Ok(Some(_))));
    }
}

/// A log and a lane, written out record by record.
#[derive(Clone, Debug)]
struct Case {
    first: u64,
    /// The record at each position from 0 on, also of those that are gone.
    records: Vec<u64>,
    applied: u64,
    replied: u64,
    last: Option<u64>,
    /// The positions whose receipts are gone.
    no_receipts: Vec<bool>,
    log: LogIdentity,
}

impl Case {
    fn end(&self) -> u64 {
        self.records.len() as u64
    }

    fn record(&self, position: u64) -> Option<u64> {
        let is_there = self.first <= position;
        self.records.get(usize::try_from(position).unwrap()).copied().filter(|_| is_there)
    }

    fn has_receipt(&self, position: u64) -> bool {
        !self.no_receipts.get(usize::try_from(position).unwrap()).copied().unwrap_or_default()
    }

    fn stored(&self) -> StoredLane {
        known(Some(self.log), self.applied, self.replied, self.last)
    }

    fn seen(&self) -> RequestLaneLog {
        let mut open = self.replied.max(self.first)..self.applied.min(self.end());
        let without = open.find(|position| !self.has_receipt(*position));
        let before = self.applied.checked_sub(1).and_then(|last| self.record(last));
        log(self.first, self.end(), before, without)
    }

    /// Reads the lane as a consumer does, one record after the other. Returns the positions that it
    /// answers and those that it applies; `None` where it stops.
    fn read(&self) -> Option<(Vec<u64>, Vec<u64>)> {
        if self.log != LOG || self.end() < self.applied {
            return None;
        }
        let before = self.applied.checked_sub(1).and_then(|last| self.record(last));
        if self.last.is_some() && before.is_some() && self.last != before {
            return None;
        }
        let mut answered = Vec::new();
        for position in self.replied..self.applied {
            self.record(position)?;
            if !self.has_receipt(position) {
                return None;
            }
            answered.push(position);
        }
        // Retention may have gone beyond what was applied, with nothing to answer.
        if self.applied < self.first {
            return None;
        }
        Some((answered, (self.applied..self.end()).collect()))
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (0_u64..6, 0_usize..8, 0_u64..9, 0_u64..9);
    let rest = (prop::option::of(0_u64..3), prop::collection::vec(any::<bool>(), 0..9), 0..4);
    (sizes, rest, prop::collection::vec(0_u64..3, 8)).prop_map(
        |((first, length, applied, answered), (last, no_receipts, log), ids)| {
            let records: Vec<u64> = ids.into_iter().take(length).collect();
            let first = first.min(records.len() as u64);
            let log = if log == 0 { OTHER } else { LOG };
            let no_receipts = no_receipts.into_iter().map(|it| it && applied % 2 == 0).collect();
            let replied = answered.min(applied);
            Case { first, records, applied, replied, last, no_receipts, log }
        },
    )
}

fn is_in(range: Option<PositionRange>, at: u64) -> bool {
    range.is_some_and(|range| range.from.0 <= at && at < range.to.0)
}

proptest! {
    /// Of a lane whose row is gone, every record is applied once or named, and every reply that is
    /// not given is named. Its log may remember how far it was answered.
    #[test]
    fn prop_lost_row_is_same_as_naive(case in cases(), remembered in prop::option::of(0_u64..9)) {
        let is_here = case.log == LOG;
        let remembered = remembered.filter(|_| is_here).map(|next| next.min(case.replied));
        let committed =
            remembered.map(|next| Committed { epoch: Epoch(4), next: Position(next) });
        let accepted =
            acceptance_of(&lost(Some((case.log, case.applied))), &case.seen(), committed);
        prop_assert!(accepted.is_some());
        let Some(accepted) = accepted else { return Ok(()) };
        let Skipped { unapplied, unanswered, .. } = accepted.skipped;
        for at in 0..case.end() {
            let was_applied = accepted.keeps_receipts && at < case.applied;
            let is_applied = accepted.applied_next.0 <= at;
            let is_gone = at < case.first && !accepted.keeps_receipts;
            let is_kept = was_applied || is_applied || is_gone;
            prop_assert!(is_kept || is_in(unapplied, at), "{at} is lost: {accepted:?}");
            prop_assert!(!(was_applied && is_applied), "{at} is applied twice");
        }
        for at in case.replied..case.applied {
            prop_assert!(!is_here || is_in(unanswered, at), "the reply to {at}: {accepted:?}");
        }
    }

    /// A lane differs exactly where a consumer that reads record by record stops; and one that is
    /// taken as it is goes on, with every record applied or answered that is not named.
    #[test]
    fn prop_same_as_naive(case in cases()) {
        let compared = compare_requests(&case.stored(), &case.seen());
        let read = case.read();
        prop_assert_eq!(compared.mismatch().is_none(), read.is_some(), "{:?}", compared);
        let accepted = acceptance_of(&case.stored(), &case.seen(), None);
        prop_assert_eq!(accepted.is_some(), read.is_none());
        let Some(accepted) = accepted else { return Ok(()) };
        let mut next = Case {
            applied: accepted.applied_next.0,
            replied: accepted.replied_next.0,
            last: None,
            log: accepted.log,
            ..case.clone()
        };
        if !accepted.keeps_receipts {
            next.no_receipts = vec![true; 9];
        }
        let read = next.read();
        prop_assert!(read.is_some(), "{:?}", next);
        prop_assert_eq!(acceptance_of(&next.stored(), &next.seen(), None), None, "accepted once");
        let (answered, applied) = read.unwrap_or_default();
        let Skipped { of_log_before, unapplied, unanswered } = accepted.skipped;
        for at in 0..case.end() {
            let was_applied = accepted.keeps_receipts && at < case.applied;
            let is_kept = was_applied || applied.contains(&at);
            let is_gone = at < case.first && !accepted.keeps_receipts;
            prop_assert!(is_kept || is_in(unapplied, at) || is_gone, "{at} is lost: {accepted:?}");
            prop_assert!(!(was_applied && applied.contains(&at)), "{at} is applied twice");
        }
        for at in case.replied..case.applied {
            let is_kept = answered.contains(&at);
            prop_assert!(is_kept != is_in(unanswered, at), "the reply to {at}: {accepted:?}");
        }
        prop_assert_eq!(of_log_before.is_some(), !accepted.keeps_receipts);
    }
}

#[test]
fn a_reply_lane_stands_still_while_nobody_leases_or_reads_it() {
    let row = ReplyLaneRow { log: LOG, epoch: Epoch(1), position: Position(7), holder: None };
    let unreadable = |what: &str| Some(Err(what.to_owned()));
    let held = ReplyLaneRow { holder: Some("r-1".to_owned()), ..row.clone() };
    let leased = ReplyLaneRow { epoch: Epoch(2), ..row.clone() };
    let read = ReplyLaneRow { position: Position(8), ..row.clone() };
    let moved = ReplyLaneRow { log: OTHER, ..row.clone() };
    for (before, now, is_still) in [
        (Some(Ok(row.clone())), Some(Ok(row.clone())), true),
        (Some(Ok(row.clone())), Some(Ok(held)), true),
        (Some(Ok(row.clone())), Some(Ok(leased)), false),
        (Some(Ok(row.clone())), Some(Ok(read)), false),
        (Some(Ok(row.clone())), Some(Ok(moved)), false),
        (Some(Ok(row.clone())), None, false),
        (None, Some(Ok(row.clone())), false),
        (None, None, true),
        (unreadable("bad"), unreadable("bad"), true),
        (unreadable("bad"), Some(Ok(row)), false),
    ] {
        let stored = StoredReplyLane { lane: ReplyLane(2), row: before };
        let accepted = AcceptedReplyLane { stored, log: LOG, end: None };
        assert_eq!(accepted.check(now.as_ref()).is_ok(), is_still, "{accepted:?} {now:?}");
    }
}

#[test]
fn only_activations_that_would_not_be_asked_in_time_need_a_new_attempt() {
    let at = |millis| Deadline::at(Timestamp::from_millis(millis));
    let (now, sending) = (Timestamp::from_millis(1_000), CampaignState::Sending { open: 3 });
    for (state, replaced_by, deadline, mark, attempt, expected) in [
        (sending, None, at(61_000), at(0), 1, Ok(None)),
        (sending, None, at(60_999), at(0), 1, Ok(Some((2, at(66_000))))),
        (sending, None, at(500), at(0), 1, Ok(Some((2, at(66_000))))),
        (sending, None, at(90_000), at(90_000), 1, Ok(Some((2, at(95_000))))),
        (sending, Some(Revision(9)), at(500), at(0), 1, Ok(None)),
        (CampaignState::Ending { open: 3 }, None, at(500), at(0), 1, Ok(None)),
        (CampaignState::Settled, None, at(500), at(0), 1, Ok(None)),
        (sending, None, at(500), at(0), Attempt::MAX.0, Err(())),
    ] {
        let campaign = Campaign {
            name: CampaignRef { revision: Revision(4), id: CampaignId(Uuid::nil()) },
            nonce: Nonce::from_random(1),
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            reason: String::new(),
            shops: 3,
            created_at: Timestamp::from_millis(0),
            timeout: Duration::from_secs(5),
            until: None,
            replaces: None,
            replaced_by,
            reply_lane: None,
            attempt: Attempt(attempt),
            deadline,
            state,
            unreleased: 0,
        };
        let asked = ask_in_time(&campaign, (now, mark)).map_err(drop);
        let said = asked.map(|next| next.map(|next| (next.attempt.0, next.deadline)));
        assert_eq!(said, expected, "{campaign:?}");
    }
}
