//! Limits in force that no campaign will end, and base radii that no import outranks: how an audit
//! finds them, and what ends them.

use std::num::NonZeroU16;
use std::sync::Arc;

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{ShopLedger as _, ShopRepository as _};
use catchment_domain::{
    ActiveCause, Batch, Change, Effect, ImportBatch, ImportOrder, ImportTerms, Lane, Lanes, Loaded,
    LogIdentity, Origin, Outcome, Policy, Radius, Rank, Request, RequestId, RequestRecord,
    ReturnAddress, Revision, ShopId, ShopImport, judge_batch,
};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::app::{HEADER, Ran, TestApp};

pub(crate) const LANES: Lanes = Lanes(NonZeroU16::MIN);

/// Makes four shops in one lane.
pub(crate) fn app() -> TestApp {
    let app = TestApp::empty();
    assert_eq!(import(&app, "", &[]).stdout, "added 4, updated 0, bad 0\n");
    app
}

pub(crate) fn import(app: &TestApp, base: &str, options: &[&str]) -> Ran {
    let rows = ["a", "b", "c", "d"].map(|id| format!("{id},Acorn,cafe,Hackney,51.5,-0.1,{base}"));
    app.file("shops.csv", format!("{HEADER},base_radius\n{}\n", rows.join("\n")));
    run(app, &[&["shops", "import", "shops.csv"], options].concat())
}

pub(crate) fn run(app: &TestApp, arguments: &[&str]) -> Ran {
    let mut command = app.command(arguments);
    command.env("CATCHMENT__DATABASE__LANES", "1");
    command.output().unwrap().into()
}

/// Starts a campaign over shops.
pub(crate) fn start(app: &TestApp, ids: &str) {
    app.file("ids.txt", ids);
    let start = ["campaign", "start", "--kind", "rider_shortage", "--limit", "3km", "--yes"];
    run(app, &[&start[..], &["--ids", "ids.txt"]].concat()).done();
}

/// Uses the database as another program would.
pub(crate) fn with_store<T>(app: &TestApp, work: impl AsyncFnOnce(&SeaOrmStore) -> T) -> T {
    let url = format!("sqlite://{}", app.path("catchment.db").display());
    Runtime::new().unwrap().block_on(async {
        let settings = StoreSettings::new(LANES, Arc::new(SystemClock));
        let store = SeaOrmStore::connect(&url, &settings).await.unwrap();
        let result = work(&store).await;
        store.close().await.unwrap();
        result
    })
}

/// Closes a shop in the name of a campaign, even if there is no such campaign or it asks for
/// something else.
fn force(app: &TestApp, shop: &str, campaign: u64) {
    let cause = ActiveCause {
        origin: Origin::Campaign(Revision(campaign)),
        kind: "rider_shortage".parse().unwrap(),
        rank: Rank(1),
        limit: "closed".parse().unwrap(),
        effect: Effect::Applied,
    };
    let policy = Policy { floor: Radius::CLOSED, triggers: [].into() };
    let decide = |batch: &Batch, loaded: &mut Loaded| -> Vec<Outcome> {
        for shop in &mut loaded.shops {
            let state = shop.state.as_mut().unwrap();
            state.active.insert(cause);
            state.version += 1;
            state.radius = state.resolution(Radius::CLOSED).radius;
            shop.changed = true;
        }
        judge_batch(batch, loaded, &policy, LANES)
    };
    let id = RequestId(Uuid::nil());
    let change = Change::ReleaseKind { kind: cause.kind, deadline: None };
    with_store(app, async |store: &SeaOrmStore| {
        let log = LogIdentity { id: u128::from(campaign), lasting: false };
        let claim = store.claim(Lane(0), log, None).await.unwrap();
        let record = RequestRecord {
            position: claim.applied_next,
            id,
            return_address: ReturnAddress::default(),
            request: Ok(Request { id, shop: shop.parse().unwrap(), change }),
        };
        let (from, replied) = (claim.applied_next, claim.replied_next);
        let batch = Batch::new((Lane(0), claim.epoch), from, replied, vec![record]);
        store.apply(&batch, &decide).await.unwrap();
    });
}

/// Returns the strays that an audit finds.
pub(crate) fn strays(app: &TestApp) -> Vec<Value> {
    let audit = run(app, &["--json", "audit"]);
    let value: Value = serde_json::from_str(&audit.stdout).unwrap();
    let part = |name| value.get(name).unwrap();
    let strays = part("strayExamples").as_array().unwrap().clone();
    assert_eq!((part("wrong"), part("strays")), (&json!(0), &json!(strays.len())), "{value}");
    assert_eq!(audit.code, Some(i32::from(!strays.is_empty())), "{audit:?}");
    strays
}

