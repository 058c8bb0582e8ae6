//! Deleting campaigns that ended.

use std::num::NonZeroU16;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{CampaignRepository as _, Clock, ShopLedger as _};
use catchment_domain::{
    CampaignId, Command, Draft, Lanes, LogIdentity, Nonce, Revision, Scope, Timestamp,
};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::app::TestApp;

/// How long an engine may take to delete a campaign before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);

const LANES: Lanes = Lanes(NonZeroU16::new(16).unwrap());

/// A clock that stands still.
#[derive(Debug)]
struct Then(Timestamp);

impl Clock for Then {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Uses the database some days ago.
fn with_store<T>(app: &TestApp, days_ago: u16, work: impl AsyncFnOnce(&SeaOrmStore) -> T) -> T {
    let url = format!("sqlite://{}", app.path("catchment.db").display());
    let ago = i64::from(days_ago) * 24 * 3_600_000;
    let clock = Then(Timestamp::from_millis(SystemClock.now().millis() - ago));
    let settings = StoreSettings::new(LANES, Arc::new(clock));
    Runtime::new().unwrap().block_on(async {
        let store = SeaOrmStore::connect(&url, &settings).await.unwrap();
        let result = work(&store).await;
        store.close().await.unwrap();
        result
    })
}

/// Begins and ends a campaign over all shops some days ago, before anything of it was sent.
fn ended(app: &TestApp, days_ago: u16) -> Revision {
    let draft = Draft {
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope::everything(),
        reason: String::new(),
        timeout: Duration::from_mins(5),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::from_u128(days_ago.into())),
        nonce: Nonce::from_random(days_ago.into()),
    };
    with_store(app, days_ago, async |store| {
        let revision = store.add(&draft).await.unwrap().name.revision;
        store.command(revision, Command::End).await.unwrap();
        revision
    })
}

/// Gives the lane of a shop to another log. No engine gets it back, so no campaign of the shop
/// settles.
fn hold_up(app: &TestApp, shop: &str) {
    let lane = LANES.lane_of(&shop.parse().unwrap());
    let log = LogIdentity { id: 7, lasting: true };
    with_store(app, 0, async |store| store.claim(lane, log, None).await.unwrap());
}

/// Lets an engine work until a campaign is gone, where campaigns are kept for so long. The lane of
/// shop `a` is held up, so the engine does not end by itself for 10 s.
fn work_until_gone(app: &TestApp, kept: &str, campaign: u64) {
    let start = ["campaign", "start", "--kind", "rider_shortage", "--region", "Hackney"];
    let mut start = app.command(&start);
    start.env("CATCHMENT__DATABASE__CAMPAIGNS_KEPT", kept);
    start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut engine = start.spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    while campaigns(app).contains(&campaign) && Instant::now() < until {
        if engine.try_wait().unwrap().is_some() {
            engine = start.spawn().unwrap();
        }
    }
    // One that has ended already cannot be killed.
    let _ = engine.kill();
    engine.wait().unwrap();
    assert!(Instant::now() < until, "campaign {campaign} stays");
}

fn campaigns(app: &TestApp) -> Vec<u64> {
    let listed = app.run(&["--json", "campaign", "list"]);
    let values = listed.done().lines().map(|line| serde_json::from_str(line).unwrap());
    values.map(|value: serde_json::Value| value["campaign"].as_u64().unwrap()).collect()
}

#[test]
fn a_campaign_is_deleted_once_nothing_of_it_can_apply() {
    let app = TestApp::with_shops();
    app.ask(&["campaign", "start", "--kind", "rider_shortage", "--all"]);
    let old = ended(&app, 7).0;
    let refused = app.run(&["campaign", "delete", "2"]);
    let words = "catchment: campaign 2 has not ended\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), words));
    app.ask(&["campaign", "end", "2"]);
    let refused = app.run(&["campaign", "delete", "2"]);
    let words = "catchment: campaign 2 cannot be deleted until an hour after its last deadline\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), words));

    let older = ["campaign", "delete", "--older-than", "1d"];
    let looked = app.run(&[&older[..], &["--dry-run"]].concat());
    let told = format!("campaign {old} would be deleted\n1 campaign would be deleted\n");
    assert_eq!(looked.done(), told);
    assert_eq!(campaigns(&app), [2, old]);
    let deleted = app.run(&older);
    assert_eq!(deleted.done(), format!("campaign {old} deleted\n1 campaign deleted\n"));
    assert_eq!(campaigns(&app), [2]);
    assert_eq!(app.run(&older).done(), "0 campaigns deleted\n");
    let shown = app.run(&["campaign", "show", &old.to_string()]);
    assert!(shown.stderr.contains(&format!("there is no campaign {old}")), "{shown:?}");
    app.run(&["audit"]).done();
    assert_eq!(app.run(&["repair"]).done(), "nothing is damaged\n");
    assert_eq!(app.run(&["campaign", "delete"]).code, Some(2));
}

#[test]
fn old_campaigns_go_by_themselves_where_that_is_set() {
    let app = TestApp::with_shops();
    // Campaigns are deleted in the order in which they were started.
    let [of_7_days, of_9_days] = [7, 9].map(|days_ago| ended(&app, days_ago).0);
    hold_up(&app, "a");
    work_until_gone(&app, "8d", of_9_days);
    assert!(campaigns(&app).contains(&of_7_days), "it is kept for 8 days");
    work_until_gone(&app, "6d", of_7_days);
}
