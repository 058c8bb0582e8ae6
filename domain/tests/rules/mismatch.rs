//! How a lane and its log do not fit each other, and the line that says so.

use catchment_domain::{
    AnyLane, Code, Comparison, Epoch, Lane, LaneProblem, LaneProgress, LaneRemains, LogIdentity,
    Mismatch, Outcome, Position, Receipt, ReceiptEntry, ReplyLane, ReplyLaneRow, RequestId,
    RequestLaneLog, StoredLane, StoredReplyLane, Unclear, UnclearLane, compare_replies,
    compare_requests, is_whole_topic, outcomes_of,
};
use uuid::Uuid;

use Comparison::{Differs, Fits, Unread};

pub(crate) const LOG: LogIdentity = LogIdentity { id: 1, lasting: true };
pub(crate) const OTHER: LogIdentity = LogIdentity { id: 2, lasting: true };
const PASSING: LogIdentity = LogIdentity { id: 3, lasting: false };

pub(crate) fn id(number: u64) -> RequestId {
    RequestId(Uuid::from_u64_pair(9, number))
}

/// A lane that was read in a log: applied and answered up to there.
pub(crate) fn known(
    log: Option<LogIdentity>,
    applied: u64,
    replied: u64,
    last: Option<u64>,
) -> StoredLane {
    let (applied_next, replied_next) = (Position(applied), Position(replied));
    let progress = LaneProgress { lane: Lane(2), log, epoch: Epoch(4), applied_next, replied_next };
    StoredLane::Known { progress, last_id: last.map(id), left: Vec::new() }
}

/// A lane that nobody has claimed since the database left these logs.
pub(crate) fn moved(left: &[LogIdentity]) -> StoredLane {
    let (applied_next, replied_next) = (Position(0), Position(0));
    let progress =
        LaneProgress { lane: Lane(2), log: None, epoch: Epoch(5), applied_next, replied_next };
    StoredLane::Known { progress, last_id: None, left: left.to_vec() }
}

pub(crate) fn lost(read: Option<(LogIdentity, u64)>) -> StoredLane {
    let read = read.map(|(log, next)| (log.id, Position(next)));
    StoredLane::Lost { unreadable: None, remains: LaneRemains { epoch: Epoch(4), read } }
}

/// A log from one position up to another one, with what stands before the next one to apply.
pub(crate) fn log(
    first: u64,
    end: u64,
    before: Option<u64>,
    without_receipt: Option<u64>,
) -> RequestLaneLog {
    RequestLaneLog {
        log: LOG,
        first: Position(first),
        end: Position(end),
        before: before.map(id),
        without_receipt: without_receipt.map(Position),
    }
}

fn early(end: u64, next: u64) -> Comparison {
    Differs(Mismatch::EndsEarly { end: Position(end), next: Position(next) })
}

fn gone(from: u64, first: u64) -> Comparison {
    Differs(Mismatch::RecordsGone { from: Position(from), first: Position(first) })
}

#[test]
fn a_lane_fits_its_log_or_differs_for_one_reason() {
    let other = Differs(Mismatch::OtherRecord { next: Position(9) });
    let receipt = Differs(Mismatch::ReceiptGone { position: Position(7) });
    for (lane, log, expected) in [
        (known(None, 0, 0, None), log(0, 0, None, None), Unread),
        (known(None, 0, 0, None), log(0, 12, None, None), Unread),
        (known(None, 0, 0, None), log(3, 12, None, None), gone(0, 3)),
        (known(Some(PASSING), 9, 9, Some(8)), log(0, 12, None, None), Unread),
        (known(Some(OTHER), 9, 9, Some(8)), log(0, 12, Some(8), None), Differs(Mismatch::OtherLog)),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 12, Some(8), None), Fits),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 9, Some(8), None), Fits),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 8, None, None), early(8, 9)),
        (known(Some(LOG), 9, 9, Some(8)), log(0, 12, Some(7), None), other),
        (known(Some(LOG), 9, 9, Some(8)), log(9, 12, None, None), Fits),
        (known(Some(LOG), 9, 9, None), log(0, 12, Some(7), None), Fits),
        (known(Some(LOG), 9, 9, Some(8)), log(10, 12, None, None), gone(9, 10)),
        (known(Some(LOG), 9, 6, Some(8)), log(6, 12, Some(8), None), Fits),
        (known(Some(LOG), 9, 6, Some(8)), log(7, 12, Some(8), None), gone(6, 7)),
        (known(Some(LOG), 9, 6, Some(8)), log(0, 12, Some(8), Some(7)), receipt),
        (lost(None), log(0, 12, None, None), Differs(Mismatch::NoRow)),
        (moved(&[OTHER]), log(0, 12, None, None), Unread),
        (moved(&[LOG]), log(0, 12, None, None), Differs(Mismatch::LeftLog)),
        (moved(&[OTHER, LOG]), log(0, 0, None, None), Differs(Mismatch::LeftLog)),
    ] {
        assert_eq!(compare_requests(&lane, &log), expected, "{lane:?} {log:?}");
    }
}

