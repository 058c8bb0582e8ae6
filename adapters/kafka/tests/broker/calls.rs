//! Single calls, beside the replies of campaigns in the same lane.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{CallChannel, CallError, ReplyChannel, ReplyLog, RequestChannel};
use catchment_domain::{Change, Lane, Position, Reply, ReplyLane, Request, RequestId, Status};
use catchment_kafka::Caller;
use uuid::Uuid;

use crate::poison::{judged, requests};
use crate::world::{REPLY_LANES, World, shop_in};

const LANE: Lane = Lane(2);
/// Where calls are answered: in the last lane.
const OWN: ReplyLane = ReplyLane(REPLY_LANES - 1);
const LONG: Duration = Duration::from_mins(1);

fn release() -> Change {
    Change::ReleaseKind { kind: "manual".parse().unwrap(), deadline: None }
}

async fn caller(world: &World, pending: usize) -> Caller {
    world.cluster.caller(pending, Arc::clone(&world.clock) as _).await.unwrap()
}

async fn call(caller: &Caller, within: Duration) -> Result<Reply, CallError> {
    caller.call(shop_in(LANE), release(), within).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_is_answered_beside_a_campaigns_replies() {
    let world = World::new().await;
    let caller = caller(&world, 10).await;
    let shop = shop_in(LANE);
    let of_campaign =
        Request { id: RequestId(Uuid::now_v7()), shop: shop.clone(), change: release() };
    let address = world.reply_log.address(OWN);
    world.requests.send(vec![of_campaign.clone()], &address).await.unwrap();
    let consuming = async {
        let records = requests(&world, LANE, 2).await;
        world.replies.send(judged(LANE, records)).await.unwrap();
    };
    let (reply, ()) = tokio::join!(call(&caller, LONG), consuming);
    let reply = reply.unwrap();
    assert_eq!((reply.outcome.status, &reply.shop), (Status::Unchanged, &Some(shop)));
    assert_eq!(reply.id.0.get_version_num(), 7);

    let mut replies = Vec::new();
    while replies.len() < 2 {
        let from = Position(replies.len() as u64);
        world.reply_log.wait(OWN, from).await;
        replies.extend(world.reply_log.read(OWN, from, 10).await.unwrap());
    }
    let ids: Vec<_> = replies.iter().map(|record| record.reply.as_ref().unwrap().id).collect();
    assert_eq!(ids, [of_campaign.id, reply.id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_that_the_consumer_fails_says_whether_to_call_again() {
    let world = World::new().await;
    let caller = caller(&world, 1).await;
    for (count, retryable) in [(1, true), (2, false)] {
        let failing = async {
            let record = requests(&world, LANE, count).await.remove(count - 1);
            let failure =
                format!(r#"{{"code":"no_service","message":"no","retryable":{retryable}}}"#);
            world.inject_failure(OWN, &record.id.0.to_string(), failure.as_bytes()).await;
        };
        let (failed, ()) = tokio::join!(call(&caller, LONG), failing);
        let error = failed.unwrap_err();
        assert_eq!(error.to_string(), "the replier failed with `no_service`: no");
        assert_eq!(matches!(error, CallError::NoReply(_)), retryable, "{error:?}");
        assert_eq!(matches!(error, CallError::Refused(_)), !retryable, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_without_a_lane_for_its_reply_does_not_start() {
    let world = World::new().await;
    let replies = &world.settings.replies_topic;
    world.topics.delete(replies).await.unwrap();
    while world.topics.partitions(replies).await.unwrap().is_some() {}
    let error = world.cluster.caller(1, Arc::clone(&world.clock) as _).await.unwrap_err();
    let missing = format!("there is no topic `{replies}`: `catchment topics create` makes it");
    assert_eq!(error.to_string(), missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_without_an_answer_says_what_may_have_become_of_it() {
    let world = World::new().await;
    let caller = caller(&world, 1).await;
    let short = Duration::from_millis(50);
    let (first, second) = tokio::join!(call(&caller, short), call(&caller, short));
    for (error, said) in [
        (first, "no reply came in time; the request may still take effect"),
        (second, "1 calls wait already, and no more may"),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(&error, CallError::NoReply(why) if why.to_string() == said), "{error:?}");
    }

    let answered = async {
        let record = requests(&world, LANE, 2).await.remove(1);
        let reply = format!(r#"{{"id":"{}","status":"done"}}"#, record.id);
        world.inject_reply(OWN, &record.id.0.to_string(), reply.as_bytes()).await;
    };
    let (odd, ()) = tokio::join!(call(&caller, LONG), answered);
    assert!(matches!(odd, Err(CallError::Unreadable(_))), "{odd:?}");

    caller.close(LONG).await.unwrap();
    let closed = call(&caller, LONG).await;
    assert!(matches!(closed, Err(CallError::NoReply(_))), "{closed:?}");
}
