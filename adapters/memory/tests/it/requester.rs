//! What a requester does about replies that come twice, a ledger that is away, and a lane that it
//! cannot read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    Acceptances, Answer, CampaignLedger, CampaignRepository, ChunkSummary, Holder, Lease, LogError,
    Moves, Recorded, Repairs, ReplyChannel, ReplyLanes, ReplyLog, ReplyRecord, RequestLog,
    ShopRepository, StoreError,
};
use catchment_domain::service::{
    ConsumerPorts, LaneConsumer, LaneKeeper, LaneRequester, Obstacle, RequesterPorts,
    RequesterTerms, Rules, ServiceError, Step,
};
use catchment_domain::{
    AcceptTerms, AcceptedReplyLane, Attempt, Campaign, CampaignId, CampaignState, Chunk, Damage,
    Draft, Found, ImportBatch, ImportOrder, ImportTerms, Lane, LaneProblem, Lanes, Location,
    LogIdentity, Mismatch, MoveTerms, Nonce, Phase, Policy, Position, Profile, Radius, Rank,
    Repair, RepairTerms, ReplyLane, ReturnAddress, Revision, Scope, ShopImport, ShopList,
    StoredItem, Timestamp, TriggerRule, WindowLimits,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

const LANE: Lane = Lane(0);
const LANES: Lanes = Lanes(std::num::NonZeroU16::MIN);
const RESEND: Duration = Duration::from_secs(1);
const TERMS: RequesterTerms = RequesterTerms {
    lease: Duration::from_secs(6),
    look: Duration::ZERO,
    resend: RESEND,
    limits: WindowLimits::new(LANES),
};

/// Two shops in one lane, and two reply lanes.
struct Town {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    log: Arc<MemoryLog>,
}

impl Town {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
        let kept = Duration::from_hours(1);
        let store = Arc::new(MemoryStore::new(LANES, Arc::<ManualClock>::clone(&clock), kept));
        let revision = store.take_revision().await.unwrap();
        let default_base = Radius::try_from(5_000_u32).unwrap();
        let order = ImportOrder::Taken(revision);
        let terms = ImportTerms { order, default_base, floor: Radius::CLOSED };
        for batch in ImportBatch::split(["one", "two"].map(shop).to_vec(), LANES) {
            store.import(&batch, terms).await.unwrap();
        }
        Self { clock, store, log: Arc::new(log()) }
    }

    fn ports(&self) -> RequesterPorts {
        RequesterPorts {
            reply_lanes: Arc::<MemoryStore>::clone(&self.store),
            ledger: Arc::<MemoryStore>::clone(&self.store),
            lanes: Arc::<MemoryStore>::clone(&self.store),
            commits: Arc::<MemoryLog>::clone(&self.log),
            requests: Arc::<MemoryLog>::clone(&self.log),
            replies: Arc::<MemoryLog>::clone(&self.log),
            clock: Arc::<ManualClock>::clone(&self.clock),
        }
    }

    fn requester(&self, lane: ReplyLane) -> LaneRequester {
        LaneRequester::new(lane, Holder(Uuid::nil()), self.ports(), TERMS)
    }

    /// One that applies and answers one request a step.
    fn consumer(&self) -> LaneConsumer {
        let ports = ConsumerPorts {
            ledger: Arc::<MemoryStore>::clone(&self.store),
            log: Arc::<MemoryLog>::clone(&self.log),
            replies: Arc::<MemoryLog>::clone(&self.log),
        };
        LaneConsumer::new(LANE, ports, Arc::new(Rules { policy: policy(), lanes: LANES, batch: 1 }))
    }

    async fn start(&self, id: u128) {
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "1km".parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_mins(5),
            until: None,
            replaces: None,
            id: CampaignId(Uuid::from_u128(id)),
            nonce: Nonce::from_random(7),
        };
        self.store.add(&draft).await.unwrap();
    }

    /// Starts a campaign and has one of its two requests answered.
    async fn half_answered(&self, requester: &mut LaneRequester) {
        self.start(1).await;
        rest(requester).await;
        let mut consumer = self.consumer();
        while ReplyLog::end(&*self.log, ReplyLane(1)).await.unwrap() == Position(0) {
            consumer.step().await.unwrap();
        }
    }
}

/// A ledger that cannot be reached.
struct Away;

fn away() -> StoreError {
    StoreError::Unavailable("away".into())
}

