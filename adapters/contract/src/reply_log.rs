//! The promises of [`ReplyLog`](catchment_domain::ports::ReplyLog).

use catchment_domain::ports::LogError;
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

/// Reading what is gone is an error that says where the rest begins.
pub async fn released_records_are_not_missed(harness: &dyn LogHarness) {
    let log = harness.log();
    answer(&log, LANE, varied_replies(0)).await;
    let all = log.reply_log.read(LANE, Position(0), 1_000).await.unwrap();
    let (from, next) = (all[0].position, all[3].position);
    log.reply_log.release(LANE, next).await;
    assert_eq!(log.reply_log.read(LANE, next, 1_000).await.unwrap(), all[3..]);
    match log.reply_log.read(LANE, from, 1_000).await {
        Err(LogError::Truncated { from: asked, first }) => {
            assert_eq!((asked, first), (from, next));
        }
        Ok(records) => {
            assert!(!harness.capabilities().forgets);
            assert_eq!(records, all);
        }
        Err(error) => panic!("{error}"),
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
