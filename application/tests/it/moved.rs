//! A drained database leaves its topics.

use std::num::NonZeroU16;

use catchment_application::{LaneError, MoveError, move_topics};
use catchment_domain::ports::{Acceptances, LogProblemKind};
use catchment_domain::{AnyLane, Behind, Lane, Lanes, Moved, NotDrained, Position, RequestLaneLog};

use crate::world::{END, LANE, LANES, NEXT, World, log_up_to, problem};

const MORE: Lanes = Lanes(NonZeroU16::new(3).unwrap());

async fn move_away(world: &World) -> Result<Moved, MoveError> {
    move_topics(world.moving(), Some(&world.cluster), (MORE, false)).await
}

async fn not_drained(world: &World) -> Vec<NotDrained> {
    match move_away(world).await.unwrap_err() {
        MoveError::NotDrained(not_drained) => not_drained,
        MoveError::Lanes(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_drained_database_gets_another_number_of_lanes_once() {
    let mut world = World::new().await;
    let moved = move_away(&world).await.unwrap();
    assert_eq!((moved.before, moved.lanes), (LANES, MORE));
    assert_eq!(world.store.request_lanes().await.unwrap().len(), 3);
    // Once the database has left the log, nobody asks how many lanes that has.
    world.cluster.problems = vec![problem(LogProblemKind::OtherLanes { found: 2 })];
    let again = move_away(&world).await.unwrap();
    assert_eq!((again.before, again.lanes), (MORE, MORE));
}

#[tokio::test]
async fn what_is_not_drained_is_named() {
    let mut world = World::new().await;
    world.cluster.members = vec!["`consumer` at host".to_owned()];
    world.cluster.behind.insert(AnyLane::Requests(LANE), Behind::Records);
    let expected = [
        NotDrained::Member { member: "`consumer` at host".to_owned() },
        NotDrained::Unapplied { lane: LANE, from: NEXT },
    ];
    assert_eq!(not_drained(&world).await, expected);
    assert_eq!(world.store.request_lanes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn records_in_a_lane_that_the_database_does_not_have_are_named() {
    let mut world = World::new().await;
    world.cluster.problems = vec![problem(LogProblemKind::OtherLanes { found: 3 })];
    let beyond = Lane(2);
    let log = RequestLaneLog { first: Position(4), ..log_up_to(END) };
    world.cluster.logs.insert(beyond, log);
    world.cluster.behind.insert(AnyLane::Requests(beyond), Behind::Records);
    let expected = [NotDrained::NoLane { partition: beyond, from: Position(4) }];
    assert_eq!(not_drained(&world).await, expected);
}

#[tokio::test]
async fn a_log_with_fewer_lanes_and_a_lane_that_is_not_seen_are_refused() {
    let mut world = World::new().await;
    world.cluster.logs.remove(&LANE);
    let unseen = move_away(&world).await.unwrap_err().to_string();
    assert!(unseen.starts_with("lane 1: Kafka does not say now"), "{unseen}");
    world.cluster.problems = vec![problem(LogProblemKind::OtherLanes { found: 1 })];
    let fewer = move_away(&world).await.unwrap_err();
    assert!(matches!(fewer, MoveError::Lanes(LaneError::Misfit(_))), "{fewer}");
}