#[test]
fn a_limit_that_no_campaign_will_end_is_named_and_ended_by_command() {
    let app = app();
    start(&app, "a\nb\n");
    assert_eq!(strays(&app), [] as [Value; 0]);
    force(&app, "c", 2);
    force(&app, "d", 99);
    run(&app, &["campaign", "end", "2"]).done();
    force(&app, "a", 2);
    let stray = |shop: &str, campaign: u64, why: &str| json!({ "shop": shop, "campaign": campaign, "why": why, "mayBeRetried": false });
    let expected =
        [stray("a", 2, "ended"), stray("c", 2, "not_listed"), stray("d", 99, "unknown_campaign")];
    let found = strays(&app);
    assert_eq!(found, expected);
    let told = run(&app, &["audit"]).stdout;
    let line = "shop c: the limit of campaign 2 is in force there, but its list does not name this \
                shop; `catchment shops release --campaign 2 c` ends it\n";
    assert!(told.contains(line), "{told}");
    assert!(told.contains("3 limits in force that no campaign will end\n"), "{told}");
    for stray in found {
        let (campaign, shop) = (&stray["campaign"], stray["shop"].as_str().unwrap());
        let number = campaign.to_string();
        let arguments = ["shops", "release", "--campaign", &number, shop];
        let released = run(&app, &arguments);
        let line = format!(
            "released campaign {campaign} at shop {shop}: radius closed before, 5 km now \
             (base radius)\n"
        );
        assert_eq!(released.done(), line);
        let again = run(&app, &arguments);
        let (code, line) = if *campaign == 99 {
            (1, format!("there is no campaign 99, and it is not in force at shop {shop}"))
        } else {
            (0, format!("campaign {campaign} is not in force at shop {shop}"))
        };
        assert_eq!(
            (again.code, again.stdout),
            (Some(code), format!("nothing to release: {line}\n"))
        );
    }
    assert_eq!(strays(&app), [] as [Value; 0]);
    let stranger = run(&app, &["shops", "release", "stranger", "--kind", "manual"]);
    let line = "catchment: could not release kind manual without a campaign at shop `stranger`: \
                there is no such shop\n";
    assert_eq!((stranger.code, stranger.stderr.as_str()), (Some(1), line));
    let misspelt = run(&app, &["shops", "release", "a", "--kind", "manul"]);
    let line = "catchment: could not release kind manul without a campaign at shop `a`: there is \
                no trigger kind `manul`: did you mean `manual`?\n";
    assert_eq!((misspelt.code, misspelt.stderr.as_str()), (Some(1), line));
    let known = run(&app, &["shops", "release", "a", "--kind", "manual"]);
    assert_eq!(known.code, Some(0), "{known:?}");
}

#[test]
fn a_campaign_goes_on_where_a_command_released_one_of_its_shops() {
    let app = app();
    start(&app, "a\nb\n");
    let released = run(&app, &["--json", "shops", "release", "a", "--campaign", "2"]);
    let expected = json!({
        "shop": "a", "campaign": 2, "kind": null, "released": true, "prospect": null,
        "before": 3_000, "after": 5_000, "decidedBy": "base", "version": 3,
    });
    assert_eq!(released.value(), expected);
    assert_eq!(strays(&app), [] as [Value; 0]);
    run(&app, &["campaign", "end", "2"]).done();
    assert_eq!(strays(&app), [] as [Value; 0]);
}

#[test]
fn an_import_names_the_shops_that_keep_newer_base_radii() {
    let app = app();
    with_store(&app, async |store: &SeaOrmStore| {
        let id: ShopId = "b".parse().unwrap();
        let profile = store.get(&id).await.unwrap().unwrap().profile;
        let base = Some(Radius::try_from(9_000_u32).unwrap());
        let rows = vec![ShopImport { id, profile, base }];
        let (default_base, floor) = (Radius::CLOSED, Radius::CLOSED);
        let order = ImportOrder::Taken(Revision(1_796_000_000_000));
        let terms = ImportTerms { order, default_base, floor };
        for batch in ImportBatch::split(rows, LANES) {
            store.import(&batch, terms).await.unwrap();
        }
    });
    let ran = import(&app, "3km", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "added 0, updated 4, bad 0\n"));
    let line = "catchment: shop b keeps its base radius: revision 1796000000000 is newer than this \
                import\n\
                catchment: import again with --overrule where the file is to count\n";
    assert_eq!(ran.stderr, line);
    assert_eq!(run(&app, &["--json", "shops", "show", "b"]).value()["baseRadius"], 9_000);
    let ran = import(&app, "3km", &["--json"]);
    assert_eq!(ran.code, Some(1));
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["keptBase"], json!([{ "shop": "b", "revision": 1_796_000_000_000_u64 }]));
    let ran = import(&app, "3km", &["--overrule"]);
    assert_eq!((ran.done(), ran.stderr.as_str()), ("added 0, updated 4, bad 0\n", ""));
    assert_eq!(run(&app, &["--json", "shops", "show", "b"]).value()["baseRadius"], 3_000);
    // From now on, imports can outrank it as usual.
    import(&app, "4km", &[]).done();
    assert_eq!(run(&app, &["--json", "shops", "show", "b"]).value()["baseRadius"], 4_000);
}
