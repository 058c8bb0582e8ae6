//! Deleting campaigns that ended.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{CampaignRepository as _, Clock};
use catchment_domain::{CampaignId, Command, Draft, Lanes, Nonce, Revision, Scope, Timestamp};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::app::TestApp;

/// A week ago, all the time.
#[derive(Debug)]
struct LastWeek(Timestamp);

impl Clock for LastWeek {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Begins and ends a campaign over all shops a week ago, before anything of it was sent.
fn ended_last_week(app: &TestApp) -> Revision {
    let url = format!("sqlite://{}", app.path("catchment.db").display());
    let week = 7 * 24 * 3_600_000;
    let clock = LastWeek(Timestamp::from_millis(SystemClock.now().millis() - week));
    let settings = StoreSettings::new(Lanes(NonZeroU16::new(16).unwrap()), Arc::new(clock));
    Runtime::new().unwrap().block_on(async {
        let store = SeaOrmStore::connect(&url, &settings).await.unwrap();
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
            id: CampaignId(Uuid::from_u128(7)),
            nonce: Nonce::from_random(7),
        };
        let revision = store.add(&draft).await.unwrap().name.revision;
        store.command(revision, Command::End).await.unwrap();
        store.close().await.unwrap();
        revision
    })
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
    let old = ended_last_week(&app).0;
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
    let old = ended_last_week(&app).0;
    let run = |kept: &str| {
        let start = ["campaign", "start", "--kind", "rider_shortage", "--region", "Hackney"];
        let mut start = app.command(&start);
        let done = start.env("CATCHMENT__DATABASE__CAMPAIGNS_KEPT", kept).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        campaigns(&app).contains(&old)
    };
    assert!(run("forever") && run("8d"));
    // The engine may stop before it has come to that.
    assert!((0..20).any(|_| !run("6d")), "campaign {old} stays");
}
