//! Single calls, beside the replies of campaigns in the same lane.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{LogError, ReplyChannel, ReplyLog, RequestChannel};
use catchment_domain::{Change, Lane, Position, ReplyLane, Request, RequestId, Status};
use catchment_kafka::{CallError, CallerError};
use uuid::Uuid;

use crate::poison::{judged, requests};
use crate::world::{World, shop_in};

const LANE: Lane = Lane(2);
const OWN: ReplyLane = ReplyLane(1);
const LONG: Duration = Duration::from_mins(1);

fn release() -> Change {
    Change::ReleaseKind { kind: "manual".parse().unwrap(), deadline: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_is_answered_beside_a_campaigns_replies() {
    let world = World::new().await;
    let caller = world.reply_log.caller(OWN, 10, Arc::clone(&world.clock) as _).await.unwrap();
    let shop = shop_in(LANE);
    let of_campaign =
        Request { id: RequestId(Uuid::now_v7()), shop: shop.clone(), change: release() };
    let address = world.reply_log.address(OWN);
    world.requests.send(vec![of_campaign.clone()], &address).await.unwrap();
    let consuming = async {
        let records = requests(&world, LANE, 2).await;
        world.replies.send(judged(LANE, records)).await.unwrap();
    };
    let (reply, ()) = tokio::join!(caller.call(shop.clone(), release(), LONG), consuming);
    let reply = reply.unwrap();
    assert_eq!((reply.outcome.status, &reply.shop), (Status::Unchanged, &Some(shop)));
    assert_eq!(reply.id.0.get_version_num(), 7);

    let mut replies = Vec::new();
    while replies.len() < 2 {
        world.reply_log.wait(OWN, Position(replies.len() as u64)).await;
        let from = Position(replies.len() as u64);
        replies.extend(world.reply_log.read(OWN, from, 10).await.unwrap());
    }
    let ids: Vec<_> = replies.iter().map(|record| record.reply.as_ref().unwrap().id).collect();
    assert_eq!(ids, [of_campaign.id, reply.id]);
    world.reply_log.release(OWN, Position(2)).await;
    assert_eq!(world.reply_log.read(OWN, Position(2), 10).await.unwrap(), []);
    assert_eq!(caller.counters().answered, 1);
    assert_eq!(caller.pending(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_that_the_consumer_fails_ends_with_its_code() {
    let world = World::new().await;
    let caller = world.reply_log.caller(OWN, 1, Arc::clone(&world.clock) as _).await.unwrap();
    let failing = async {
        let record = requests(&world, LANE, 1).await.remove(0);
        let failure = r#"{"code":"no_service","message":"not now","retryable":true}"#;
        world.inject_failure(OWN, &record.id.0.to_string(), failure.as_bytes()).await;
    };
    let (failed, ()) = tokio::join!(caller.call(shop_in(LANE), release(), LONG), failing);
    let [status, code, message] = ["failed", "no_service", "not now"].map(str::to_owned);
    let expected = CallError::Failed { status, code, message, retryable: true };
    assert_eq!(failed, Err(CallerError::Call(expected)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_in_a_lane_that_is_not_there_does_not_start() {
    let world = World::new().await;
    let lane = ReplyLane(world.reply_log.lanes());
    let error = world.reply_log.caller(lane, 1, Arc::clone(&world.clock) as _).await.unwrap_err();
    assert!(matches!(&error, LogError::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_without_an_answer_says_what_may_have_become_of_it() {
    let world = World::new().await;
    let caller = world.reply_log.caller(OWN, 1, Arc::clone(&world.clock) as _).await.unwrap();
    let call = |within| caller.call(shop_in(LANE), release(), within);
    let short = Duration::from_millis(50);
    let (first, second) = tokio::join!(call(short), call(short));
    assert_eq!(first, Err(CallerError::Call(CallError::TimedOut)));
    assert!(matches!(second, Err(CallerError::Call(CallError::NotPending(_)))), "{second:?}");

    let answered = async {
        let record = requests(&world, LANE, 2).await.remove(1);
        let reply = format!(r#"{{"id":"{}","status":"done"}}"#, record.id);
        world.inject_reply(OWN, &record.id.0.to_string(), reply.as_bytes()).await;
    };
    let (odd, ()) = tokio::join!(call(LONG), answered);
    assert_eq!(odd, Err(CallerError::Unreadable));

    caller.stop();
    assert_eq!(call(LONG).await, Err(CallerError::Call(CallError::Closed)));
    assert!(world.reply_log.caller(ReplyLane(0), 1, Arc::clone(&world.clock) as _).await.is_err());
}
