//! Each cause for which a lane stops until a human has looked: what is said, and the command that
//! lets the lane go on.

use std::time::Instant;

use catchment_domain::ports::{Acceptances as _, LogInspection as _};
use catchment_domain::{Lane, Lanes, Position, Revision, StoredLane};
use catchment_seaorm::SeaOrmStore;

use crate::process::Process;
use crate::program;
use crate::standstill::{COMMAND, REQUESTER, SOON, end, execute, services, settled_services};
use crate::world::{World, lanes};

impl World {
    /// Runs the command, and returns its result.
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        let output = self.command(&COMMAND).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What both services say that do not begin.
    fn refusals(&self) -> [String; 2] {
        [program(), &REQUESTER].map(|program| {
            let output = self.command(program).env("RUST_LOG", "off").output().unwrap();
            assert_eq!(output.status.code(), Some(78), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        })
    }

    /// Runs a check that fails, and returns what it says.
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.command(&COMMAND).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn delete_topics(&self) {
        self.runtime.block_on(async { self.cluster().await.delete_topics().await }).unwrap();
    }

    /// Where a lane of requests ends.
    fn end_of(&self, lane: Lane) -> Position {
        self.runtime.block_on(async {
            let lookout = self.cluster().await.lookout(lanes()).unwrap();
            lookout.request_ends().await.unwrap()[&lane]
        })
    }

    /// Starts a requester alone until a new campaign stands in every lane. Returns the campaign.
    fn send_unread(&self, store: &SeaOrmStore) -> Revision {
        let before: Vec<Position> = lanes().iter().map(|lane| self.end_of(lane)).collect();
        let requester = Process::start(self.command(&REQUESTER));
        let campaign = self.begin_campaign(store);
        let until = Instant::now() + SOON;
        while lanes().iter().any(|lane| self.end_of(lane) <= before[usize::from(lane.0)]) {
            assert!(Instant::now() < until, "nothing is sent");
        }
        requester.signal("KILL");
        requester.ended();
        // Its lease runs out meanwhile; another requester would wait for that.
        execute(self, "UPDATE reply_lane SET holder = NULL, leased_until = NULL");
        campaign
    }
}

/// Everything is at work again soon, and every shop has what was asked for it.
fn check_at_work(world: &World, store: &SeaOrmStore, campaigns: &[Revision], since: Instant) {
    let mut running = services(world);
    for campaign in campaigns {
        world.wait_until_settled(store, *campaign);
    }
    running.iter_mut().for_each(Process::wait_until_ready);
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    end(running);
    assert_eq!(
        world.say(&["lanes", "accept", "--all"]),
        "every lane works: there is nothing to accept\n"
    );
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn records_receipts_and_rows_that_are_gone_stop_their_lanes_until_they_are_accepted() {
    let world = World::new();
    let store = world.store();
    end(settled_services(&world, &store));
    let campaign = world.send_unread(&store);
    let hole = world.end_of(Lane(0));
    world.runtime.block_on(async {
        world.cluster().await.delete_requests(Lane(0), hole).await.unwrap();
    });
    execute(&world, "UPDATE lane_state SET replied_next = 0 WHERE lane = 1");
    execute(&world, "DELETE FROM receipt WHERE lane = 1");
    execute(&world, "DELETE FROM lane_state WHERE lane = 3");
    let said = [
        format!("lane 0: its records before {hole} are gone, and the database goes on from "),
        "lane 1: the receipt of the request at 0 is gone".to_owned(),
        "lane 3: its row in the database is gone".to_owned(),
    ];
    let mut consumer = Process::start(world.command(program()));
    for words in &said {
        consumer.wait_until_it_says(&format!("and a human must look: {words}"));
    }
    consumer.signal("TERM");
    consumer.ended();
    for checked in [&["topics", "check"][..], &["database", "check"]] {
        let line = world.complaint(checked);
        assert!(said.iter().all(|words| line.contains(words)), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    assert!(world.complaint(&["lanes", "accept", "2"]).contains("lane 2 works"));
    assert!(world.complaint(&["lanes", "accept", "9"]).contains("there is no lane 9"));
    let listed = world.command(&COMMAND).args(["lanes", "list"]).output().unwrap();
    assert_eq!(listed.status.code(), Some(1), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(said.iter().all(|words| listed.contains(words)), "{listed}");

    let dry = world.say(&["lanes", "accept", "--all", "--dry-run"]);
    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "--all"]));
    assert_eq!(dry, format!("this would be done:\n{accepted}"));
    let last = hole.0 - 1;
    for expected in [
        format!(
            "lane 0 goes on from {hole}; services at work on this topic take it within a minute\n"
        ),
        format!(" to {last}, at most "),
        "lane 1: given up: the replies to positions 0 to ".to_owned(),
        "lane 3 goes on from ".to_owned(),
        format!("campaign {campaign} (sending): "),
    ] {
        assert!(accepted.contains(&expected), "`{expected}` in {accepted}");
    }
    // A lane knows the record before it, while it is there: another one would be noticed.
    let lanes = world.runtime.block_on(store.request_lanes()).unwrap();
    for (lane, is_there) in [(0, false), (3, true)] {
        let StoredLane::Known { last_id, .. } = &lanes[lane].1 else { panic!("{lanes:?}") };
        assert_eq!(last_id.is_some(), is_there, "lane {lane}: {lanes:?}");
    }
    check_at_work(&world, &store, &[campaign], since);
    for checked in
        [&["topics", "check"][..], &["database", "check"], &["audit"], &["lanes", "list"]]
    {
        world.say(checked);
    }
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn a_topic_that_was_made_again_is_accepted_and_late_shops_are_asked_in_a_new_attempt() {
    let world = World::new();
    let store = world.store();
    end(settled_services(&world, &store));
    let campaign = world.send_unread(&store);
    execute(&world, &format!("UPDATE campaign SET deadline = 1 WHERE revision = {campaign}"));
    world.make_topics_again(|kafka| kafka.replies_topic.push_str(".spared"));
    for line in world.refusals() {
        assert!(line.contains("no request lane can go on: lane 0: its partition"), "{line}");
        assert!(line.contains("`catchment lanes accept --all`"), "{line}");
    }
    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "--all"]));
    assert!(accepted.contains("lane 3: given up: what stood in the topic as it was before"));
    assert!(accepted.contains("asked again in attempt 2\n"), "{accepted}");
    check_at_work(&world, &store, &[campaign], since);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn other_topics_are_accepted_where_partitions_were_added() {
    let mut world = World::new();
    let store = world.store();
    end(settled_services(&world, &store));
    let campaign = world.send_unread(&store);
    world.delete_topics();
    world.create_topics(Lanes(5.try_into().unwrap()));
    for line in world.refusals() {
        let expected = "has 5 partitions, and the database has 4 lanes: name a new topic in";
        assert!(line.contains(expected), "{line}");
    }
    world.delete_topics();
    world.topics.push_str(".other");
    assert!(world.say(&["topics", "create", "--reply-partitions", "3"]).contains("created: "));
    for line in world.refusals() {
        let expected = "lane 0: the database has read it in another topic or cluster";
        assert!(line.contains(expected), "{line}");
    }
    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "--all"]));
    assert!(accepted.contains("lane 0: given up: what stood in the topic as it was before from"));
    assert!(accepted.contains("reply lane 0 goes on from 0"), "{accepted}");
    check_at_work(&world, &store, &[campaign], since);
}

