//! Calls a use case as an HTTP handler does: from a DTO to a DTO, without a command line.
#![expect(clippy::unwrap_used, reason = "a step that a test builds on must work")]

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use catchment_api::{Limit, StartedCampaign};
use catchment_application::{
    CampaignOrder, ImportRules, InvalidField, UseCaseError, import_shops, plan_campaign,
    resolve_scope, start_campaign,
};
use catchment_domain::{
    CampaignId, Lanes, Location, Nonce, Policy, Profile, Radius, Rank, Scope, ShopImport,
    Timestamp, TriggerKind, TriggerRule,
};
use catchment_memory::{ManualClock, MemoryStore};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a client sends to start a campaign.
#[derive(Deserialize)]
struct Start {
    kind: String,
    limit: Limit,
    #[serde(default)]
    regions: Vec<String>,
    reason: String,
}

struct Handler {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    policy: Policy,
}

impl Handler {
    async fn with_a_shop() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
        let lanes = Lanes(NonZeroU16::MIN);
        let store = MemoryStore::new(lanes, Arc::clone(&clock) as _, Duration::from_hours(1));
        let [name, category, region] = ["Acorn", "cafe", "Hackney"].map(str::to_owned);
        let location = Location::new(51.5, -0.1).unwrap();
        let profile = Profile { name, category, region, location };
        let shop = ShopImport { id: "a".parse().unwrap(), profile, base: None };
        let radius = Radius::try_from(5_000_u32).unwrap();
        let rules = ImportRules { overrules: false, default_base: radius, floor: Radius::CLOSED };
        import_shops(&store, [shop], rules).await.unwrap();
        let kind: TriggerKind = "manual".parse().unwrap();
        let rule = TriggerRule { rank: Rank(20), default_limit: None };
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::from([(kind, rule)]) };
        Self { store, clock, policy }
    }

    /// Answers with a status and a body.
    async fn post(&self, body: Value) -> (u16, Value) {
        match self.start(serde_json::from_value(body).unwrap()).await {
            Ok(started) => (202, serde_json::to_value(started).unwrap()),
            Err(UseCaseError::Invalid(InvalidField { field, nearest, .. })) => {
                (422, json!({ "field": field, "nearest": nearest }))
            }
            Err(UseCaseError::NotFound(_)) => (404, Value::Null),
            Err(UseCaseError::Conflict(_)) => (409, Value::Null),
            Err(UseCaseError::Unavailable(_)) => (503, Value::Null),
            Err(UseCaseError::HumanMustLook(_)) => (500, Value::Null),
        }
    }

    async fn start(&self, start: Start) -> Result<StartedCampaign, UseCaseError> {
        let regions = start.regions.into_iter().collect();
        let scope = Scope { regions, ..Scope::everything() };
        let order = CampaignOrder {
            kind: start.kind,
            limit: Some(start.limit.try_into()?),
            scope: resolve_scope(&self.store, scope).await?,
            reason: start.reason.parse()?,
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
        };
        let plan = plan_campaign(&self.store, &*self.clock, &self.policy, order).await?;
        let unique = (CampaignId(Uuid::nil()), Nonce::from_random(1));
        let campaign = start_campaign(&self.store, plan, unique).await?;
        Ok((&campaign).into())
    }
}

#[tokio::test]
async fn a_campaign_is_started_from_json_and_answered_in_json() {
    let handler = Handler::with_a_shop().await;
    let start = |kind: &str, metres: u32, region: &str, reason: &str| json!({ "kind": kind, "limit": { "metres": metres }, "regions": [region], "reason": reason });
    let started = json!({ "campaign": 2, "status": "sending", "shops": 1 });
    let answer = handler.post(start("manual", 3_000, "Hackney", "gas leak")).await;
    assert_eq!(answer, (202, started));
    for (body, field, nearest) in [
        (start("manul", 3_000, "Hackney", ""), "kind", vec!["manual"]),
        (start("manual", 0, "Hackney", ""), "limit", vec![]),
        (start("manual", 3_000, "Hackny", ""), "regions", vec!["Hackney"]),
        (start("manual", 3_000, "Hackney", "a\nb"), "reason", vec![]),
    ] {
        let expected = json!({ "field": field, "nearest": nearest });
        assert_eq!(handler.post(body).await, (422, expected));
    }
}
