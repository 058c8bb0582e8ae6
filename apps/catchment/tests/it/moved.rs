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
fn a_database_file_that_is_not_at_rest_stays_as_it_is() {
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
    let words = "catchment: campaign 2 is ending: let requester and consumers work until";
    assert!(refused.stderr.starts_with(words), "{refused:?}");
    strays::run(&app, &["lanes", "list"]).done();
}

#[cfg(feature = "servers")]
mod servers {

    use serde_json::json;

    use crate::app::Ran;
    use crate::restored::{Services, begin, check_audit, show, wait_until_settled};
    use crate::world::{LANES, World};

    const SHOPS: u64 = 300;

    /// How many lanes there are after the move.
    const MORE: u16 = 7;

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

    #[test]
    #[ignore = "needs Kafka and PostgreSQL"]
    fn a_drained_system_moves_to_other_topics_with_more_partitions() {
        let mut world = World::empty();
        world.run(&["database", "migrate"]).done();
        world.run(&["topics", "create", "--reply-partitions", "2"]).done();
        world.import(SHOPS);
        let kept = begin(&world, "10m");
        let open = format!("campaign {kept} is sending: let requester and consumers work until");
        check_refused(&world.run(&["topics", "move"]), &[&open]);
        let services = Services::start(&world);
        wait_until_settled(&world, &kept);
        let at_work = world.run(&["topics", "move", "--dry-run"]);
        assert_eq!(at_work.code, Some(1), "{at_work:?}");
        for words in ["catchment: stop all consumers: ", "catchment: stop all requesters: "] {
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
        Services::start(&world).check_they_end(&["no request lane can go on: ", LEFT]);

        // Moved again before anybody read another topic, it still knows that it has left this one.
        let moved = world.ask(&["topics", "move", "--lanes", &MORE.to_string()]);
        let expected = json!({
            "dry_run": false,
            "lanes": { "before": LANES, "now": MORE },
            "shops": SHOPS,
            "campaigns": 1,
        });
        assert_eq!(moved, expected);
        let words = format!("has {MORE} lanes, not {LANES}; set `database.lanes` to {MORE}");
        check_refused(&world.run(&["topics", "check"]), &[&words]);
        world.set_lanes(MORE);
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
}
