//! Lanes that cannot go on are taken as they are.

use std::sync::atomic::Ordering;

use catchment_application::{
    ChosenLanes, LaneError, LanesToAccept, accept_lanes, embedded_lanes_to_accept, lanes_to_accept,
};
use catchment_domain::ports::{Acceptances, StoreError};
use catchment_domain::{
    AnyLane, Committed, Epoch, Lane, Position, ReplyLane, StoredLane, Unclear, UnclearLane,
};

use crate::world::{END, LANE, NEXT, World, log_up_to};

async fn to_accept(world: &World, chosen: ChosenLanes) -> Result<LanesToAccept, LaneError> {
    lanes_to_accept(world.lanes(), &world.cluster, (chosen, false)).await
}

#[tokio::test]
async fn a_lane_whose_log_was_made_again_goes_on_at_its_end() {
    let mut world = World::new().await;
    world.cluster.logs.insert(LANE, log_up_to(Position(5)));
    let lanes = to_accept(&world, ChosenLanes::All).await.unwrap();
    assert_eq!((lanes.terms.requests.len(), lanes.left_out.len()), (1, 0), "{lanes:?}");
    assert_eq!(world.cluster.waits.load(Ordering::SeqCst), 1);
    let skipped = lanes.terms.requests[0].acceptance.skipped;
    assert_eq!(skipped.of_log_before, Some(NEXT));
    accept_lanes(&world.store, &lanes.terms).await.unwrap();
    let (lane, stored) = world.store.request_lanes().await.unwrap().remove(1);
    let StoredLane::Known { progress, .. } = stored else { panic!("{stored:?}") };
    assert_eq!((lane, progress.applied_next), (LANE, Position(5)));
    let again = accept_lanes(&world.store, &lanes.terms).await.unwrap_err();
    let is_refused =
        matches!(&again, LaneError::Database { source: StoreError::Refused { .. }, .. });
    assert!(is_refused && again.to_string() == "nothing was changed", "{again:?}");
}

#[tokio::test]
async fn a_lane_that_works_is_refused() {
    let world = World::new().await;
    for (chosen, line) in [
        (ChosenLanes::Request(LANE), "lane 1 works: there is nothing to accept"),
        (ChosenLanes::Request(Lane(2)), "there is no lane 2: the database has 2, from 0 on"),
        (
            ChosenLanes::Reply(ReplyLane(0)),
            "nobody has read reply lane 0 yet: there is nothing to accept",
        ),
        (
            ChosenLanes::Reply(ReplyLane(1)),
            "there is no reply lane 1: the reply topic has 1 partition, from 0 on",
        ),
    ] {
        assert_eq!(to_accept(&world, chosen).await.unwrap_err().to_string(), line);
    }
    assert_eq!(world.cluster.waits.load(Ordering::SeqCst), 0);
    let lanes = to_accept(&world, ChosenLanes::All).await.unwrap();
    assert!(lanes.terms.requests.is_empty() && lanes.terms.replies.is_empty(), "{lanes:?}");
}

#[tokio::test]
async fn embedded_a_lane_that_works_is_a_conflict_and_one_that_is_missing_is_not_found() {
    let world = World::new().await;
    for (chosen, is_there, line) in [
        (ChosenLanes::Request(LANE), true, "lane 1 works: there is nothing to accept"),
        (ChosenLanes::Request(Lane(2)), false, "there is no lane 2: the database has 2, from 0 on"),
        (ChosenLanes::Reply(ReplyLane(7)), false, "there is no reply lane 7"),
    ] {
        let refused = embedded_lanes_to_accept(&world.store, (chosen, false)).await.unwrap_err();
        assert_eq!(matches!(refused, LaneError::Conflict(_)), is_there, "{refused:?}");
        assert_eq!(matches!(refused, LaneError::NotFound(_)), !is_there, "{refused:?}");
        assert_eq!(refused.to_string(), line);
    }
}

#[tokio::test]
async fn a_problem_that_only_one_look_finds_is_none() {
    let mut world = World::new().await;
    world.cluster.logs.insert(LANE, log_up_to(Position(5)));
    world.cluster.later_logs.insert(LANE, log_up_to(END));
    let refused = to_accept(&world, ChosenLanes::Request(LANE)).await.unwrap_err();
    assert!(refused.to_string().starts_with("lane 1 works: "), "{refused}");
}

#[tokio::test]
async fn a_lane_that_is_not_seen_is_left_out() {
    let mut world = World::new().await;
    world.cluster.logs.remove(&LANE);
    let lanes = to_accept(&world, ChosenLanes::All).await.unwrap();
    let unseen = UnclearLane { lane: AnyLane::Requests(LANE), why: Unclear::Unseen };
    assert_eq!((lanes.terms.requests.len(), lanes.left_out), (0, vec![unseen]));
    assert_eq!(world.cluster.waits.load(Ordering::SeqCst), 4, "five looks");
}

#[tokio::test]
async fn no_lane_of_a_restored_database_is_taken() {
    let mut world = World::new().await;
    world.cluster.committed.insert(LANE, Committed { epoch: Epoch(5), next: Position(20) });
    let older = to_accept(&world, ChosenLanes::All).await.unwrap_err();
    assert!(matches!(older, LaneError::Older(_)), "{older}");
}
