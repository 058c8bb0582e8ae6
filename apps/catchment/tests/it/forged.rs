//! Records that a stranger writes to the request topic, in the name of a campaign, of an import or
//! of nobody. After each record, an audit tells the truth, and an import and a campaign have their
//! full effect on the shop.

use std::time::Duration;

use catchment_domain::ports::{
    Answer, CampaignLedger, CampaignRepository, Holder, ReplyLanes as _, ShopLedger as _,
    ShopRepository,
};
use catchment_domain::{
    Attempt, Batch, Campaign, CampaignId, Change, Code, Draft, ImportBatch, ImportOrder,
    ImportTerms, Lane, LogIdentity, Nonce, Outcome, Phase, Policy, Position, Radius, Rank,
    ReplyLane, Request, RequestId, RequestRecord, ReturnAddress, Revision, Scope, ShopId,
    ShopImport, Status, Ticket, TriggerRule, judge_batch,
};
use catchment_seaorm::SeaOrmStore;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::strays::{LANES, app, import, run, start, strays, with_store};

/// Applies records as a consumer does, and returns their outcomes.
fn send(app: &TestApp, records: &[(RequestId, &str, Change)]) -> Vec<Outcome> {
    let rule = |rank| TriggerRule { rank: Rank(rank), default_limit: None };
    let kinds = [("rider_shortage", 10), ("bad_weather", 10), ("manual", 20)];
    let triggers = kinds.map(|(kind, rank)| (kind.parse().unwrap(), rule(rank)));
    let policy = Policy { floor: metres(100), triggers: triggers.into() };
    with_store(app, async |store: &SeaOrmStore| {
        let log = LogIdentity { id: Uuid::now_v7().as_u128(), lasting: false };
        let claim = store.claim(Lane(0), log, None).await.unwrap();
        let (from, replied) = (claim.applied_next, claim.replied_next);
        let records = (from.0..).zip(records).map(|(position, (id, shop, change))| {
            let request = Request { id: *id, shop: shop.parse().unwrap(), change: *change };
            RequestRecord {
                position: Position(position),
                id: *id,
                return_address: ReturnAddress::default(),
                request: Ok(request),
            }
        });
        let batch = Batch::new((Lane(0), claim.epoch), from, replied, records.collect());
        let decide = |batch: &Batch, loaded: &mut _| judge_batch(batch, loaded, &policy, LANES);
        let receipt = store.apply(&batch, &decide).await.unwrap();
        receipt.entries.into_iter().map(|entry| entry.outcome).collect()
    })
}

/// Sends one record, and returns its status and code.
fn send_one(
    app: &TestApp,
    shop: &str,
    (id, change): (RequestId, Change),
) -> (Status, Option<Code>) {
    let outcome = send(app, &[(id, shop, change)]).remove(0);
    (outcome.status, outcome.code)
}

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}

fn get(app: &TestApp, campaign: u64) -> Campaign {
    let get = async |store: &SeaOrmStore| CampaignRepository::get(store, Revision(campaign)).await;
    with_store(app, get).unwrap().unwrap()
}

/// Stores a campaign over shops without sending its requests, as if another machine had to send
/// them.
fn add(app: &TestApp, shops: &[&str]) -> Campaign {
    let ids = shops.iter().map(|id| id.parse::<ShopId>().unwrap()).collect();
    let draft = Draft {
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope { ids: Some(ids), ..Scope::everything() },
        reason: String::new(),
        timeout: Duration::from_mins(10),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::now_v7()),
        nonce: Nonce::from_random(7),
    };
    with_store(app, async |store: &SeaOrmStore| store.add(&draft).await).unwrap()
}

/// Returns the request of a campaign to the shop at this place of its list, as its requester makes
/// it.
fn request(campaign: &Campaign, phase: Phase, index: u32) -> (RequestId, Change) {
    let Campaign { name, kind, limit, deadline, replaces, nonce, attempt, .. } = *campaign;
    let revision = name.revision;
    let change = match phase {
        Phase::Activation => Change::Activate { campaign: name, kind, limit, deadline, replaces },
        Phase::Release => Change::Release { campaign: name, deadline },
    };
    (Ticket { revision, phase, attempt, index, nonce }.id(), change)
}

