//! Lanes are listed and checked, also without their logs.

use catchment_application::{
    LaneError, LaneList, check_database, check_lanes, check_topics, create_topics, list_lanes,
};
use catchment_domain::ports::{InspectionError, LogProblemKind, Wanted};
use catchment_domain::{Committed, Epoch, Position};

use crate::world::{END, LANE, World, log_up_to, problem};

fn unavailable(what: &'static str) -> InspectionError {
    InspectionError::Unavailable(what.into())
}

fn refused(what: &'static str) -> InspectionError {
    InspectionError::Refused(what.into())
}

async fn list(world: &World) -> LaneList {
    list_lanes(world.lanes(), Some(Ok(&world.cluster))).await.unwrap()
}

#[tokio::test]
async fn lanes_are_listed_with_owner_and_lag() {
    let world = World::new().await;
    let list = list(&world).await;
    assert!(list.is_fine(), "{list:?}");
    let lags: Vec<_> = list.lanes.iter().map(|lane| (lane.end, lane.lag())).collect();
    // The reply lane is one that the database does not know yet.
    assert_eq!(lags, [(Some(END), Some(3)), (Some(END), Some(3)), (Some(Position(0)), None)]);
    assert_eq!(list.lanes[0].owner.as_deref(), Some("`consumer` at host"));
}

#[tokio::test]
async fn a_lane_that_the_cluster_does_not_show_has_a_problem() {
    let mut world = World::new().await;
    world.cluster.logs.remove(&LANE);
    let list = list(&world).await;
    assert!(!list.is_fine());
    let problem = list.lanes[1].problem().unwrap();
    assert!(problem.starts_with("lane 1: Kafka does not say now"), "{problem}");
    assert_eq!((list.lanes[0].problem(), list.lanes[1].lag()), (None, None));
}

#[tokio::test]
async fn owners_that_cannot_be_asked_for_are_a_problem_beside_the_lanes() {
    let mut world = World::new().await;
    world.cluster.hides_holders = true;
    let list = list(&world).await;
    let problems: Vec<_> = list.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["could not look at the consumers' group"]);
    assert_eq!((list.lanes[0].end, &list.lanes[0].owner), (Some(END), &None));
}

#[tokio::test]
async fn without_the_cluster_what_the_database_has_is_listed() {
    let mut world = World::new().await;
    world.cluster.failure = Some(unavailable);
    let list = list(&world).await;
    assert!(list.without_logs.as_ref().is_some_and(LaneError::is_unavailable), "{list:?}");
    assert_eq!((list.lanes.len(), list.is_fine()), (2, false));
    let embedded = list_lanes(world.lanes(), None).await.unwrap();
    assert!(embedded.is_fine(), "{embedded:?}");
}

#[tokio::test]
async fn a_database_can_be_used_only_if_the_cluster_alone_does_not_answer() {
    let mut world = World::new().await;
    let checked = check_database(world.lanes(), Ok(&world.cluster)).await;
    assert!(matches!(checked, Ok(None)), "{checked:?}");
    world.cluster.failure = Some(unavailable);
    let away = check_database(world.lanes(), Ok(&world.cluster)).await.unwrap();
    assert!(away.is_some_and(|error| error.is_unavailable()));
    world.cluster.failure = Some(refused);
    let refused = check_database(world.lanes(), Ok(&world.cluster)).await.unwrap_err();
    assert_eq!(refused.to_string(), "could not look at the topics");
}

#[tokio::test]
async fn a_lost_row_fails_the_check_also_without_the_cluster() {
    let mut world = World::new().await;
    world.store.lose_lane(LANE);
    world.cluster.failure = Some(unavailable);
    let lost = check_database(world.lanes(), Ok(&world.cluster)).await.unwrap_err();
    assert!(lost.to_string().starts_with("lane 1: its row in the database is gone"), "{lost}");
}

#[tokio::test]
async fn a_restored_database_and_a_lane_without_its_records_fail_the_checks() {
    let mut world = World::new().await;
    check_topics(world.lanes(), &world.cluster).await.unwrap();
    world.cluster.logs.insert(LANE, log_up_to(Position(5)));
    let misfit = check_lanes(world.lanes(), &world.cluster).await.unwrap_err();
    assert!(misfit.to_string().contains("lane 1: its partition was made again"), "{misfit}");
    world.cluster.committed.insert(LANE, Committed { epoch: Epoch(5), next: Position(20) });
    let older = check_lanes(world.lanes(), &world.cluster).await.unwrap_err();
    assert!(matches!(older, LaneError::Older(_)), "{older}");
}

#[tokio::test]
async fn topics_are_made_with_four_reply_lanes_and_their_problems_told() {
    let mut world = World::new().await;
    world.cluster.problems = vec![problem(LogProblemKind::Other)];
    let created = create_topics(&world.cluster, Wanted::default()).await.unwrap();
    assert_eq!(created.topics, [("replies with 4 lanes".to_owned(), true)]);
    assert_eq!(created.checked.unwrap_err().to_string(), "the log is wrong: Other");
}
