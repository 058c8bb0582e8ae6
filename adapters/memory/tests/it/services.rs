//! A campaign from its first request to its end, on the services and the memory adapters.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Holder, ShopRepository};
use catchment_domain::service::{
    ConsumerPorts, LaneConsumer, LaneRequester, RequesterPorts, RequesterTerms, Rules, Step,
};
use catchment_domain::{
    CampaignId, CampaignState, Command, Draft, ImportBatch, ImportOrder, ImportTerms, Lanes,
    Location, LogIdentity, Nonce, Policy, Profile, Radius, Rank, ReplyLane, Scope, ShopImport,
    Status, TriggerRule, WindowLimits,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

const SHOPS: u32 = 30_000;

struct Town {
    store: Arc<MemoryStore>,
    consumers: Vec<LaneConsumer>,
    requester: LaneRequester,
}

impl Town {
    async fn new() -> Self {
        let lanes = Lanes(8.try_into().unwrap());
        let clock = Arc::new(ManualClock::new(catchment_domain::Timestamp::from_millis(1_000)));
        let clock: Arc<dyn catchment_domain::ports::Clock> = clock;
        let kept = Duration::from_hours(1);
        let store = Arc::new(MemoryStore::new(lanes, Arc::clone(&clock), kept));
        let identity = LogIdentity { id: 1, lasting: false };
        let log = Arc::new(MemoryLog::new(lanes, 1, 64_000, identity));
        let rules = Arc::new(Rules { policy: policy(), lanes, batch: 2_000 });
        let consumers = lanes.iter().map(|lane| {
            let ports = ConsumerPorts {
                ledger: Arc::<MemoryStore>::clone(&store),
                log: Arc::<MemoryLog>::clone(&log),
                replies: Arc::<MemoryLog>::clone(&log),
            };
            LaneConsumer::new(lane, ports, Arc::clone(&rules))
        });
        let consumers = consumers.collect();
        let ports = RequesterPorts {
            reply_lanes: Arc::<MemoryStore>::clone(&store),
            ledger: Arc::<MemoryStore>::clone(&store),
            lanes: Arc::<MemoryStore>::clone(&store),
            commits: Arc::<MemoryLog>::clone(&log),
            requests: Arc::<MemoryLog>::clone(&log),
            replies: log,
            clock,
        };
        let second = Duration::from_secs(1);
        let terms = RequesterTerms {
            lease: 10 * second,
            look: Duration::ZERO,
            resend: second,
            limits: WindowLimits::new(lanes),
        };
        let requester = LaneRequester::new(ReplyLane(0), Holder(Uuid::nil()), ports, terms);
        let revision = store.take_revision().await.unwrap();
        let terms = ImportTerms {
            order: ImportOrder::Taken(revision),
            default_base: Radius::try_from(5_000_u32).unwrap(),
            floor: Radius::CLOSED,
        };
        let rows: Vec<_> = (0..SHOPS).map(shop).collect();
        for batch in ImportBatch::split(rows, lanes) {
            store.import(&batch, terms).await.unwrap();
        }
        Self { store, consumers, requester }
    }

    /// Turns everything until a round does nothing.
    async fn rest(&mut self) {
        loop {
            let mut steps = vec![self.requester.step().await.unwrap()];
            for consumer in &mut self.consumers {
                steps.push(consumer.step().await.unwrap());
            }
            if steps.iter().all(|step| matches!(step, Step::Idle)) {
                return;
            }
        }
    }

    async fn start(&mut self, limit: &str) -> catchment_domain::Campaign {
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: limit.parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
            id: CampaignId(Uuid::nil()),
            nonce: Nonce::from_random(7),
        };
        self.store.add(&draft).await.unwrap()
    }
}

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    Policy { floor: Radius::CLOSED, triggers }
}

fn shop(number: u32) -> ShopImport {
    let profile = Profile {
        name: String::new(),
        category: "cafe".into(),
        region: "centre".into(),
        location: Location::new(0.0, 0.0).unwrap(),
    };
    ShopImport { id: format!("shop-{number}").parse().unwrap(), profile, base: None }
}

#[tokio::test]
async fn every_shop_is_narrowed_and_widened_again_and_has_an_outcome_of_each() {
    let mut town = Town::new().await;
    let wide = town.start("3km").await.name.revision;
    let narrow = town.start("1km").await.name.revision;
    town.rest().await;
    for revision in [wide, narrow] {
        let campaign = CampaignRepository::get(&*town.store, revision).await.unwrap().unwrap();
        assert_eq!(campaign.state, CampaignState::Settled);
        assert_eq!(town.store.tallies(revision).await.unwrap().found.activation.answered(), SHOPS);
    }
    let radii = |town: &Town| {
        let store = Arc::clone(&town.store);
        async move {
            let shops = ShopRepository::list(&*store, &Scope::everything(), None, SHOPS as usize)
                .await
                .unwrap()
                .found;
            let mut radii: Vec<_> = shops.iter().map(|s| s.state.radius.metres()).collect();
            radii.dedup();
            (shops.len(), radii)
        }
    };
    assert_eq!(radii(&town).await, (SHOPS as usize, vec![1_000]));

    town.store.command(narrow, Command::End).await.unwrap();
    town.rest().await;
    assert_eq!(radii(&town).await, (SHOPS as usize, vec![3_000]));
    let tallies = town.store.tallies(narrow).await.unwrap().found;
    assert_eq!(tallies.release.of(Status::Applied), SHOPS);

    town.store.command(wide, Command::End).await.unwrap();
    town.rest().await;
    assert_eq!(radii(&town).await, (SHOPS as usize, vec![5_000]));
}