fn shop(app: &TestApp, id: &str) -> Value {
    run(app, &["--json", "shops", "show", id]).value()
}

/// Checks that an audit finds nothing, by its whole text.
#[track_caller]
fn check_audit_is_fine(app: &TestApp) {
    assert_eq!(strays(app), [] as [Value; 0]);
    let told = run(app, &["audit"]);
    assert!(
        told.done().ends_with(", 0 could not be checked (receipts pruned), 0 wrong\n"),
        "{told:?}"
    );
}

/// Checks that an import and a campaign have their full effect on a shop, and that the shop then
/// has this radius.
#[track_caller]
fn check_full_effect(app: &TestApp, id: &str, left: u32) {
    let imported = import(app, "6km", &[]);
    assert_eq!((imported.code, imported.stderr.as_str()), (Some(0), ""), "{imported:?}");
    assert_eq!(shop(app, id)["baseRadius"], 6_000);
    app.file("one.txt", format!("{id}\n"));
    let start = ["campaign", "start", "--kind", "bad_weather", "--limit", "1km", "--yes"];
    run(app, &[&start[..], &["--ids", "one.txt"]].concat()).done();
    assert_eq!(shop(app, id)["radius"], 1_000);
    let list =
        async |store: &SeaOrmStore| CampaignRepository::list(store, None, 99).await.unwrap().found;
    let newest = with_store(app, list).pop().unwrap().name.revision.to_string();
    run(app, &["campaign", "end", &newest]).done();
    assert_eq!(shop(app, id)["radius"], left);
    assert_eq!(strays(app), [] as [Value; 0]);
}

/// Replaces these bytes by others, at every place in the database's file.
fn overwrite(app: &TestApp, before: &[u8], after: &[u8]) {
    assert_eq!(before.len(), after.len());
    let mut bytes = std::fs::read(app.path("catchment.db")).unwrap();
    let places: Vec<usize> = (0..bytes.len() - before.len())
        .filter(|place| bytes.get(*place..).is_some_and(|rest| rest.starts_with(before)))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes.splice(place..place + before.len(), after.iter().copied());
    }
    app.file("catchment.db", bytes);
}

const REJECTED: Status = Status::Rejected;

#[test]
fn a_base_radius_of_a_revision_that_was_never_given_out_is_rejected() {
    let app = app();
    for revision in [1_796_000_000_000, 281_474_976_710_655] {
        let (revision, radius) = (Revision(revision), metres(9_000));
        let change = Change::SetBase { revision, radius, deadline: None };
        let answer = send_one(&app, "a", (RequestId(Uuid::now_v7()), change));
        assert_eq!(answer, (REJECTED, Some(Code::UnknownRevision)));
        check_audit_is_fine(&app);
    }
    check_full_effect(&app, "a", 6_000);
}

#[test]
fn a_base_radius_that_no_import_outranks_is_found() {
    let app = app();
    with_store(&app, async |store: &SeaOrmStore| {
        let id: ShopId = "b".parse().unwrap();
        let profile = ShopRepository::get(store, &id).await.unwrap().unwrap().profile;
        let rows = vec![ShopImport { id, profile, base: Some(metres(9_000)) }];
        let order = ImportOrder::Taken(Revision(1_796_000_000_000));
        let terms = ImportTerms { order, default_base: metres(1), floor: metres(1) };
        for batch in ImportBatch::split(rows, LANES) {
            store.import(&batch, terms).await.unwrap();
        }
    });
    let told = run(&app, &["audit"]);
    let line = "shop b: its base radius has revision 1796000000000, but 1 is the newest that the \
                database gave out, so no import outranks it; \
                `catchment shops import FILE --overrule` replaces it\n\
                1 base radius of revisions that were never given out\n";
    assert!(told.code == Some(1) && told.stdout.starts_with(line), "{told:?}");
    let value = run(&app, &["--json", "audit"]);
    let value: Value = serde_json::from_str(&value.stdout).unwrap();
    let base = json!({ "shop": "b", "revision": 1_796_000_000_000_u64, "newest": 1 });
    assert_eq!(
        (&value["unknownBases"], &value["unknownBaseExamples"]),
        (&json!(1), &json!([base]))
    );
    import(&app, "3km", &["--overrule"]).done();
    check_audit_is_fine(&app);
    check_full_effect(&app, "b", 6_000);
}