#[async_trait]
impl CampaignLedger for Away {
    async fn open(&self, _: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        Err(away())
    }

    async fn damaged(&self, _: ReplyLane) -> Result<Vec<Damage>, StoreError> {
        Err(away())
    }

    async fn chunks(&self, _: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
        Err(away())
    }

    async fn lists(
        &self,
        _: Revision,
        _: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
        Err(away())
    }

    async fn mark_sent(
        &self,
        _: &Lease,
        _: Revision,
        _: (Phase, Attempt),
        _: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        Err(away())
    }

    async fn record(
        &self,
        _: &Lease,
        _: Position,
        _: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        Err(away())
    }
}

async fn rest(requester: &mut LaneRequester) {
    while !matches!(requester.step().await.unwrap(), Step::Idle) {}
}

/// A log that says to be the same each time that it is made.
fn log() -> MemoryLog {
    MemoryLog::new(LANES, 2, 100, LogIdentity { id: 1, lasting: true })
}

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    Policy { floor: Radius::CLOSED, triggers }
}

fn shop(id: &str) -> ShopImport {
    let profile = Profile {
        name: String::new(),
        category: "cafe".into(),
        region: "centre".into(),
        location: Location::new(0.0, 0.0).unwrap(),
    };
    ShopImport { id: id.parse().unwrap(), profile, base: None }
}

#[tokio::test]
async fn a_reply_that_comes_twice_does_not_postpone_what_is_sent_again() {
    let town = Town::new().await;
    let mut requester = town.requester(ReplyLane(1));
    town.half_answered(&mut requester).await;
    let replies = ReplyLog::read(&*town.log, ReplyLane(1), Position(0), 1).await.unwrap();
    let reply = replies.into_iter().next().unwrap().reply.unwrap();
    rest(&mut requester).await;
    assert_eq!(requester.in_flight(), 1);

    town.clock.advance(RESEND * 2 / 3);
    let address = town.log.address(ReplyLane(1));
    ReplyChannel::send(&*town.log, vec![(address, reply)]).await.unwrap();
    rest(&mut requester).await;
    let sent = RequestLog::read(&*town.log, LANE, Position(2), 10).await.unwrap();
    assert!(sent.requests.is_empty(), "{sent:?}");

    town.clock.advance(RESEND * 2 / 3);
    rest(&mut requester).await;
    let sent = RequestLog::read(&*town.log, LANE, Position(2), 10).await.unwrap();
    assert_eq!(sent.requests.len(), 1, "{sent:?}");
}

/// Steps until something stands in the way that does not go away by itself.
async fn obstacle(keeper: &mut LaneKeeper, town: &Town) -> Obstacle {
    loop {
        match keeper.step().await.unwrap() {
            Step::Worked | Step::Idle | Step::Pause { obstacle: Obstacle::LeasedByAnother, .. } => {
            }
            Step::Pause { obstacle, .. } => return obstacle,
        }
        town.clock.advance(TERMS.lease / 3);
    }
}

/// A log that has fewer lanes from some moment on.
struct Shrinking {
    log: Arc<MemoryLog>,
    lanes: AtomicU16,
}

#[async_trait]
impl ReplyLog for Shrinking {
    fn identity(&self) -> LogIdentity {
        ReplyLog::identity(&*self.log)
    }

    fn lanes(&self) -> u16 {
        self.lanes.load(Ordering::Relaxed)
    }

    fn address(&self, lane: ReplyLane) -> ReturnAddress {
        self.log.address(lane)
    }

    async fn end(&self, lane: ReplyLane) -> Result<Position, LogError> {
        self.log.end(lane).await
    }

    async fn read(
        &self,
        lane: ReplyLane,
        from: Position,
        max: usize,
    ) -> Result<Vec<ReplyRecord>, LogError> {
        ReplyLog::read(&*self.log, lane, from, max).await
    }

    async fn wait(&self, lane: ReplyLane, from: Position) {
        ReplyLog::wait(&*self.log, lane, from).await;
    }

    async fn release(&self, lane: ReplyLane, next: Position) {
        ReplyLog::release(&*self.log, lane, next).await;
    }
}

