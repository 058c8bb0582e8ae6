//! A consumer at work: told to stop, killed, and on a topic that was made again.

use std::time::Duration;

use crate::process::Process;
use crate::world::{World, lanes};
use crate::{check, program};

const SHOPS: u32 = 20_000;

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn told_to_stop_under_load_it_finishes_its_steps_and_the_next_one_goes_on() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _requester = world.request(&store);
    let consumer = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_half_done(&store, campaign);
    consumer.signal("TERM");
    let ended = consumer.ended();
    assert!(ended.stderr.contains("stopped in time"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not finish"), "{}", ended.stderr);
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.after < Duration::from_secs(6), "{:?}", ended.after);
    let _next = Process::start(world.command(program()));
    world.wait_until_settled(&store, campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn killed_under_load_it_is_followed_by_one_that_goes_on() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _requester = world.request(&store);
    let consumer = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_half_done(&store, campaign);
    consumer.signal("KILL");
    consumer.ended();
    let mut next = Process::start(world.command(program()));
    next.wait_until_ready();
    world.wait_until_settled(&store, campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn one_consumer_more_than_lanes_is_ready_too_and_takes_over() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _requester = world.request(&store);
    let many = usize::from(lanes().count()) + 1;
    let mut consumers: Vec<Process> =
        (0..many).map(|_| Process::start(world.command(program()))).collect();
    consumers.iter_mut().for_each(Process::wait_until_ready);
    let campaign = world.begin_campaign(&store);
    for consumer in consumers.drain(1..) {
        consumer.signal("TERM");
        assert_eq!(consumer.ended().status.code(), Some(0));
    }
    world.wait_until_settled(&store, campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_topic_that_was_made_again_is_refused() {
    let world = World::new();
    let store = world.store();
    world.import(&store, 100);
    let requester = world.request(&store);
    let consumer = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_settled(&store, campaign);
    consumer.signal("TERM");
    assert_eq!(consumer.ended().status.code(), Some(0));
    drop(requester);
    world.make_topics_again(|_| {});
    let last = check(world.command(program()), 78);
    assert!(last.contains("no request lane can go on: lane "), "{last}");
}
