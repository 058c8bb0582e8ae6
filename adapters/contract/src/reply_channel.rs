//! The promises of [`ReplyChannel`](catchment_domain::ports::ReplyChannel).

use catchment_domain::{Position, Reply, ReplyLane, ReturnAddress};

use crate::LogHarness;
use crate::correspondent::{answer, replies, varied_replies};

const LEFT: ReplyLane = ReplyLane(0);
const RIGHT: ReplyLane = ReplyLane(1);

/// Replies of one send go to different lanes, and stand there in the order of the send.
pub async fn replies_reach_their_address(harness: &dyn LogHarness) {
    let log = harness.log();
    assert!(2 <= log.reply_log.lanes());
    let (left, right) = (log.reply_log.address(LEFT), log.reply_log.address(RIGHT));
    assert_ne!(left, right);
    let to_left = varied_replies(0);
    let to_right: Vec<Reply> = varied_replies(100);
    let mixed = to_left
        .iter()
        .zip(&to_right)
        .flat_map(|(one, other)| [(left.clone(), one.clone()), (right.clone(), other.clone())]);
    log.replies.send(mixed.collect()).await.unwrap();
    assert_eq!(replies(&log, LEFT, Position(0)).await, to_left);
    assert_eq!(replies(&log, RIGHT, Position(0)).await, to_right);
    let more = varied_replies(200);
    answer(&log, LEFT, more.clone()).await;
    let from = Position(to_left.len() as u64);
    assert_eq!(replies(&log, LEFT, from).await, more);
}

/// What a foreign client wrote as its address does no harm to the replies beside it.
pub async fn replies_to_nowhere_are_dropped(harness: &dyn LogHarness) {
    let log = harness.log();
    let good = log.reply_log.address(LEFT);
    let address = |bytes: &[u8]| ReturnAddress(bytes.into());
    let nowhere = [address(b""), address(b"\xff\xff"), address(b"x"), address(&[0; 300])];
    let all = varied_replies(0);
    let mut sent: Vec<_> = nowhere.into_iter().zip(all.iter().cloned()).collect();
    sent.insert(2, (good, all[7].clone()));
    log.replies.send(sent).await.unwrap();
    assert_eq!(replies(&log, LEFT, Position(0)).await, [all[7].clone()]);
    assert_eq!(replies(&log, RIGHT, Position(0)).await, []);
}
