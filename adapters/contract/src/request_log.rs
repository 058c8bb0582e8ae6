//! The promises of [`RequestLog`](catchment_domain::ports::RequestLog).

use std::fmt::Debug;
use std::time::Duration;

use catchment_domain::ports::{LogError, Stretch};
use catchment_domain::{Committed, Epoch, Lane, Position};
use tokio::time::timeout;

use crate::LogHarness;
use crate::correspondent::{id, ids, read, requests, send, shop_in, stretch};

const LANE: Lane = Lane(0);
const MOMENT: Duration = Duration::from_millis(100);

/// However often, in whatever pieces: the same records at the same positions.
pub async fn reading_is_repeatable(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    send(&log, requests(0, 7, &shop)).await;
    let all = read(&log, LANE, 0).await;
    assert_eq!(ids(&all), (0..7).map(id).collect::<Vec<_>>());
    send(&log, requests(7, 3, &shop)).await;
    assert_eq!(read(&log, LANE, 0).await[..7], all);
    for max in [1, 3, 7] {
        let (mut pieces, mut from) = (Vec::new(), Position(0));
        while pieces.len() < 7 {
            let piece = log.request_log.read(LANE, from, max).await.unwrap();
            assert!((1..=max).contains(&piece.requests.len()));
            from = piece.last.unwrap().0.next();
            pieces.extend(piece.requests);
        }
        assert_eq!(pieces[..7], all, "{max} at a time");
    }
}

/// A reader that is ahead finds nothing, and is told when there is something.
pub async fn reading_behind_the_end_is_empty(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    assert_eq!(read(&log, LANE, 0).await, []);
    let first = async {
        log.request_log.wait(LANE, Position(0)).await;
        read(&log, LANE, 0).await
    };
    let (records, ()) = tokio::join!(first, send(&log, requests(0, 1, &shop)));
    assert_eq!(ids(&records), [id(0)]);
    // There is one already: nothing to wait for.
    log.request_log.wait(LANE, Position(0)).await;
    let behind = records[0].position.next();
    assert_eq!(read(&log, LANE, behind.0).await, []);
    let (waiting, ()) =
        tokio::join!(log.request_log.wait(LANE, behind), send(&log, requests(1, 1, &shop)));
    assert_eq!((waiting, ids(&read(&log, LANE, behind.0).await)), ((), vec![id(1)]));
}

/// One further than the end is no place where a reader can have been.
pub async fn reading_beyond_the_end_is_refused(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    for (number, count) in [(0, 0), (0, 3), (3, 1)] {
        send(&log, requests(number, count, &shop)).await;
        let all = read(&log, LANE, 0).await;
        let end = all.last().map_or(Position(0), |record| record.position.next());
        assert_eq!(read(&log, LANE, end.0).await, []);
        let last = log.request_log.last_before(LANE, end).await.unwrap();
        assert_eq!(last, all.last().map(|record| record.id));
        let beyond = end.next();
        check_beyond(log.request_log.read(LANE, beyond, 9).await, (beyond, end));
        check_beyond(log.request_log.last_before(LANE, beyond).await, (beyond, end));
    }
}

fn check_beyond<T: Debug>(result: Result<T, LogError>, expected: (Position, Position)) {
    match result {
        Err(LogError::Beyond { from, end }) => assert_eq!((from, end), expected),
        result => panic!("{result:?}"),
    }
}

