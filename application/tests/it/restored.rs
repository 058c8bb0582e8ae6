//! The ledger of a restored database becomes true again.

use catchment_application::{LaneError, check_lanes, restored_database};
use catchment_domain::ports::InspectionError;
use catchment_domain::{Committed, Epoch, LaneProblem, LogIdentity, Mismatch, Position};

use crate::world::{LANE, World, log_up_to};

#[tokio::test]
async fn a_restored_database_is_not_older_any_more() {
    let mut world = World::new().await;
    world.cluster.committed.insert(LANE, Committed { epoch: Epoch(5), next: Position(12) });
    check_lanes(world.lanes(), &world.cluster).await.unwrap_err();
    world.cluster.removed = 2;
    let dry = restored_database(world.lanes(), &world.cluster, true).await.unwrap();
    check_lanes(world.lanes(), &world.cluster).await.unwrap_err();
    let after = restored_database(world.lanes(), &world.cluster, false).await.unwrap();
    assert_eq!((&dry.restored, dry.stopped()), (&after.restored, after.stopped()));
    assert_eq!((after.restored.lanes, after.gone.len(), after.left_out.len()), (2, 2, 0));
    check_lanes(world.lanes(), &world.cluster).await.unwrap();
}

#[tokio::test]
async fn a_consumer_at_work_is_named_and_nothing_changed() {
    let mut world = World::new().await;
    world.cluster.members = vec!["`consumer` at host".to_owned()];
    let refused = restored_database(world.lanes(), &world.cluster, false).await.unwrap_err();
    let line = "stop all consumers: `consumer` at host is in the consumers' group; a consumer that \
                was killed leaves it after `kafka.session_timeout`";
    assert_eq!(refused.to_string(), line);
    assert!(matches!(refused, LaneError::Conflict(_)));
}

#[tokio::test]
async fn a_lane_without_a_place_is_left_out_and_one_that_is_not_seen_refused() {
    let mut world = World::new().await;
    world.cluster.logs.insert(LANE, log_up_to(Position(5)));
    let after = restored_database(world.lanes(), &world.cluster, true).await.unwrap();
    let (end, next) = (Position(5), crate::world::NEXT);
    let left_out = [LaneProblem::of(LANE, Mismatch::EndsEarly { end, next })];
    assert_eq!((after.left_out, after.gone.len()), (left_out.into(), 0));
    world.cluster.logs.remove(&LANE);
    let unseen = restored_database(world.lanes(), &world.cluster, true).await.unwrap_err();
    assert!(unseen.to_string().starts_with("lane 1: Kafka does not say now"), "{unseen}");
}

#[tokio::test]
async fn the_log_of_another_database_is_refused() {
    let world = World::read_in(LogIdentity { id: 7, lasting: true }).await;
    let refused = restored_database(world.lanes(), &world.cluster, false).await.unwrap_err();
    let line = "no request lane of the database was read in this topic";
    assert!(refused.to_string().starts_with(line), "{refused}");
}

#[tokio::test]
async fn what_the_cluster_refuses_is_told_with_the_attempt() {
    let mut world = World::new().await;
    world.cluster.failure = Some(|what| InspectionError::Unreadable(what.into()));
    let failed = restored_database(world.lanes(), &world.cluster, false).await.unwrap_err();
    let source = std::error::Error::source(&failed).unwrap().to_string();
    assert_eq!(
        (failed.to_string(), source),
        ("could not look at the topics".to_owned(), "no broker answers".to_owned(),)
    );
}