#[test]
fn an_activation_with_another_kind_or_limit_than_its_campaign_is_rejected() {
    let app = app();
    start(&app, "a\nb\n");
    let campaign = get(&app, 2);
    let (id, honest) = request(&campaign, Phase::Activation, 0);
    let Change::Activate { campaign: name, kind, limit, deadline, replaces } = honest else {
        panic!("{honest:?}")
    };
    let (weather, closed) = ("bad_weather".parse().unwrap(), "closed".parse().unwrap());
    for (kind, limit) in [(weather, limit), (kind, closed), (weather, closed)] {
        let change = Change::Activate { campaign: name, kind, limit, deadline, replaces };
        let answer = send_one(&app, "c", (id, change));
        assert_eq!(answer, (REJECTED, Some(Code::CampaignDiffers)));
        // The shop of the list has the cause, so this is a repeat, which changes nothing.
        assert_eq!(send_one(&app, "a", (id, change)), (Status::Applied, None));
    }
    check_audit_is_fine(&app);
    check_full_effect(&app, "c", 6_000);
    check_full_effect(&app, "a", 3_000);
}

/// A stranger copies a request of a campaign to another shop: only its key is wrong.
#[test]
fn a_copied_request_is_told_of_the_right_shop_and_ended_by_command() {
    let app = app();
    start(&app, "a\nb\n");
    let copy = request(&get(&app, 2), Phase::Activation, 0);
    assert_eq!(send_one(&app, "c", copy), (Status::Applied, None));
    let command = "catchment shops release --campaign 2 c";
    let stray = json!({ "shop": "c", "campaign": 2, "why": "not_listed", "mayBeRetried": false });
    // `strays` checks that no outcome of a listed shop is reported as wrong.
    assert_eq!(strays(&app), [stray]);
    let told = run(&app, &["audit"]).stdout;
    let expected = "shop c: the limit of campaign 2 is in force there, but its list does not name \
                    this shop; `catchment shops release --campaign 2 c` ends it\n\
                    1 limit in force that no campaign will end\n\
                    1 campaign: 2 outcomes agree with the receipts, 0 could not be checked \
                    (receipts pruned), 0 wrong\n";
    assert_eq!(told, expected);
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    run(&app, &arguments).done();
    check_audit_is_fine(&app);
    let again = send_one(&app, "c", copy);
    assert_eq!(again, (Status::Superseded, Some(Code::CampaignEnded)));
    check_audit_is_fine(&app);
    check_full_effect(&app, "c", 6_000);
    check_full_effect(&app, "a", 3_000);
}

/// The copy comes before the request of the listed shop. Then the row of that shop is lost.
#[test]
fn a_copied_request_brings_no_limit_to_the_shop_that_it_was_copied_from() {
    let app = app();
    // No rows but those of shops hold 4,321 m.
    import(&app, "4321m", &[]).done();
    let campaign = add(&app, &["a", "b"]);
    let number = campaign.name.revision.to_string();
    let copy = request(&campaign, Phase::Activation, 0);
    assert_eq!(send_one(&app, "c", copy), (Status::Applied, None));
    overwrite(&app, b"a\x10\xe1", b"a\xff\xff");
    let mended = run(&app, &["repair"]);
    let line = "radius is now 5 km, 0 causes in force; its base radius is the default one";
    assert!(mended.done().contains(line), "{mended:?}");
    assert_eq!(shop(&app, "a")["radius"], 5_000);
    run(&app, &["campaign", "watch", &number]).done();
    assert_eq!(shop(&app, "a")["radius"], 3_000);
    assert_eq!(strays(&app).len(), 1);
    run(&app, &["shops", "release", "c", "--campaign", &number]).done();
    check_audit_is_fine(&app);
    check_full_effect(&app, "a", 3_000);
}

