//! Request lanes beside each other: what is wrong in one of them is nothing to the others, and a
//! small campaign does not queue behind a large one.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    CampaignRepository, ChannelError, Clock, Holder, RequestChannel, ShopRepository,
};
use catchment_domain::service::{
    ConsumerPorts, LaneConsumer, LaneRequester, Obstacle, RequesterPorts, RequesterTerms, Rules,
    Step,
};
use catchment_domain::{
    CampaignId, CampaignState, Draft, ImportBatch, ImportOrder, ImportTerms, Lane, Lanes, Location,
    LogIdentity, Nonce, Policy, Profile, Radius, Rank, ReplyLane, Request, RequestId,
    ReturnAddress, Revision, Scope, ShopId, ShopImport, Timestamp, TriggerRule, WindowLimits,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

const SHOPS: usize = 60_000;
const RESEND: Duration = Duration::from_secs(30);

/// The lane in which something is wrong.
const BAD: Lane = Lane(0);

struct World {
    lanes: Lanes,
    shops: Vec<ShopId>,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    channel: Arc<WatchedChannel>,
    consumers: BTreeMap<Lane, LaneConsumer>,
    requester: LaneRequester,
}

/// Counts what is sent, and takes what is for one lane as it is told to.
struct WatchedChannel {
    log: Arc<MemoryLog>,
    lanes: Lanes,
    mood: Mutex<Mood>,
    sent: Mutex<BTreeMap<RequestId, u32>>,
}

/// What becomes of calls for the lane in which something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Works,
    Fails,
    NeverReturns,
}

#[async_trait]
impl RequestChannel for WatchedChannel {
    async fn send(
        &self,
        requests: Vec<Request>,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError> {
        let is_bad = requests.iter().any(|request| self.lanes.lane_of(&request.shop) == BAD);
        let mood = *self.mood.lock().unwrap();
        if is_bad && mood == Mood::Fails {
            return Err(ChannelError::Unknown("no leader".into()));
        }
        if is_bad && mood == Mood::NeverReturns {
            pending::<()>().await;
        }
        for request in &requests {
            *self.sent.lock().unwrap().entry(request.id).or_default() += 1;
        }
        self.log.send(requests, address).await
    }
}

impl World {
    async fn new(lanes: u16, limits: impl Fn(Lanes) -> WindowLimits) -> Self {
        let lanes = Lanes(lanes.try_into().unwrap());
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
        let kept = Duration::from_hours(1);
        let store = Arc::new(MemoryStore::new(lanes, Arc::<ManualClock>::clone(&clock), kept));
        let identity = LogIdentity { id: 1, lasting: false };
        let log = Arc::new(MemoryLog::new(lanes, 1, 100_000, identity));
        let channel = WatchedChannel {
            log: Arc::clone(&log),
            lanes,
            mood: Mutex::new(Mood::Works),
            sent: Mutex::default(),
        };
        let channel = Arc::new(channel);
        let consumers = lanes.iter().map(|lane| (lane, consumer(lane, lanes, &store, &log)));
        let consumers = consumers.collect();
        let ports = RequesterPorts {
            reply_lanes: Arc::<MemoryStore>::clone(&store),
            ledger: Arc::<MemoryStore>::clone(&store),
            lanes: Arc::<MemoryStore>::clone(&store),
            commits: Arc::<MemoryLog>::clone(&log),
            requests: Arc::<WatchedChannel>::clone(&channel),
            replies: log,
            clock: Arc::<ManualClock>::clone(&clock),
        };
        let (lease, look) = (Duration::from_hours(1), Duration::from_millis(10));
        let terms = RequesterTerms { lease, look, resend: RESEND, limits: limits(lanes) };
        let requester = LaneRequester::new(ReplyLane(0), Holder(Uuid::nil()), ports, terms);
        let shops: Vec<ShopId> =
            (0..SHOPS).map(|number| format!("shop-{number}").parse().unwrap()).collect();
        let revision = store.take_revision().await.unwrap();
        let default_base = Radius::try_from(5_000_u32).unwrap();
        let order = ImportOrder::Taken(revision);
        let terms = ImportTerms { order, default_base, floor: Radius::CLOSED };
        let rows: Vec<_> = shops.iter().map(shop).collect();
        for batch in ImportBatch::split(rows, lanes) {
            store.import(&batch, terms).await.unwrap();
        }
        Self { lanes, shops, clock, store, channel, consumers, requester }
    }

    async fn start(&mut self, scope: Scope) -> Revision {
        let number = self.clock.now().millis();
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "1km".parse().unwrap(),
            scope,
            reason: String::new(),
            timeout: Duration::from_hours(1),
            until: None,
            replaces: None,
            id: CampaignId(Uuid::from_u128(u128::try_from(number).unwrap())),
            nonce: Nonce::from_random(7),
        };
        self.clock.advance(Duration::from_millis(10));
        self.store.add(&draft).await.unwrap().name.revision
    }

    /// Some shops of a lane.
    fn some_of(&self, lane: Lane, count: usize) -> Scope {
        let of_lane = self.shops.iter().filter(|shop| self.lanes.lane_of(shop) == lane);
        Scope { ids: Some(of_lane.take(count).cloned().collect()), ..Scope::everything() }
    }

    /// Lets everybody take a step, but for the consumer of a lane. Takes 10 ms.
    async fn turn(&mut self, without: Option<Lane>) -> Step {
        self.clock.advance(Duration::from_millis(10));
        for (lane, consumer) in &mut self.consumers {
            if Some(*lane) != without {
                consumer.step().await.unwrap();
            }
        }
        self.requester.step().await.unwrap()
    }