#[tokio::test]
async fn a_requester_at_work_gives_its_lane_up_when_the_topic_has_fewer_partitions() {
    let town = Town::new().await;
    let replies = Arc::new(Shrinking { log: Arc::clone(&town.log), lanes: AtomicU16::new(2) });
    let mut other = town.requester(ReplyLane(0));
    rest(&mut other).await;
    let ports = RequesterPorts { replies: Arc::<Shrinking>::clone(&replies), ..town.ports() };
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), ports, TERMS);
    while keeper.own().is_none() {
        keeper.step().await.unwrap();
    }
    assert_eq!(keeper.own(), Some(ReplyLane(1)));
    replies.lanes.store(1, Ordering::Relaxed);
    let aside = obstacle(&mut keeper, &town).await;
    let Obstacle::SetAside { lane: ReplyLane(1), source } = aside else { panic!("{aside:?}") };
    let problem = LaneProblem::of_replies(ReplyLane(1), Mismatch::NoPartition { partitions: 1 });
    assert!(matches!(&*source, ServiceError::Lane(found) if *found == problem), "{source:?}");
    other.surrender().await.unwrap();
    while keeper.own() != Some(ReplyLane(0)) {
        keeper.step().await.unwrap();
        town.clock.advance(TERMS.lease / 3);
    }
    assert_eq!(keeper.leased().collect::<Vec<_>>(), [ReplyLane(0)]);
}

/// Another lasting log. A store refuses it for lanes whose positions are from the log before.
fn other_log() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(LANES, 2, 100, LogIdentity { id: 2, lasting: true }))
}

#[tokio::test]
async fn replies_that_were_lost_are_asked_for_again() {
    let mut town = Town::new().await;
    let mut requester = town.requester(ReplyLane(1));
    town.half_answered(&mut requester).await;
    rest(&mut requester).await;
    requester.surrender().await.unwrap();
    let campaign = newest(&town).await;

    // It is shorter now than what was read of it.
    town.log = Arc::new(log());
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    let lost = obstacle(&mut keeper, &town).await;
    assert!(matches!(lost, Obstacle::RepliesLost { lane: ReplyLane(1), .. }), "{lost:?}");
    let sent = loop {
        keeper.step().await.unwrap();
        town.clock.advance(TERMS.lease / 3);
        let sent = RequestLog::read(&*town.log, LANE, Position(0), 10).await.unwrap();
        if !sent.requests.is_empty() {
            break sent.requests;
        }
    };
    assert_eq!(sent.len(), 1, "what has no outcome yet: {sent:?}");
    assert!(matches!(state(&town, campaign).await, CampaignState::Sending { open: 1 }));
}

#[tokio::test]
async fn a_reply_lane_that_is_refused_is_set_aside_and_the_others_go_on() {
    let mut town = Town::new().await;
    let mut requester = town.requester(ReplyLane(1));
    town.half_answered(&mut requester).await;
    requester.surrender().await.unwrap();
    town.log = other_log();
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    let refused = obstacle(&mut keeper, &town).await;
    let Obstacle::SetAside { lane: ReplyLane(1), source } = refused else { panic!("{refused:?}") };
    assert!(matches!(*source, ServiceError::Refused { .. }), "{source:?}");
    assert_eq!(keeper.lanes_set_aside().map(|(lane, _)| lane).collect::<Vec<_>>(), [ReplyLane(1)]);
    town.start(2).await;
    while keeper.in_flight() == 0 {
        keeper.step().await.unwrap();
    }
    assert_eq!(keeper.leased().collect::<Vec<_>>(), [ReplyLane(0)]);

    // It is looked at again, and said again.
    town.clock.advance(Duration::from_secs(30));
    let refused = obstacle(&mut keeper, &town).await;
    assert!(matches!(refused, Obstacle::SetAside { .. }), "{refused:?}");
    assert_eq!(keeper.own(), Some(ReplyLane(0)));
}

