//! Whether topics are still those that a database has read.

use catchment_domain::ports::{ReplyLog, RequestLog};
use catchment_domain::{Lane, LogIdentity, Position, RequestId};
use catchment_kafka::Reached;
use uuid::Uuid;

use crate::world::{REPLY_LANES, World};

const LANE: Lane = Lane(1);

/// What a database that has read two requests of the lane knows of it.
async fn two_read(world: &World) -> Reached {
    for value in [b"one", b"two"] {
        world.inject(LANE, None, Some(value), Vec::new()).await;
    }
    let next = Position(2);
    let last_id = world.request_log.last_before(LANE, next).await.unwrap();
    Reached { log: world.request_log.identity(), partition: LANE.0, next, last_id }
}

async fn said(world: &World, requests: &[Reached], replies: &[Reached]) -> Vec<String> {
    let problems = world.cluster.check_reached(requests, replies).await.unwrap();
    problems.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn topics_that_were_read_so_far_are_taken() {
    let world = World::new().await;
    let reached = two_read(&world).await;
    assert!(reached.last_id.is_some());
    let never = Reached { partition: 0, next: Position(0), last_id: None, ..reached };
    let replies = Reached { log: world.reply_log.identity(), ..never };
    assert_eq!(said(&world, &[never, reached], &[replies]).await, [""; 0]);
    let of_another_process = LogIdentity { id: 1, lasting: false };
    let before = Reached { log: of_another_process, next: Position(9), ..reached };
    assert_eq!(said(&world, &[before], &[]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_record_that_is_gone_by_now_says_nothing() {
    let world = World::new().await;
    let other = Some(RequestId(Uuid::nil()));
    let reached = Reached { last_id: other, ..two_read(&world).await };
    assert_eq!(said(&world, &[reached], &[]).await.len(), 1);
    let requests = &world.settings.requests_topic;
    world.topics.delete_records(requests, LANE.0.into(), 2).await.unwrap();
    assert_eq!(said(&world, &[reached], &[]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn topics_that_are_others_have_their_lines() {
    const TO_DO: &str = "use the topics that belong to this database, or another database";
    let world = World::new().await;
    let (requests, replies) = (&world.settings.requests_topic, &world.settings.replies_topic);
    let reached = two_read(&world).await;
    let further = Reached { next: Position(3), ..reached };
    let other = Reached { last_id: Some(RequestId(Uuid::nil())), ..reached };
    let of_replies = |partition, next| Reached {
        log: world.reply_log.identity(),
        partition,
        next: Position(next),
        last_id: None,
    };
    let early = |topic: &str, partition: u16, end: u64, next: u64| {
        format!(
            "the topic `{topic}` was made again, or lost its end: partition {partition} ends at \
             {end}, and the database goes on from {next}: {TO_DO}"
        )
    };
    for (of_requests, of_replies, expected) in [
        (further, of_replies(0, 0), early(requests, 1, 2, 3)),
        (
            other,
            of_replies(0, 0),
            format!(
                "the topic `{requests}` was made again: the record before 2 in partition 1 is \
                 not the one that the database has read: {TO_DO}"
            ),
        ),
        (reached, of_replies(0, 1), early(replies, 0, 0, 1)),
        (reached, of_replies(REPLY_LANES, 7), early(replies, REPLY_LANES, 0, 7)),
        (
            Reached { log: world.reply_log.identity(), ..reached },
            of_replies(0, 0),
            format!(
                "the topic `{requests}` of this cluster is not the one that the database has \
                 read: {TO_DO}"
            ),
        ),
    ] {
        assert_eq!(said(&world, &[of_requests], &[of_replies]).await, [expected]);
    }
}
