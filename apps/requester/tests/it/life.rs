//! A requester at work: idle, told to stop, killed, beside another requester, and on a topic that
//! was made again.

use std::time::{Duration, Instant};

use crate::process::Process;
use crate::world::World;
use crate::{check, program};

const SHOPS: u32 = 20_000;

/// What is said of a topic that was made again.
const MADE_AGAIN: &str = "no request lane can go on: lane ";

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_campaign_that_is_stored_begins_soon() {
    let world = World::new();
    let store = world.store();
    world.import(&store, 10);
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    requester.wait_until_ready();
    // The first campaign also makes every process connect.
    let first = world.begin_campaign(&store);
    world.wait_until_settled(&store, first);
    let start = Instant::now();
    let campaign = world.begin_campaign(&store);
    world.wait_until_settled(&store, campaign);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    requester.signal("TERM");
    assert_eq!(requester.ended().status.code(), Some(0));
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn told_to_stop_under_load_it_records_what_is_under_way_and_the_next_one_goes_on() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let requester = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_half_done(&store, campaign);
    requester.signal("TERM");
    let ended = requester.ended();
    assert!(ended.stderr.contains("stopped in time"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("left open"), "{}", ended.stderr);
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.after < Duration::from_secs(6), "{:?}", ended.after);
    let _next = Process::start(world.command(program()));
    world.wait_until_settled(&store, campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn killed_under_load_its_campaign_is_adopted() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    requester.wait_until_ready();
    let campaign = world.begin_campaign(&store);
    world.wait_until_half_done(&store, campaign);
    // The other requester has a lane of its own, and can adopt another one.
    let mut other = Process::start(world.command(program()));
    other.wait_until_ready();
    requester.signal("KILL");
    requester.ended();
    world.wait_until_settled(&store, campaign);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_request_topic_that_was_made_again_is_refused() {
    let world = worked();
    world.make_topics_again(|kafka| kafka.replies_topic.push_str(".spared"));
    let line = check(world.command(program()), 78);
    assert!(line.starts_with(&format!("could not work with Kafka: {MADE_AGAIN}")), "{line}");
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn replies_are_read_on_from_the_end_of_a_topic_that_lost_it() {
    let world = worked();
    world.make_topics_again(|kafka| kafka.requests_topic.push_str(".spared"));
    let store = world.store();
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_settled(&store, campaign);
    requester.wait_until_ready();
    requester.signal("TERM");
    let ended = requester.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("WARN")).collect();
    let lost = "reply lane 0 lost replies, and what has no outcome is sent again";
    assert!(lines.iter().any(|line| line.contains(lost)), "{}", ended.stderr);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_topic_that_is_made_again_under_a_requester_at_work_ends_it() {
    let world = worked();
    let mut requester = Process::start(world.command(program()));
    requester.wait_until_ready();
    world.make_topics_again(|kafka| kafka.replies_topic.push_str(".spared"));
    let ended = requester.ended();
    assert_eq!(ended.status.code(), Some(78));
    assert!(ended.after < Duration::from_mins(1), "{:?}", ended.after);
    assert!(ended.stderr.contains(MADE_AGAIN), "{}", ended.stderr);
}

/// Makes topics on which a campaign has run.
fn worked() -> World {
    let world = World::new();
    let store = world.store();
    world.import(&store, 100);
    let _consumer = world.consume(&store);
    let requester = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_settled(&store, campaign);
    requester.signal("TERM");
    assert_eq!(requester.ended().status.code(), Some(0));
    world
}
