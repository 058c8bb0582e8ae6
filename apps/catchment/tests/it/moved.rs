//! `catchment topics move`: on a database file, and away from real topics.

use crate::app::TestApp;
use crate::strays;

/// Six shops, narrowed by a campaign that ended and by one that goes on.
#[test]
fn a_database_file_gets_another_number_of_lanes() {
    let app = TestApp::with_shops();
    let start = ["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"];
    app.run(&start).done();
    app.run(&["campaign", "end", "2"]).done();
    app.run(&start).done();
    let missing = app.run(&["topics", "move"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(
        missing.stderr.contains("name the new number of its lanes by `--lanes`"),
        "{missing:?}"
    );

    let dry = app.run(&["topics", "move", "--lanes", "5", "--dry-run"]);
    let done = app.run(&["topics", "move", "--lanes", "5"]);
    let told = "5 lanes, before 16: 6 shops and 2 campaigns are divided anew\n\
                set `database.lanes` to 5\n";
    assert_eq!(done.done(), told);
    assert_eq!(dry.done(), format!("nothing is changed; without --dry-run:\n{told}"));
    let refused = app.run(&["lanes", "list"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("has 5 lanes, not 16; set `database.lanes` to 5"),
        "{refused:?}"
    );

    let run = |arguments: &[&str]| -> crate::app::Ran {
        let mut command = app.command(arguments);
        command.env("CATCHMENT__DATABASE__LANES", "5").output().unwrap().into()
    };
    run(&["audit"]).done();
    run(&["campaign", "end", "3"]).done();
    let shops = run(&["--json", "shops", "list"]);
    assert_eq!(shops.done().matches("\"radius\":5000").count(), 6, "{shops:?}");
    run(&start).done();
    run(&["audit"]).done();
    run(&["repair"]).done();
}

/// A campaign that is not sent yet, in a file of one lane.
#[test]
fn a_database_file_that_is_not_drained_stays_as_it_is() {
    let app = strays::app();
    let start = ["campaign", "start", "--kind", "rider_shortage", "--all", "--yes"];
    strays::run(&app, &start).done();
    strays::with_store(&app, async |store: &catchment_seaorm::SeaOrmStore| {
        use catchment_domain::ports::CampaignRepository as _;
        use catchment_domain::{Command, Revision};
        store.command(Revision(2), Command::End).await.unwrap();
    });
    let refused = strays::run(&app, &["topics", "move", "--lanes", "5"]);
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(1), 1), "{refused:?}");
    let words = "catchment: campaign 2 is ending: wait until it has no open shop";
    assert!(refused.stderr.starts_with(words), "{refused:?}");
    strays::run(&app, &["lanes", "list"]).done();
}

#[cfg(feature = "servers")]
mod servers {
    use catchment_domain::ports::CampaignRepository as _;
    use catchment_domain::{
        Change, Code, Lane, Lanes, Outcome, Position, Reply, ReplyLane, Request, RequestId,
        Revision, ShopId,
    };
    use catchment_seaorm::SeaOrmStore;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::app::Ran;
    use crate::restored::{Services, begin, check_audit, show, wait_until_settled};
    use crate::world::{LANES, World};

    const SHOPS: u64 = 300;

    /// How many lanes there are after the move.
    const MORE: u16 = 7;

    /// A number of lanes that was named by mistake.
    const TOO_MANY: u16 = 40;

    /// What every check and service says of a topic that the database has left.
    const LEFT: &str = "the database has left this topic by `catchment topics move`";

    /// The command is refused, with one line for each of these words.
    fn check_refused(ran: &Ran, words: &[&str]) {
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!((ran.code, lines.len()), (Some(1), words.len()), "{ran:?}");
        for (line, words) in lines.iter().zip(words) {
            assert!(line.contains(words), "{ran:?}");
        }
    }

    /// The command is refused with these lines, and no others.
    fn check_said(ran: &Ran, lines: &[String]) {
        let said: Vec<&str> = ran.stderr.lines().collect();
        let expected: Vec<String> = lines.iter().map(|line| format!("catchment: {line}")).collect();
        assert_eq!(said, expected, "{ran:?}");
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }

    /// Returns a number of a lane, by its name in `lanes list`.
    fn number_of(world: &World, (of, lane): (&str, u16), name: &str) -> u64 {
        let listed = world.run(&["--json", "lanes", "list"]);
        let mut lanes =
            listed.done().lines().map(|line| -> Value { serde_json::from_str(line).unwrap() });
        let found = lanes.find(|listed| listed["of"] == of && listed["lane"] == lane);
        found.unwrap()[name].as_u64().unwrap()
    }

    /// A request that belongs to no campaign.
    fn request_to(shop: &ShopId) -> Request {
        let (kind, limit) = ("manual".parse().unwrap(), "2km".parse().unwrap());
        let change = Change::ActivateKind { kind, limit, deadline: None };
        Request { id: RequestId(Uuid::now_v7()), shop: shop.clone(), change }
    }

    /// A reply to a request that nobody sent.
    fn reply_of(shop: &ShopId) -> Reply {
        let outcome = Outcome::rejected(Code::UnknownShop, None);
        let (id, shop) = (RequestId(Uuid::now_v7()), Some(shop.clone()));
        Reply { id, shop, outcome, request_position: None }
    }

    /// Moves a database that has left its topics to a wrong number of lanes, and then to another. It
    /// still knows that it has left its topics.
    fn move_twice(world: &mut World) {
        let moved = world.ask(&["topics", "move", "--lanes", &TOO_MANY.to_string()]);
        let expected = |before: u16, now: u16| {
            json!({
                "dryRun": false,
                "lanes": { "before": before, "now": now },
                "shops": SHOPS,
                "campaigns": 1,
            })
        };
        assert_eq!(moved, expected(LANES, TOO_MANY));
        let words =
            format!("has {TOO_MANY} lanes, not {LANES}; set `database.lanes` to {TOO_MANY}");
        check_refused(&world.run(&["topics", "check"]), &[&words]);
        world.set_lanes(TOO_MANY);
        // The topic that the database has left has fewer partitions, and nothing in it is read.
        let moved = world.ask(&["topics", "move", "--lanes", &MORE.to_string()]);
        assert_eq!(moved, expected(TOO_MANY, MORE));
        world.set_lanes(MORE);
    }

    #[test]
    #[ignore = "needs Kafka and PostgreSQL"]
    fn a_drained_system_moves_to_other_topics_with_more_partitions() {
        let mut world = World::empty();
        world.run(&["database", "migrate"]).done();
        world.run(&["topics", "create", "--reply-partitions", "2"]).done();
        world.import(SHOPS);
        let kept = begin(&world, "10m");
        let open = format!("campaign {kept} is sending: wait until it has no open shop");
        check_refused(&world.run(&["topics", "move"]), &[&open]);
        let services = Services::start(&world);
        wait_until_settled(&world, &kept);
        let at_work = world.run(&["topics", "move", "--dry-run"]);
        assert_eq!(at_work.code, Some(1), "{at_work:?}");
        for words in ["catchment: stop all consumers: ", "catchment: stop all requesters"] {
            assert!(at_work.stderr.contains(words), "{at_work:?}");
        }
        services.stop();

        let said = world.ask(&["topics", "move", "--dry-run"]);
        assert_eq!(said["lanes"], json!({ "before": LANES, "now": LANES }), "{said}");
        world.run(&["topics", "check"]).done();
        world.run(&["topics", "move"]).done();
        for check in [&["topics", "check"][..], &["database", "check"]] {
            check_refused(&world.run(check), &[LEFT]);
        }
        let listed = world.run(&["lanes", "list"]);
        assert_eq!(listed.code, Some(1), "{listed:?}");
        assert!(listed.stdout.contains(LEFT), "{listed:?}");
        let advice =
            "; name another topic in `kafka.requests_topic`, or take the lanes as they are";
        Services::start(&world).check_they_end(&["no request lane can go on: ", LEFT, advice]);

        move_twice(&mut world);
        let words = format!("has {LANES} partitions, and the database has {MORE} lanes");
        check_refused(&world.run(&["topics", "check"]), &[&words]);

        world.name_other_topics(MORE);
        world.run(&["topics", "create", "--reply-partitions", "1"]).done();
        world.run(&["topics", "check"]).done();
        assert_eq!(show(&world, &kept)["outcomes"], json!({ "applied": SHOPS }));
        check_audit(&world);
        let _services = Services::start(&world);
        let next = begin(&world, "10m");
        let settled = wait_until_settled(&world, &next);
        // Each shop has this limit already.
        assert_eq!(settled["outcomes"], json!({ "unchanged": SHOPS }), "{settled}");
        for campaign in [&next, &kept] {
            world.run(&["campaign", "end", &campaign.to_string()]).done();
        }
        let shops = world.run(&["--json", "shops", "list", "--limit", "1000"]);
        let normal = shops.done().matches("\"radius\":5000").count();
        assert_eq!(u64::try_from(normal).unwrap(), SHOPS, "{shops:?}");
        check_audit(&world);
    }

    #[test]
    #[ignore = "needs Kafka and PostgreSQL"]
    fn what_is_left_in_the_lanes_is_named() {
        let world = World::empty();
        world.run(&["database", "migrate"]).done();
        world.run(&["topics", "create", "--reply-partitions", "2"]).done();
        world.import(SHOPS);
        let services = Services::start(&world);
        let kept = begin(&world, "10m");
        wait_until_settled(&world, &kept);
        services.stop();
        world.run(&["topics", "move", "--dry-run"]).done();

        let shop: ShopId = "s-0".parse().unwrap();
        let lanes = Lanes(LANES.try_into().unwrap());
        let unapplied = lanes.lane_of(&shop);
        let unanswered = Lane((unapplied.0 + 1) % LANES);
        let campaign = Revision(kept.as_u64().unwrap());
        let campaign = world.with_store(async |store: &SeaOrmStore| store.get(campaign).await);
        let unrecorded = campaign.unwrap().unwrap().reply_lane.unwrap();
        let applied = number_of(&world, ("requests", unapplied.0), "next");
        let answered = number_of(&world, ("requests", unanswered.0), "answered") - 1;
        let recorded = number_of(&world, ("replies", unrecorded.0), "next");

        world.send_request(request_to(&shop));
        world.execute(&format!(
            "UPDATE lane_state SET replied_next = {answered} WHERE lane = {unanswered}"
        ));
        world.forge_reply(unrecorded, reply_of(&shop));
        // No campaign names the other reply lane.
        world.forge_reply(ReplyLane(1 - unrecorded.0), reply_of(&shop));
        let mut requests = [
            (
                unapplied,
                format!(
                    "lane {unapplied}: its requests from {applied} on are not applied: let the \
                     consumers work until they are"
                ),
            ),
            (
                unanswered,
                format!(
                    "lane {unanswered}: its requests from {answered} on were applied and not \
                     answered: let the consumers work until they are"
                ),
            ),
        ];
        requests.sort();
        let [(_, first), (_, second)] = requests;
        let reply = format!(
            "reply lane {unrecorded}: its replies from {recorded} on are not recorded: let as many \
             requesters work as the reply topic has partitions, until they are"
        );
        for command in [&["topics", "move"][..], &["topics", "move", "--lanes", "7", "--dry-run"]] {
            let expected = [first.clone(), second.clone(), reply.clone()];
            check_said(&world.run(command), &expected);
        }
    }

    /// The topic is kept after partitions were added to it.
    #[test]
    #[ignore = "needs Kafka and PostgreSQL"]
    fn requests_in_a_partition_without_a_lane_are_named() {
        let mut world = World::empty();
        world.run(&["database", "migrate"]).done();
        world.create_topics_for(LANES - 1);
        let words = format!("has {} partitions, and the database has {LANES} lanes", LANES - 1);
        check_refused(&world.run(&["topics", "move"]), &[&words]);

        world.name_other_topics(LANES);
        world.create_topics_for(LANES + 1);
        let more = (LANES + 1).to_string();
        let words = format!(
            "; if nothing is under way, `catchment topics move --lanes {more}` changes the number \
             of lanes"
        );
        check_refused(&world.run(&["topics", "check"]), &[&words]);
        let command = ["topics", "move", "--lanes", more.as_str()];
        world.run(&[&command[..], &["--dry-run"]].concat()).done();

        let partition = Lane(LANES);
        let lanes = Lanes((LANES + 1).try_into().unwrap());
        let mut shops = (0..).map(|number| format!("s-{number}").parse::<ShopId>().unwrap());
        let shop = shops.find(|shop| lanes.lane_of(shop) == partition).unwrap();
        world.send_request(request_to(&shop));
        let line = format!(
            "partition {partition} of the request topic has requests from 0 on, and the database \
             has no lane for it, so they are never applied: send them again after the move, and \
             remove them here by `kafka-delete-records.sh`"
        );
        check_said(&world.run(&command), &[line]);
        world.delete_requests(partition, Position(1));
        world.run(&command).done();

        world.set_lanes(LANES + 1);
        world.run(&["lanes", "accept", "--all"]).done();
        world.run(&["topics", "check"]).done();
    }
}