#[tokio::test]
async fn a_reply_lane_that_is_gone_is_forgotten_once_others_have_its_campaigns() {
    let town = Town::new().await;
    town.start(1).await;
    let (gone, log) = (ReplyLane(7), ReplyLog::identity(&*town.log));
    let (before, begin) = (Holder(Uuid::nil()), (log, Position(0)));
    let lease = town.store.lease(gone, before, begin, TERMS.lease).await.unwrap().unwrap();
    assert_eq!(town.store.open(&lease).await.unwrap().found.len(), 1);
    town.store.surrender(&lease).await.unwrap();
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    let met = obstacle(&mut keeper, &town).await;
    let Obstacle::SetAside { lane: ReplyLane(7), .. } = met else { panic!("{met:?}") };
    assert_eq!(keeper.lanes_set_aside().count(), 1);

    let lanes = Acceptances::reply_lanes(&*town.store).await.unwrap();
    let stored = lanes.into_iter().find(|stored| stored.lane == gone).unwrap();
    let replies = vec![AcceptedReplyLane { stored, log, end: None }];
    let terms = AcceptTerms { requests: Vec::new(), replies, dry_run: false };
    assert_eq!(town.store.accept(&terms).await.unwrap().moved.len(), 1);
    town.clock.advance(TERMS.lease / 3);
    keeper.step().await.unwrap();
    assert_eq!(keeper.lanes_set_aside().count(), 0);
    while keeper.in_flight() == 0 {
        keeper.step().await.unwrap();
    }
    assert_eq!(keeper.leased().collect::<Vec<_>>(), [ReplyLane(0)]);
}

#[tokio::test]
async fn another_reply_lane_becomes_its_own_where_the_first_one_is_refused() {
    let mut town = Town::new().await;
    let mut requester = town.requester(ReplyLane(0));
    requester.step().await.unwrap();
    requester.surrender().await.unwrap();
    town.log = other_log();
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    let step = keeper.step().await.unwrap();
    let Step::Pause { after: Duration::ZERO, obstacle: Obstacle::SetAside { .. } } = step else {
        panic!("{step:?}");
    };
    keeper.step().await.unwrap();
    assert_eq!(keeper.own(), Some(ReplyLane(1)));
}

#[tokio::test]
async fn a_requester_ends_where_every_reply_lane_is_refused() {
    let mut town = Town::new().await;
    for lane in [ReplyLane(0), ReplyLane(1)] {
        let mut requester = town.requester(lane);
        requester.step().await.unwrap();
        requester.surrender().await.unwrap();
    }
    town.log = other_log();
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    keeper.step().await.unwrap();
    let ended = keeper.step().await;
    assert!(matches!(ended, Err(ServiceError::Refused { .. })), "{ended:?}");
}

/// A requester that was frozen while its lease ran out and the database was moved.
#[tokio::test]
async fn a_requester_ends_without_a_reply_lane_once_the_database_has_left_its_log() {
    let town = Town::new().await;
    town.consumer().step().await.unwrap();
    let mut requester = town.requester(ReplyLane(1));
    rest(&mut requester).await;
    town.clock.advance(TERMS.lease * 2);
    let terms = MoveTerms {
        lanes: LANES,
        requests: Acceptances::request_lanes(&*town.store).await.unwrap(),
        replies: Acceptances::reply_lanes(&*town.store).await.unwrap(),
        dry_run: false,
    };
    town.store.move_away(&terms).await.unwrap();

    let fenced = requester.step().await.unwrap();
    assert!(matches!(fenced, Step::Pause { obstacle: Obstacle::Fenced, .. }), "{fenced:?}");
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    let problem = LaneProblem::of(LANE, Mismatch::LeftLog);
    for ended in [requester.step().await, keeper.step().await] {
        let is_left = matches!(&ended, Err(ServiceError::Lane(found)) if *found == problem);
        assert!(is_left, "{ended:?}");
    }
    assert_eq!(Acceptances::reply_lanes(&*town.store).await.unwrap(), []);
}

#[tokio::test]
async fn no_pause_is_so_long_that_the_lease_runs_out() {
    let town = Town::new().await;
    let ports = RequesterPorts { ledger: Arc::new(Away), ..town.ports() };
    let mut requester = LaneRequester::new(ReplyLane(1), Holder(Uuid::nil()), ports, TERMS);
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        if let Step::Pause { after, .. } = requester.step().await.unwrap() {
            longest = longest.max(after);
            town.clock.advance(after);
        }
    }
    assert_eq!(longest, TERMS.lease / 3);
    assert!(requester.has_lease());
}

/// What a requester names.
fn named(requester: &LaneRequester) -> Vec<StoredItem> {
    requester.damaged().map(|damage| damage.item.clone()).collect()
}

/// The revision of the newest campaign.
async fn newest(town: &Town) -> Revision {
    let campaigns = CampaignRepository::list(&*town.store, None, usize::MAX).await.unwrap().found;
    campaigns.last().unwrap().name.revision
}