#[test]
#[ignore = "needs Kafka and PostgreSQL"]
fn campaigns_of_a_reply_lane_without_a_partition_go_to_another_one() {
    let world = World::new();
    let store = world.store();
    end(settled_services(&world, &store));
    let campaign = world.send_unread(&store);
    let late = "UPDATE campaign SET reply_lane = 7, deadline = 1";
    execute(&world, &format!("{late} WHERE revision = {campaign}"));
    let mut requester = Process::start(world.command(&REQUESTER));
    let said = "reply lane 7: its topic has no partition of this number any more, only 3 in all";
    requester
        .wait_until_it_says(&format!("reply lane 7 is set aside, and a human must look: {said}"));
    requester.wait_until_it_says(&format!("topics: a human must look: {said}"));
    assert!(world.complaint(&["topics", "check"]).contains(said));
    let (since, accepted) = (Instant::now(), world.say(&["lanes", "accept", "7", "--reply"]));
    assert!(accepted.contains(&format!("campaign {campaign} goes to another reply lane")));
    assert!(accepted.contains(" asked again in attempt 2\n"), "{accepted}");
    requester.wait_until_ready();
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    requester.signal("TERM");
    requester.ended();
    let since = Instant::now();
    check_at_work(&world, &store, &[campaign], since);
}