/// Reading what is gone is an error that says where the rest begins.
pub async fn gone_records_are_not_missed(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    send(&log, requests(0, 5, &shop)).await;
    let all = read(&log, LANE, 0).await;
    let (from, next) = (all[0].position, all[3].position);
    log.request_log.commit(LANE, answered(next)).await;
    // Going back is nothing: what was released stays so.
    log.request_log.commit(LANE, answered(from)).await;
    assert_eq!(read(&log, LANE, next.0).await, all[3..]);
    match log.request_log.read(LANE, from, 9).await {
        Ok(stretch) => assert_eq!(stretch.requests, all),
        gone => check_truncated(gone, (from, next)),
    }
    // What was read once more is held again.
    log.request_log.commit(LANE, answered(next)).await;
    harness.drop_requests(LANE, next).await;
    let before = all[2].position;
    check_truncated(log.request_log.read(LANE, from, 9).await, (from, next));
    check_truncated(log.request_log.read(LANE, before, 9).await, (before, next));
    assert_eq!(read(&log, LANE, next.0).await, all[3..]);
}

fn check_truncated(result: Result<Stretch, LogError>, expected: (Position, Position)) {
    match result {
        Err(LogError::Truncated { from, first }) => assert_eq!((from, first), expected),
        result => panic!("{result:?}"),
    }
}

/// What belongs to others is not returned, whether something else stands around it or not, and
/// nobody is stopped by it.
pub async fn foreign_records_are_passed_over(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    let (mut from, mut last) = (Position(0), None);
    for (number, count) in [(0, 0), (0, 2), (2, 1)] {
        send(&log, requests(number, count, &shop)).await;
        let foreign = harness.send_foreign(LANE).await;
        let newest = number + count as u64;
        last = foreign.or_else(|| newest.checked_sub(1).map(id));
        let passed = stretch(&log, LANE, from.0).await;
        assert_eq!(ids(&passed.requests), (number..).take(count).map(id).collect::<Vec<_>>());
        assert_eq!(passed.last.map(|(_, id)| id), last);
        from = passed.last.map_or(from, |(position, _)| position.next());
        assert_eq!(log.request_log.last_before(LANE, from).await.unwrap(), last);
        assert_eq!(stretch(&log, LANE, from.0).await, Stretch::default());
    }
    assert_eq!(ids(&read(&log, LANE, 0).await), [0, 1, 2].map(id));
    assert_eq!(stretch(&log, LANE, 0).await.last.map(|(_, id)| id), last);
}

/// The record before a position is known by its id.
pub async fn last_before_names_the_record(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    let last_before = |position| log.request_log.last_before(LANE, position);
    assert_eq!(last_before(Position(0)).await.unwrap(), None);
    send(&log, requests(0, 3, &shop)).await;
    let records = read(&log, LANE, 0).await;
    for record in &records {
        assert_eq!(last_before(record.position.next()).await.unwrap(), Some(record.id));
    }
    log.request_log.commit(LANE, answered(records[1].position)).await;
    harness.drop_requests(LANE, records[1].position).await;
    assert_eq!(last_before(records[1].position).await.unwrap(), None);
    assert_eq!(last_before(records[2].position).await.unwrap(), Some(id(1)));
}

/// The next owner, and everybody who looks from outside, finds what an owner has committed.
pub async fn committed_is_remembered(harness: &dyn LogHarness) {
    let log = harness.log();
    let shop = shop_in(harness.lanes(), LANE);
    assert_eq!(log.request_log.committed(LANE).await.unwrap(), None);
    assert!(log.commits.committed().await.unwrap().is_empty());
    assert_eq!(log.commits.identity(), log.request_log.identity());
    send(&log, requests(0, 3, &shop)).await;
    let records = read(&log, LANE, 0).await;
    for (epoch, at) in [(1, 0), (1, 1), (7, 2)] {
        let committed = Committed { epoch: Epoch(epoch), next: records[at].position.next() };
        log.request_log.commit(LANE, committed).await;
        // A log may show it a moment later, and not while it is busy.
        while log.request_log.committed(LANE).await.unwrap() != Some(committed) {
            let behind = records[2].position.next();
            let _ = timeout(MOMENT, log.request_log.wait(LANE, behind)).await;
        }
        assert_eq!(log.commits.committed().await.unwrap(), [(LANE, committed)].into());
    }
}

fn answered(next: Position) -> Committed {
    Committed { epoch: Epoch(1), next }
}