#[test]
fn a_problem_counts_where_two_looks_found_the_same() {
    let receipt = |at| Differs(Mismatch::ReceiptGone { position: Position(at) });
    let (unseen, unsteady) =
        (Comparison::Unclear(Unclear::Unseen), Comparison::Unclear(Unclear::Unsteady));
    for (before, now, expected) in [
        (Fits, Fits, Fits),
        (early(4, 9), Fits, Fits),
        (unseen.clone(), Unread, Unread),
        (unseen.clone(), early(4, 9), unseen.clone()),
        (early(4, 9), unseen.clone(), unseen.clone()),
        (Fits, unseen.clone(), unseen),
        (Unread, early(4, 9), unsteady.clone()),
        (Fits, early(4, 9), unsteady.clone()),
        (early(4, 9), early(4, 9), early(4, 9)),
        (early(4, 9), early(5, 9), unsteady.clone()),
        (receipt(3), early(4, 9), unsteady),
        (receipt(3), receipt(4), receipt(4)),
        (gone(4, 9), gone(4, 10), gone(4, 10)),
    ] {
        assert_eq!(now.clone().confirmed_by(&before), expected, "{before:?}, then {now:?}");
    }
}

#[test]
fn a_reply_lane_fits_unless_its_log_or_its_partition_is_another() {
    let row =
        |log| Some(Ok(ReplyLaneRow { log, epoch: Epoch(1), position: Position(7), holder: None }));
    let unreadable = || Some(Err("bad".to_owned()));
    let no_partition = Differs(Mismatch::NoPartition { partitions: 3 });
    for (lane, row, expected) in [
        (2, row(LOG), Fits),
        (2, None, Unread),
        (2, row(PASSING), Unread),
        (2, row(OTHER), Differs(Mismatch::OtherLog)),
        (3, row(LOG), no_partition.clone()),
        (3, None, no_partition),
        (3, row(OTHER), Differs(Mismatch::OtherLog)),
        (2, unreadable(), Differs(Mismatch::UnreadableRow { what: "bad".to_owned() })),
    ] {
        let stored = StoredReplyLane { lane: ReplyLane(lane), row };
        assert_eq!(compare_replies(&stored, (LOG, 3)), expected, "{stored:?}");
    }
}

#[test]
fn a_topic_is_wrong_as_a_whole_where_every_lane_that_was_read_differs() {
    let no_row = || Differs(Mismatch::NoRow);
    let no_partition = || Differs(Mismatch::NoPartition { partitions: 1 });
    for (lanes, is_whole) in [
        (&[][..], false),
        (&[Unread, Unread], false),
        (&[Fits, Unread], false),
        (&[early(4, 9)], true),
        (&[early(4, 9), Unread], true),
        (&[early(4, 9), gone(1, 2)], true),
        (&[Fits, early(4, 9)], false),
        (&[early(4, 9), Comparison::Unclear(Unclear::Unseen)], true),
        (&[Comparison::Unclear(Unclear::Unseen)], false),
        (&[no_row(), no_partition(), Unread], false),
        (&[no_row(), early(4, 9)], true),
    ] {
        assert_eq!(is_whole_topic(lanes), is_whole, "{lanes:?}");
    }
}

#[test]
fn a_problem_is_one_line_that_names_the_command() {
    let all = [
        Mismatch::NoRow,
        Mismatch::UnreadableRow { what: "lane_state.last_id of lane 2: `x`".to_owned() },
        Mismatch::OtherLog,
        Mismatch::LeftLog,
        Mismatch::NoPartition { partitions: 3 },
        Mismatch::EndsEarly { end: Position(4), next: Position(9) },
        Mismatch::OtherRecord { next: Position(9) },
        Mismatch::RecordsGone { from: Position(4), first: Position(9) },
        Mismatch::ReceiptGone { position: Position(4) },
    ];
    for mismatch in all {
        let of_requests = LaneProblem::of(Lane(2), mismatch.clone()).to_string();
        let of_replies = LaneProblem::of_replies(ReplyLane(2), mismatch).to_string();
        for (line, begin, command) in [
            (of_requests, "lane 2: its", "`catchment lanes accept 2`"),
            (of_replies, "reply lane 2: its", "`catchment lanes accept 2 --reply`"),
        ] {
            let begins = line.starts_with(begin) || line.contains(": the ");
            assert!(begins && line.ends_with(command) && !line.contains('\n'), "{line}");
        }
    }
}

#[test]
fn a_lane_that_is_unclear_is_one_line_that_says_what_to_do() {
    let lane = AnyLane::Requests(Lane(2));
    for why in [Unclear::Unseen, Unclear::Unsteady, Unclear::OpenTransaction { from: Position(4) }]
    {
        let said = UnclearLane { lane, why }.to_string();
        assert!(said.starts_with("lane 2: ") && said.contains("repeat the command"), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn outcomes_are_found_by_position_and_id_up_to_the_first_that_is_missing() {
    let outcome = || Outcome::rejected(Code::UnknownShop, None);
    let receipt = |positions: &[u64]| {
        let entry = |at: &u64| ReceiptEntry {
            position: Position(*at),
            id: id(*at),
            shop: None,
            outcome: outcome(),
        };
        let (from, to) = (Position(positions[0]), Position(positions[positions.len() - 1] + 1));
        Receipt { from, to, entries: positions.iter().map(entry).collect() }
    };
    let receipts = || vec![receipt(&[2, 3, 5]), receipt(&[8, 9])];
    for (asked, expected) in [
        (&[][..], Ok(0)),
        (&[(2, 2), (3, 3), (8, 8)], Ok(3)),
        (&[(5, 5), (9, 9)], Ok(2)),
        (&[(3, 3), (4, 4), (5, 5)], Err(4)),
        (&[(3, 7)], Err(3)),
        (&[(9, 9), (10, 10)], Err(10)),
    ] {
        let asked = asked.iter().map(|(at, number)| (Position(*at), id(*number)));
        let found = outcomes_of(asked.collect::<Vec<_>>(), receipts());
        assert_eq!(found.map(|outcomes| outcomes.len()), expected.map_err(Position));
    }
}
