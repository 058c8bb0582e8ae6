//! A reply lane stops while requesters are at work, and they stay at work until it goes on.

use std::time::Instant;

use catchment_kafka::KafkaCluster;

use crate::process::Process;
use crate::program;
use crate::standstill::{REQUESTER, SOON, end, execute, settled_services};
use crate::world::{World, lanes};

impl World {
    /// Makes the reply topic again with another number of partitions.
    fn make_reply_topic_again(&self, reply_lanes: u16) {
        let mut alone = self.kafka();
        alone.requests_topic.push_str(".spared");
        let made = async {
            KafkaCluster::connect(alone).await?.delete_topics().await?;
            self.cluster().await.create_topics(lanes(), reply_lanes, None).await
        };
        self.runtime.block_on(made).unwrap();
    }
}

/// The reply topic has fewer partitions from some moment on, and one of two requesters has a lane
/// that is gone. The requester gives that lane up, and takes the other one's lane once it is free.
#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_requester_gives_up_a_reply_lane_whose_partition_is_gone() {
    let world = World::new();
    let store = world.store();
    let [first, consumer] = settled_services(&world, &store);
    let mut second = Process::start(world.command(&REQUESTER));
    second.wait_until_ready();
    consumer.signal("TERM");
    consumer.ended();
    let campaign = world.begin_campaign(&store);
    execute(&world, &format!("UPDATE campaign SET reply_lane = 1 WHERE revision = {campaign}"));
    world.make_reply_topic_again(1);
    let said = "reply lane 1: its topic has no partition of this number any more, only 1 in all";
    second.wait_until_it_says(&format!("reply lane 1 is set aside, and a human must look: {said}"));
    first.signal("TERM");
    first.ended();

    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "1", "--reply"]));
    assert!(accepted.contains(&format!("campaign {campaign} goes to another reply lane")));
    let consumer = Process::start(world.command(program()));
    world.wait_until_settled(&store, campaign);
    second.wait_until_ready();
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    end([second, consumer]);
}