    async fn open(&mut self, campaign: Revision) -> u32 {
        CampaignRepository::get(&*self.store, campaign).await.unwrap().unwrap().state.open()
    }

    /// Turns until no more than so many shops of a campaign are open. Returns how many turns
    /// it took.
    async fn turn_until(&mut self, campaign: Revision, open: u32, without: Option<Lane>) -> u32 {
        let mut turns = 0;
        while open < self.open(campaign).await {
            self.turn(without).await;
            turns += 1;
            assert!(turns < 10_000, "it is not done");
        }
        turns
    }

    fn in_bad_lane(&self) -> u32 {
        let of_lane = self.shops.iter().filter(|shop| self.lanes.lane_of(shop) == BAD);
        u32::try_from(of_lane.count()).unwrap()
    }

    fn set(&self, mood: Mood) {
        *self.channel.mood.lock().unwrap() = mood;
    }

    fn assert_all_sent_once(&self) {
        let sent = self.channel.sent.lock().unwrap();
        assert!(sent.values().all(|count| *count == 1));
    }
}

fn consumer(
    lane: Lane,
    lanes: Lanes,
    store: &Arc<MemoryStore>,
    log: &Arc<MemoryLog>,
) -> LaneConsumer {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    let ports = ConsumerPorts {
        ledger: Arc::<MemoryStore>::clone(store),
        log: Arc::<MemoryLog>::clone(log),
        replies: Arc::<MemoryLog>::clone(log),
    };
    LaneConsumer::new(lane, ports, Arc::new(Rules { policy, lanes, batch: 500 }))
}

fn shop(id: &ShopId) -> ShopImport {
    let profile = Profile {
        name: String::new(),
        category: "cafe".into(),
        region: "centre".into(),
        location: Location::new(0.0, 0.0).unwrap(),
    };
    ShopImport { id: id.clone(), profile, base: None }
}

#[tokio::test]
async fn a_lane_that_does_not_answer_holds_up_no_other() {
    let mut world = World::new(4, WindowLimits::new).await;
    let everywhere = world.start(Scope::everything()).await;
    let stuck = world.in_bad_lane();
    let turns = world.turn_until(everywhere, stuck, Some(BAD)).await;
    assert!(turns < 200, "{turns} turns");

    // It has no room for more, and a small campaign elsewhere is not behind it.
    world.clock.advance(Duration::from_secs(2));
    let some = world.some_of(Lane(1), 20);
    let small = world.start(some).await;
    assert!(world.turn_until(small, 0, Some(BAD)).await < 5);
    assert!(world.requester.in_flight() <= 4_000, "{}", world.requester.in_flight());

    // It answers again, and is done as fast as the others were.
    let turns = world.turn_until(everywhere, 0, None).await;
    assert!(turns < 200, "{turns} turns");
    world.assert_all_sent_once();
}

#[tokio::test]
async fn a_lane_that_takes_no_requests_is_named_and_holds_up_no_other() {
    for mood in [Mood::Fails, Mood::NeverReturns] {
        let mut world = World::new(4, WindowLimits::new).await;
        world.set(mood);
        let everywhere = world.start(Scope::everything()).await;
        let stuck = world.in_bad_lane();
        let turns = world.turn_until(everywhere, stuck, None).await;
        assert!(turns < 200, "{turns} turns");

        let step = world.turn(None).await;
        match (mood, step) {
            (Mood::Fails, Step::Pause { obstacle: Obstacle::Unsent { lane, .. }, .. }) => {
                assert_eq!(lane, BAD);
                world.set(Mood::Works);
                world.turn_until(everywhere, 0, None).await;
                assert!(!matches!(world.turn(None).await, Step::Pause { .. }));
                world.assert_all_sent_once();
            }
            (Mood::NeverReturns, Step::Worked | Step::Idle) => {
                // It is not sent a second time while it is being sent.
                world.clock.advance(2 * RESEND);
                world.set(Mood::Works);
                for _ in 0..10 {
                    world.turn(None).await;
                }
                assert_eq!(world.open(everywhere).await, stuck);
            }
            (_, step) => panic!("{step:?}"),
        }
    }
}

#[tokio::test]
async fn a_small_campaign_does_not_queue_behind_large_ones_in_its_lane() {
    let mut world = World::new(1, WindowLimits::new).await;
    let large = [world.start(Scope::everything()).await, world.start(Scope::everything()).await];
    for _ in 0..20 {
        world.turn(None).await;
    }
    let before = world.open(large[0]).await + world.open(large[1]).await;
    let some = world.some_of(Lane(0), 20);
    let small = world.start(some).await;
    world.turn_until(small, 0, None).await;
    let after = world.open(large[0]).await + world.open(large[1]).await;
    assert!(before - after <= 16_000, "{} others went first", before - after);
    for campaign in large {
        assert!(0 < world.open(campaign).await);
        world.turn_until(campaign, 0, None).await;
    }
    world.assert_all_sent_once();
}

#[tokio::test]
async fn a_chunk_that_is_sent_in_parts_is_sent_once_as_a_whole() {
    let few = |lanes| WindowLimits { lanes, total: 700, lane: 300, reserve: 400 };
    let mut world = World::new(4, few).await;
    let campaign = world.start(Scope::everything()).await;
    while 0 < world.open(campaign).await {
        world.turn(None).await;
        assert!(world.requester.in_flight() <= 700);
    }
    let settled = CampaignRepository::get(&*world.store, campaign).await.unwrap().unwrap();
    assert_eq!(settled.state, CampaignState::Settled);
    assert_eq!(world.channel.sent.lock().unwrap().len(), SHOPS);
    world.assert_all_sent_once();
}
