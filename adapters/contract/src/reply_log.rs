//! The promises of [`ReplyLog`](catchment_domain::ports::ReplyLog).

use catchment_domain::ports::{LogError, ReplyRecord};
use catchment_domain::{Position, ReplyLane};

use crate::LogHarness;
use crate::correspondent::{answer, replies, varied_replies};

const LANE: ReplyLane = ReplyLane(0);

/// However often, in whatever pieces: the same replies at the same positions.
pub async fn reading_is_repeatable(harness: &dyn LogHarness) {
    let log = harness.log();
    let sent = varied_replies(0);
    answer(&log, LANE, sent.clone()).await;
    let all = log.reply_log.read(LANE, Position(0), 1_000).await.unwrap();
    assert!(all.is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(all.len(), sent.len());
    for max in [1, 4] {
        let (mut pieces, mut from) = (Vec::new(), Position(0));
        while pieces.len() < sent.len() {
            let piece = log.reply_log.read(LANE, from, max).await.unwrap();
            assert!((1..=max).contains(&piece.len()));
            from = piece.last().unwrap().position.next();
            pieces.extend(piece);
        }
        assert_eq!(pieces, all, "{max} at a time");
    }
}

/// A reader that is ahead finds nothing, and is told when there is something.
pub async fn reading_behind_the_end_is_empty(harness: &dyn LogHarness) {
    let log = harness.log();
    let sent = varied_replies(0);
    let mut from = Position(0);
    for reply in sent.into_iter().take(3) {
        assert_eq!(replies(&log, LANE, from).await, []);
        let expected = reply.clone();
        let (waiting, ()) =
            tokio::join!(log.reply_log.wait(LANE, from), answer(&log, LANE, vec![reply]));
        assert_eq!((waiting, replies(&log, LANE, from).await), ((), vec![expected]));
        from = log.reply_log.end(LANE).await.unwrap();
    }
    log.reply_log.wait(LANE, Position(0)).await;
}

/// One further than the end is no place where a reader can have been.
pub async fn reading_beyond_the_end_is_refused(harness: &dyn LogHarness) {
    let log = harness.log();
    for count in [0, 3, 1] {
        answer(&log, LANE, varied_replies(0).into_iter().take(count).collect()).await;
        let end = log.reply_log.end(LANE).await.unwrap();
        assert_eq!(replies(&log, LANE, end).await, []);
        let beyond = end.next();
        match log.reply_log.read(LANE, beyond, 9).await {
            Err(LogError::Beyond { from, end: stated }) => {
                assert_eq!((from, stated), (beyond, end));
            }
            result => panic!("{result:?}"),
        }
    }
}

/// Reading what is gone is an error that says where the rest begins.
pub async fn gone_records_are_not_missed(harness: &dyn LogHarness) {
    let log = harness.log();
    answer(&log, LANE, varied_replies(0)).await;
    let all = log.reply_log.read(LANE, Position(0), 1_000).await.unwrap();
    let (from, next) = (all[0].position, all[3].position);
    log.reply_log.release(LANE, next).await;
    assert_eq!(log.reply_log.read(LANE, next, 1_000).await.unwrap(), all[3..]);
    match log.reply_log.read(LANE, from, 1_000).await {
        Ok(records) => assert_eq!(records, all),
        gone => check_truncated(gone, (from, next)),
    }
    // What was read once more is held again.
    log.reply_log.release(LANE, next).await;
    harness.drop_replies(LANE, next).await;
    check_truncated(log.reply_log.read(LANE, from, 1_000).await, (from, next));
    assert_eq!(log.reply_log.read(LANE, next, 1_000).await.unwrap(), all[3..]);
}

fn check_truncated(result: Result<Vec<ReplyRecord>, LogError>, expected: (Position, Position)) {
    match result {
        Err(LogError::Truncated { from, first }) => assert_eq!((from, first), expected),
        result => panic!("{result:?}"),
    }
}

/// Every status, code and reason arrives whole.
pub async fn replies_are_read_as_sent(harness: &dyn LogHarness) {
    let log = harness.log();
    let sent = varied_replies(0);
    answer(&log, LANE, sent.clone()).await;
    assert_eq!(replies(&log, LANE, Position(0)).await, sent);
}

/// The end is where the next reply will stand, also when all before it are released.
pub async fn end_is_behind_the_newest(harness: &dyn LogHarness) {
    let log = harness.log();
    let before = log.reply_log.end(LANE).await.unwrap();
    assert_eq!(replies(&log, LANE, before).await, []);
    answer(&log, LANE, varied_replies(0)).await;
    let all = log.reply_log.read(LANE, before, 1_000).await.unwrap();
    let end = log.reply_log.end(LANE).await.unwrap();
    assert_eq!(end, all.last().unwrap().position.next());
    log.reply_log.release(LANE, end).await;
    assert_eq!(log.reply_log.end(LANE).await.unwrap(), end);
    assert_eq!(replies(&log, LANE, end).await, []);
    assert_eq!(log.reply_log.end(ReplyLane(1)).await.unwrap(), before);
}
