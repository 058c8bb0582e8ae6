//! A store in memory with shops.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use catchment_application::{
    CampaignOrder, CampaignPlan, ImportRules, Reason, UseCaseError, import_shops, plan_campaign,
    resolve_scope, start_campaign,
};
use catchment_domain::ports::{ShopLedger as _, ShopRepository as _};
use catchment_domain::{
    Batch, Campaign, CampaignId, Change, Lanes, Loaded, Location, LogIdentity, Nonce, Phase,
    Policy, Profile, Radius, Rank, Request, RequestRecord, ReturnAddress, Scope, ShopId,
    ShopImport, Ticket, Timestamp, TriggerKind, TriggerRule, judge_batch,
};
use catchment_memory::{ManualClock, MemoryStore};
use uuid::Uuid;

pub(crate) struct City {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) policy: Policy,
}

impl City {
    /// A store with two shops in Hackney and one in Camden, and the kinds `manual` and
    /// `bad_weather`.
    pub(crate) async fn with_shops() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let lanes = Lanes(NonZeroU16::new(2).unwrap());
        let store = MemoryStore::new(lanes, Arc::clone(&clock) as _, Duration::from_hours(1));
        let row = |id: &str, region: &str| ShopImport {
            id: id.parse().unwrap(),
            profile: Profile {
                name: id.into(),
                category: "cafe".into(),
                region: region.into(),
                location: Location::new(51.5, -0.1).unwrap(),
            },
            base: None,
        };
        let rows = [row("a", "Hackney"), row("b", "Hackney"), row("c", "Camden")];
        let rules = ImportRules {
            overrules: false,
            default_base: Radius::try_from(5_000_u32).unwrap(),
            floor: Radius::CLOSED,
        };
        import_shops(&store, rows, rules).await.unwrap();
        let kind = |name: &str| name.parse::<TriggerKind>().unwrap();
        let rule = |rank, limit: Option<&str>| TriggerRule {
            rank: Rank(rank),
            default_limit: limit.map(|limit| limit.parse().unwrap()),
        };
        let triggers = BTreeMap::from([
            (kind("manual"), rule(20, None)),
            (kind("bad_weather"), rule(10, Some("50%"))),
        ]);
        let policy = Policy { floor: Radius::CLOSED, triggers };
        Self { store: Arc::new(store), clock, policy }
    }

    /// Plans a campaign of a kind over a scope.
    pub(crate) async fn plan(
        &self,
        kind: &str,
        scope: Scope,
    ) -> Result<CampaignPlan, UseCaseError> {
        let order = CampaignOrder {
            kind: kind.to_owned(),
            limit: None,
            scope: resolve_scope(&*self.store, scope).await?,
            reason: Reason::default(),
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
        };
        plan_campaign(&*self.store, &*self.clock, &self.policy, order).await
    }

    /// Starts a campaign over all shops.
    pub(crate) async fn start(&self) -> Campaign {
        let plan = self.plan("bad_weather", Scope::everything()).await.unwrap();
        let unique = (CampaignId(Uuid::from_u128(7)), Nonce::from_random(7));
        start_campaign(&*self.store, plan, unique).await.unwrap()
    }

    /// Puts a campaign in force at a shop.
    pub(crate) async fn narrow(&self, shop: &str, campaign: &Campaign) {
        let shop: ShopId = shop.parse().unwrap();
        let lane = self.store.lanes().lane_of(&shop);
        let log = LogIdentity { id: 1, lasting: false };
        let claim = self.store.claim(lane, log, None).await.unwrap();
        let Campaign { name, kind, limit, deadline, attempt, nonce, .. } = campaign.clone();
        let phase = Phase::Activation;
        let id = Ticket { revision: name.revision, phase, attempt, index: 0, nonce }.id();
        let change = Change::Activate { campaign: name, kind, limit, deadline, replaces: None };
        let record = RequestRecord {
            position: claim.applied_next,
            id,
            return_address: ReturnAddress::default(),
            request: Ok(Request { id, shop, change }),
        };
        let (from, replied) = (claim.applied_next, claim.replied_next);
        let batch = Batch::new((lane, claim.epoch), from, replied, vec![record]);
        let (policy, lanes) = (&self.policy, self.store.lanes());
        let decide = |batch: &Batch, loaded: &mut Loaded| judge_batch(batch, loaded, policy, lanes);
        self.store.apply(&batch, &decide).await.unwrap();
    }
}

pub(crate) fn in_region(region: &str) -> Scope {
    Scope { regions: [region.to_owned()].into(), ..Scope::everything() }
}
