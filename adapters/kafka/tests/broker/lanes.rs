//! What the lanes hold, to be compared with what a database has of them.

use catchment_domain::ports::{LogInspection as _, ReplyLog as _, RequestLog as _};
use catchment_domain::{Lane, Position, PositionRange, ReplyLane, RequestLaneLog};

use catchment_kafka::KafkaLookout;

use crate::world::{LANES, World};

const LANE: Lane = Lane(1);
/// Two positions behind the end.
const BEYOND: Position = Position(5);

fn lookout(world: &World) -> KafkaLookout {
    world.cluster.lookout(LANES).unwrap()
}

async fn log_of(world: &World, next: Position) -> RequestLaneLog {
    lookout(world).request_logs(&[(LANE, next)]).await.unwrap()[&LANE]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_lane_is_told_with_its_ends_and_the_record_before_the_next() {
    let world = World::new().await;
    for value in [b"one", b"two", b"six"] {
        world.inject(LANE, None, Some(value), Vec::new()).await;
    }
    let log = log_of(&world, Position(2)).await;
    assert_eq!(log.log, world.request_log.identity());
    assert_eq!((log.first, log.end), (Position(0), Position(3)));
    let before = world.request_log.last_before(LANE, Position(2)).await.unwrap();
    assert!(before.is_some());
    assert_eq!((log.before, log.without_receipt), (before, None));
    assert_eq!(log_of(&world, Position(0)).await.before, None);
    assert_eq!(log_of(&world, BEYOND).await.before, None);
    let lookout = lookout(&world);
    let range = PositionRange { from: Position(1), to: Position(2) };
    let requests = lookout.requests_between(&[(LANE, range)]).await.unwrap();
    assert_eq!(requests, [(LANE, vec![(Position(1), before.unwrap())])].into());
    world.cluster.delete_requests(LANE, Position(2)).await.unwrap();
    let log = log_of(&world, Position(2)).await;
    assert_eq!((log.first, log.end, log.before), (Position(2), Position(3), None));
    let all = [(Lane(0), Position(0)), (LANE, Position(0)), (Lane(2), Position(0))];
    assert_eq!(lookout.request_logs(&all).await.unwrap().len(), 3);
    let removed = lookout.visit_requests(LANE, Position(0), &mut |_| ()).await.unwrap();
    assert_eq!(removed, 2);
    assert_eq!(lookout.reply_log().await.unwrap(), (world.reply_log.identity(), 2));
    let ends = [ReplyLane(0), ReplyLane(1)].map(|lane| (lane, Position(0)));
    assert_eq!(lookout.reply_ends().await.unwrap(), (world.reply_log.identity(), ends.into()));
}