#[test]
fn an_activation_after_the_end_of_its_campaign_is_superseded() {
    let app = app();
    start(&app, "a\nb\n");
    let activation = request(&get(&app, 2), Phase::Activation, 1);
    run(&app, &["campaign", "end", "2"]).done();
    for shop in ["b", "c"] {
        let answer = send_one(&app, shop, activation);
        assert_eq!(answer, (Status::Superseded, Some(Code::CampaignEnded)), "{shop}");
    }
    check_audit_is_fine(&app);
    check_full_effect(&app, "b", 6_000);
    check_full_effect(&app, "c", 6_000);
}

#[test]
fn a_release_for_a_shop_that_was_never_asked_changes_nothing() {
    let app = app();
    start(&app, "a\nb\n");
    let release = request(&get(&app, 2), Phase::Release, 0);
    for shop in ["a", "c"] {
        let answer = send_one(&app, shop, release);
        assert_eq!(answer, (REJECTED, Some(Code::CampaignDiffers)), "{shop}");
    }
    check_audit_is_fine(&app);
    run(&app, &["campaign", "end", "2"]).done();
    assert_eq!(send_one(&app, "c", release), (Status::Unchanged, None));
    check_audit_is_fine(&app);
    check_full_effect(&app, "c", 6_000);
    check_full_effect(&app, "a", 6_000);
}

/// The campaign was ended before it asked its shops, and a stranger sends a release.
#[test]
fn a_release_for_a_listed_shop_that_was_never_asked_is_no_difference() {
    let app = app();
    let campaign = add(&app, &["a", "b"]);
    let number = campaign.name.revision.to_string();
    run(&app, &["campaign", "end", &number]).done();
    let release = request(&get(&app, campaign.name.revision.0), Phase::Release, 0);
    assert_eq!(send_one(&app, "a", release), (Status::Unchanged, None));
    check_audit_is_fine(&app);
    check_full_effect(&app, "a", 6_000);
}

/// A stranger answers requests of a running campaign before a consumer has applied them.
#[test]
fn a_forged_outcome_is_named_until_the_limit_is_in_force() {
    let app = app();
    let campaign = add(&app, &["a", "b"]);
    let revision = campaign.name.revision;
    with_store(&app, async |store: &SeaOrmStore| {
        let log = (LogIdentity { id: 9, lasting: false }, Position(0));
        let holder = Holder(Uuid::from_u128(9));
        let lease = store.lease(ReplyLane(0), holder, log, Duration::from_mins(1)).await;
        let mut lease = lease.unwrap().unwrap();
        CampaignLedger::open(store, &lease).await.unwrap();
        let ticket = Ticket::read(request(&campaign, Phase::Activation, 0).0).unwrap();
        let (status, code, detail) = (Status::Applied, None, None);
        let outcome = Outcome { status, code, detail, standing: None, repeat: false };
        let answers = [(revision, Answer { chunk: 0, ticket, outcome, request_position: None })];
        let part = (Phase::Activation, campaign.attempt);
        for (counted, to) in [(0, Position(1)), (1, Position(2))] {
            let recorded = CampaignLedger::record(store, &lease, to, &answers).await;
            assert_eq!(recorded.unwrap().counted, counted);
            lease.position = to;
            store.mark_sent(&lease, revision, part, &[0]).await.unwrap();
        }
        store.surrender(&lease).await.unwrap();
    });
    let told = run(&app, &["audit"]);
    let expected = format!(
        "campaign {revision}, shop a: the activation counts as applied, but the limit is not in \
         force there, and nothing that is kept says that a command released it; \
         `catchment shops show a` shows what is in force there\n\
         1 campaign: 0 outcomes agree with the receipts, 0 could not be checked (receipts pruned), \
         1 whose limits are not in force, 0 wrong\n"
    );
    assert_eq!((told.code, told.stdout), (Some(1), expected));
    let told: Value = serde_json::from_str(&run(&app, &["--json", "audit"]).stdout).unwrap();
    assert_eq!((&told["missing"], &told["wrong"]), (&json!(1), &json!(0)));
    // The true request takes effect in the end.
    let activation = request(&campaign, Phase::Activation, 0);
    assert_eq!(send_one(&app, "a", activation), (Status::Applied, None));
    check_audit_is_fine(&app);
    run(&app, &["shops", "release", "a", "--campaign", &revision.to_string()]).done();
    check_audit_is_fine(&app);
}

