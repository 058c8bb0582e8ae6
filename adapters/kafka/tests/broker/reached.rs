//! Whether topics are still those that a database has read.

use catchment_domain::ports::{ReplyLog, RequestLog};
use catchment_domain::{Lane, LogIdentity, Position, RequestId};
use catchment_kafka::{Compared, Reached};
use uuid::Uuid;

use crate::world::World;

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

/// What is said of whole topics, and of single partitions.
async fn all_said(
    world: &World,
    requests: &[Reached],
    replies: &[Reached],
) -> (Vec<String>, Vec<String>) {
    let compared = world.cluster.check_reached(requests, replies).await.unwrap();
    let Compared { topics, partitions } = compared;
    let topics = topics.iter().map(ToString::to_string).collect();
    (topics, partitions.iter().map(ToString::to_string).collect())
}

async fn said(world: &World, requests: &[Reached], replies: &[Reached]) -> Vec<String> {
    let (topics, partitions) = all_said(world, requests, replies).await;
    assert_eq!(partitions, [""; 0]);
    topics
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
    let of_replies = Reached { log: world.reply_log.identity(), last_id: None, ..reached };
    let line = |topic: &str, difference: &str| {
        format!(
            "the topic `{topic}` is not the one that the database has read: partition 1 \
             {difference}: {TO_DO}"
        )
    };
    let foreign = "is not of the topic and cluster that the database has read it in";
    for (of_requests, of_replies, expected) in [
        (
            further,
            of_replies,
            line(
                requests,
                "was made again, or lost its end: it ends at 2, and the database goes on from 3",
            ),
        ),
        (
            other,
            of_replies,
            line(
                requests,
                "was made again, or lost its end: the record before 2 is not the one that the \
                 database has read",
            ),
        ),
        (of_replies, of_replies, line(requests, foreign)),
        (reached, reached, line(replies, foreign)),
    ] {
        assert_eq!(said(&world, &[of_requests], &[of_replies]).await, [expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_partition_that_lost_its_end_stands_alone_and_lost_replies_are_no_problem() {
    let world = World::new().await;
    let whole = two_read(&world).await;
    world.inject(Lane(0), None, Some(b"one"), Vec::new()).await;
    let early = Reached { partition: 0, next: Position(5), last_id: None, ..whole };
    let replies = Reached { log: world.reply_log.identity(), ..early };
    let (topics, partitions) = all_said(&world, &[early, whole], &[replies]).await;
    assert_eq!(topics, [""; 0]);
    let expected = format!(
        "partition 0 of the topic `{}` was made again, or lost its end: it ends at 1, and the \
         database goes on from 5: bring its records back, or let the lane go on without them by \
         `catchment topics resume`",
        world.settings.requests_topic
    );
    assert_eq!(partitions, [expected]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_lane_is_lengthened_to_where_it_goes_on() {
    let world = World::new().await;
    let reached = two_read(&world).await;
    assert_eq!(world.cluster.first_request(LANE).await.unwrap(), Position(0));
    for (next, appended) in [(7, 5), (7, 0), (3, 0)] {
        let lengthened = world.cluster.lengthen(LANE, Position(next)).await;
        assert_eq!(lengthened.unwrap(), appended, "to {next}");
    }
    let resumed = Reached { next: Position(7), last_id: None, ..reached };
    assert_eq!(said(&world, &[resumed], &[]).await, [""; 0]);
}
