//! A requester at work: idle, told to stop, killed, beside another, and on a topic that was made
//! again.

use std::time::{Duration, Instant};

use crate::process::Process;
use crate::world::World;
use crate::{check, program};

const SHOPS: u32 = 20_000;

#[test]
fn a_campaign_that_is_stored_begins_soon() {
    let world = World::new();
    let store = world.store();
    world.import(&store, 10);
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    requester.wait_until_ready();
    // The first one also finds everybody's connections.
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
fn killed_under_load_its_campaign_is_adopted() {
    let world = World::new();
    let store = world.store();
    world.import(&store, SHOPS);
    let _consumer = world.consume(&store);
    let mut requester = Process::start(world.command(program()));
    requester.wait_until_ready();
    let campaign = world.begin_campaign(&store);
    world.wait_until_half_done(&store, campaign);
    // It has a lane of its own, and is there to adopt another one.
    let mut other = Process::start(world.command(program()));
    other.wait_until_ready();
    requester.signal("KILL");
    requester.ended();
    world.wait_until_settled(&store, campaign);
}

#[test]
fn a_topic_that_was_made_again_is_refused() {
    let world = World::new();
    let store = world.store();
    world.import(&store, 100);
    let consumer = world.consume(&store);
    let requester = Process::start(world.command(program()));
    let campaign = world.begin_campaign(&store);
    world.wait_until_settled(&store, campaign);
    requester.signal("TERM");
    assert_eq!(requester.ended().status.code(), Some(0));
    drop(consumer);
    world.make_topics_again();
    let last = check(world.command(program()), 78);
    assert!(last.ends_with("it was made again, or lost its end"), "{last}");
}