async fn state(town: &Town, revision: Revision) -> CampaignState {
    let campaign = CampaignRepository::get(&*town.store, revision).await.unwrap();
    campaign.unwrap().state
}

/// Lets requester and consumer work until neither has anything to do.
async fn work(requester: &mut LaneRequester, consumer: &mut LaneConsumer) {
    for _ in 0..50 {
        requester.step().await.unwrap();
        consumer.step().await.unwrap();
    }
}

fn repair_terms() -> RepairTerms {
    let default_base = Radius::try_from(5_000_u32).unwrap();
    RepairTerms { policy: policy(), default_base, dry_run: false }
}

#[tokio::test]
async fn damage_of_a_campaign_is_named_and_the_others_go_on_until_it_is_mended() {
    type Name = fn(Revision) -> StoredItem;
    type Spoil = fn(&MemoryStore, Revision);
    let damages: [(Name, Spoil); 3] = [
        (|revision| StoredItem::Outcomes(revision, 0), |store, it| store.spoil_outcomes(it, 0)),
        (|revision| StoredItem::Outcomes(revision, 0), |store, it| store.lose_outcomes(it, 0)),
        (|revision| StoredItem::List(revision, 0), |store, it| store.spoil_list(it, 0)),
    ];
    for (item, spoil) in damages {
        let town = Town::new().await;
        let (mut requester, mut consumer) = (town.requester(ReplyLane(1)), town.consumer());
        town.start(1).await;
        let bad = newest(&town).await;
        spoil(&town.store, bad);
        town.start(2).await;
        let good = newest(&town).await;
        work(&mut requester, &mut consumer).await;
        assert_eq!(named(&requester), [item(bad)]);
        assert_eq!(state(&town, good).await, CampaignState::Settled);
        assert_eq!(state(&town, bad).await, CampaignState::Sending { open: 2 });
        assert!(!requester.has_open() && requester.has_damage());
        assert_eq!(requester.in_flight(), 0);
        // Looked at again, and still damaged.
        town.clock.advance(Duration::from_secs(1));
        work(&mut requester, &mut consumer).await;
        assert_eq!(named(&requester), [item(bad)]);
        if let StoredItem::Outcomes(..) = item(bad) {
            let repairs = town.store.mend_outcomes(bad, &[0], &repair_terms()).await.unwrap();
            assert!(matches!(repairs[..], [Repair::Mended(_)]), "{repairs:?}");
        } else {
            town.store.unspoil_list(bad, 0);
        }
        town.clock.advance(Duration::from_secs(1));
        work(&mut requester, &mut consumer).await;
        assert_eq!(named(&requester), []);
        assert_eq!(state(&town, bad).await, CampaignState::Settled);
    }
}

#[tokio::test]
async fn outcomes_that_are_damaged_after_their_requests_were_sent_hold_nothing_up() {
    let town = Town::new().await;
    let mut requester = town.requester(ReplyLane(1));
    town.half_answered(&mut requester).await;
    let bad = newest(&town).await;
    town.store.spoil_outcomes(bad, 0);
    assert_eq!(requester.in_flight(), 2);
    rest(&mut requester).await;
    assert_eq!((named(&requester), requester.in_flight()), (vec![StoredItem::Outcomes(bad, 0)], 0));
    town.store.mend_outcomes(bad, &[0], &repair_terms()).await.unwrap();
    town.clock.advance(Duration::from_secs(1));
    work(&mut requester, &mut town.consumer()).await;
    assert_eq!((named(&requester), state(&town, bad).await), (vec![], CampaignState::Settled));
}

#[tokio::test]
async fn a_damaged_campaign_of_a_lane_that_nobody_leases_is_adopted_and_named() {
    let town = Town::new().await;
    let mut requester = town.requester(ReplyLane(1));
    town.half_answered(&mut requester).await;
    requester.surrender().await.unwrap();
    let bad = newest(&town).await;
    town.store.spoil_campaign(bad);
    let mut keeper = LaneKeeper::new(Holder(Uuid::max()), town.ports(), TERMS);
    for _ in 0..20 {
        keeper.step().await.unwrap();
        town.clock.advance(TERMS.lease / 3);
    }
    let items: Vec<StoredItem> = keeper.damaged().map(|damage| damage.item.clone()).collect();
    assert_eq!(items, [StoredItem::Campaign(bad)]);
    assert_eq!(keeper.own(), Some(ReplyLane(0)));
}