#[test]
fn an_id_of_a_campaigns_request_without_a_campaign_is_rejected() {
    let app = app();
    start(&app, "a\nb\n");
    let Campaign { nonce, .. } = get(&app, 2);
    let (kind, limit) = ("manual".parse().unwrap(), "closed".parse().unwrap());
    let change = Change::ActivateKind { kind, limit, deadline: None };
    for revision in [2, 77] {
        let (revision, phase) = (Revision(revision), Phase::Activation);
        let id = Ticket { revision, phase, attempt: Attempt::FIRST, index: 0, nonce }.id();
        let answer = send_one(&app, "a", (id, change));
        assert_eq!(answer, (REJECTED, Some(Code::ReservedId)));
    }
    check_audit_is_fine(&app);
    check_full_effect(&app, "a", 3_000);
}

#[test]
fn a_receipt_that_cannot_be_read_is_named_and_the_others_count() {
    let app = app();
    start(&app, "a\nb\n");
    // These bytes are the receipt of the import: its format, and its shops.
    overwrite(&app, b"\x02\x04\x01a\x01b\x01c\x01d", b"\x09\x04\x01a\x01b\x01c\x01d");
    let audit = run(&app, &["audit"]);
    let expected = "1 campaign: 2 outcomes agree with the receipts, 0 could not be checked \
                    (receipts pruned), 0 wrong\n";
    assert_eq!((audit.code, audit.stdout.as_str()), (Some(1), expected), "{audit:?}");
    let named = "catchment: left out: import_receipt.entries of lane 0, number 1: the format 9 is \
                 not known\n\
                 catchment: a receipt that cannot be read goes by itself once it is older than \
                 `database.receipts_kept`\n";
    assert_eq!(audit.stderr, named);
    let repaired = run(&app, &["repair"]);
    assert_eq!(repaired.code, Some(1));
    assert!(repaired.stdout.starts_with("not mended: import_receipt.entries of"), "{repaired:?}");
}

#[test]
fn a_release_says_what_is_still_to_come() {
    let app = app();
    let campaign = add(&app, &["a", "b"]);
    let number = campaign.name.revision.to_string();
    let release =
        |shop: &str, campaign: &str| run(&app, &["shops", "release", shop, "--campaign", campaign]);
    let asked = release("a", &number);
    let line = format!(
        "nothing to release yet: campaign {number} is not in force at shop a, but asks for it \
         there; release it again once the shop has an outcome, or end the campaign\n"
    );
    assert_eq!((asked.code, asked.stdout), (Some(1), line));
    assert_eq!(release("c", &number).code, Some(0), "its list does not name the shop");
    let unknown = release("a", "99");
    let line = "nothing to release: there is no campaign 99, and it is not in force at shop a\n";
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), line));
    run(&app, &["campaign", "watch", &number]).done();
    for _ in 0..2 {
        assert_eq!(release("a", &number).code, Some(0));
    }
    assert_eq!(shop(&app, "a")["radius"], 5_000);
    overwrite(&app, b"rider_shortage", b"RIDER_SHORTAGE");
    let unreadable = release("a", &number);
    let line = format!(
        "nothing to release: campaign {number} is not in force at shop a; whether it asks for it \
         there cannot be read\n"
    );
    assert_eq!((unreadable.code, unreadable.stdout), (Some(1), line));
}
