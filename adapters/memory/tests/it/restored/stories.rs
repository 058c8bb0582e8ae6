//! Many random stories: services work, a backup is made and restored later, and after the command
//! every campaign says of every shop what is so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    CampaignRepository, CommitLog, Holder, LogError, ReplyLog, RequestLog, Restores,
    ShopRepository, StoreError, Stretch,
};
use catchment_domain::service::{
    AuditPorts, ConsumerPorts, LaneConsumer, LaneRequester, RequesterPorts, RequesterTerms, Rules,
    ServiceError, Step, audit,
};
use catchment_domain::{
    Campaign, CampaignId, CampaignState, Command, Committed, Draft, ImportBatch, ImportOrder,
    ImportTerms, Lane, LaneProgress, Lanes, Limit, Location, LogIdentity, Nonce, Policy, Position,
    Profile, Radius, Rank, ReplyLane, RequestId, RestoreTerms, Revision, Scope, ShopImport,
    SinceBackup, Status, Timestamp, TriggerRule, WindowLimits, check_lanes,
};
use catchment_memory::{ManualClock, MemoryLog, MemoryStore};
use uuid::Uuid;

use super::Database;
use crate::simulator::dice::Dice;

const SEEDS: u64 = 2_000;
const SHOPS: u32 = 12;
const LEASE: Duration = Duration::from_secs(2);
/// More rounds than any campaign takes.
const MANY_ROUNDS: usize = 2_000;

/// A log that keeps every request, as Kafka does until its retention is over.
struct KeptLog {
    log: Arc<MemoryLog>,
    committed: Mutex<BTreeMap<Lane, Committed>>,
}

#[async_trait]
impl RequestLog for KeptLog {
    fn identity(&self) -> LogIdentity {
        RequestLog::identity(&*self.log)
    }

    async fn read(&self, lane: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        RequestLog::read(&*self.log, lane, from, max).await
    }

    async fn last_before(
        &self,
        lane: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        self.log.last_before(lane, position).await
    }

    async fn wait(&self, lane: Lane, from: Position) {
        RequestLog::wait(&*self.log, lane, from).await;
    }

    async fn commit(&self, lane: Lane, committed: Committed) {
        self.committed.lock().unwrap().insert(lane, committed);
    }

    async fn committed(&self, lane: Lane) -> Result<Option<Committed>, LogError> {
        Ok(self.committed.lock().unwrap().get(&lane).copied())
    }
}

#[async_trait]
impl CommitLog for KeptLog {
    fn identity(&self) -> LogIdentity {
        RequestLog::identity(&*self.log)
    }

    async fn committed(&self) -> Result<BTreeMap<Lane, Committed>, LogError> {
        Ok(self.committed.lock().unwrap().clone())
    }
}

/// One story.
struct Story {
    dice: Dice,
    lanes: Lanes,
    clock: Arc<ManualClock>,
    log: Arc<KeptLog>,
    database: Arc<Database>,
    consumers: Vec<LaneConsumer>,
    requester: LaneRequester,
    started: Vec<Revision>,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let (dice, lanes) = (Dice::new(seed), Lanes(2.try_into().unwrap()));
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let kept = Duration::from_hours(1);
        let store = Arc::new(MemoryStore::new(lanes, Arc::<ManualClock>::clone(&clock), kept));
        let identity = LogIdentity { id: 1, lasting: true };
        let log = Arc::new(MemoryLog::new(lanes, 1, 1 << 20, identity));
        let log = Arc::new(KeptLog { log, committed: Mutex::default() });
        let database = Arc::new(Database(Mutex::new(Arc::clone(&store))));
        let consumers = consumers(lanes, &database, &log);
        let requester = requester(&dice, lanes, &database, &log, &clock);
        let revision = store.take_revision().await.unwrap();
        let terms = ImportTerms {
            order: ImportOrder::Taken(revision),
            default_base: Radius::try_from(5_000_u32).unwrap(),
            floor: Radius::CLOSED,
        };
        for batch in ImportBatch::split((0..SHOPS).map(shop).collect(), lanes) {
            store.import(&batch, terms).await.unwrap();
        }
        Self { dice, lanes, clock, log, database, consumers, requester, started: Vec::new() }
    }

    fn store(&self) -> Arc<MemoryStore> {
        self.database.store()
    }

    /// Lets anybody do something.
    async fn go_on(&mut self) {
        self.clock.advance(Duration::from_millis(self.dice.below(100)));
        match self.dice.below(40) {
            0 => self.start().await,
            1 => self.command().await,
            2 => {
                let lane = self.dice.index(self.consumers.len());
                let lanes = consumers(self.lanes, &self.database, &self.log);
                self.consumers[lane] = lanes.into_iter().nth(lane).unwrap();
            }
            3 => {
                let Self { dice, lanes, database, log, clock, .. } = self;
                self.requester = requester(dice, *lanes, database, log, clock);
            }
            4..=20 => drop(self.requester.step().await.unwrap()),
            _ => {
                let lane = self.dice.index(self.consumers.len());
                self.consumers[lane].step().await.unwrap();
            }
        }
    }

    async fn start(&mut self) {
        if 3 <= self.started.len() {
            return;
        }
        let timeout = Duration::from_millis(*self.dice.pick(&[1_000, 5_000, 600_000]));
        self.start_for(timeout).await;
    }

    async fn start_for(&mut self, timeout: Duration) {
        let limits: [Limit; 3] = ["closed", "1km", "50%"].map(|limit| limit.parse().unwrap());
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: *self.dice.pick(&limits),
            scope: Scope::everything(),
            reason: String::new(),
            timeout,
            until: None,
            replaces: None,
            id: CampaignId(Uuid::from_u128(self.dice.number128())),
            nonce: Nonce::from_random(self.dice.number()),
        };
        self.started.push(self.store().add(&draft).await.unwrap().name.revision);
    }

    async fn command(&mut self) {
        if !self.started.is_empty() {
            let command = *self.dice.pick(&[Command::End, Command::Retry]);
            // Not each command can be done in each state.
            let _ = self.store().command(*self.dice.pick(&self.started), command).await;
        }
    }

    /// Puts a backup in the place of the database, and starts every consumer anew.
    fn restore(&mut self, backup: MemoryStore) {
        self.database.restore(Arc::new(backup));
        self.consumers = consumers(self.lanes, &self.database, &self.log);
    }

    /// Lets the requester, which was not stopped, go on for so many steps or until it notices.
    async fn live_on(&mut self, steps: u64) {
        for _ in 0..steps {
            if let Err(error) = self.requester.step().await {
                assert!(matches!(error, ServiceError::Older(_)), "{error:?}");
                return;
            }
        }
    }

    async fn positions(&mut self) -> Vec<LaneProgress> {
        Restores::lanes(&*self.store()).await.unwrap()
    }

    /// Whether a lane of the database is behind what the log remembers.
    async fn is_noticed(&mut self) -> bool {
        let lanes = self.positions().await;
        let committed = CommitLog::committed(&*self.log).await.unwrap();
        check_lanes(&lanes, (CommitLog::identity(&*self.log), &committed)).is_err()
    }

    /// What `catchment database restored` does.
    async fn mend(&mut self) {
        let mut since_backup = SinceBackup::new(self.store().known().await.unwrap());
        for LaneProgress { lane, applied_next, .. } in self.positions().await {
            let stretch = RequestLog::read(&*self.log, lane, applied_next, usize::MAX).await;
            stretch.unwrap().requests.iter().for_each(|record| since_backup.add(record));
        }
        let (lane, log) = (ReplyLane(0), &self.log.log);
        let end = log.end(lane).await.unwrap();
        let committed = CommitLog::committed(&*self.log).await.unwrap();
        let terms = RestoreTerms {
            requests: (CommitLog::identity(&*self.log), committed),
            replies: (ReplyLog::identity(&**log), [(lane, end)].into()),
            since_backup,
            dry_run: false,
        };
        let mended = self.store().restored(&terms).await;
        if let Err(StoreError::Refused { .. }) = mended {
            // The backup has a lease.
            self.clock.advance(2 * LEASE);
            self.store().restored(&terms).await.unwrap();
        } else {
            mended.unwrap();
        }
        assert!(!self.is_noticed().await);
    }

    async fn campaigns(&mut self) -> Vec<Campaign> {
        CampaignRepository::list(&*self.store(), None, usize::MAX).await.unwrap().found
    }

    /// Lets all services work until each campaign has every outcome.
    async fn finish(&mut self) {
        for _ in 0..MANY_ROUNDS {
            self.clock.advance(Duration::from_millis(10));
            self.requester.step().await.unwrap();
            for consumer in &mut self.consumers {
                consumer.step().await.unwrap();
            }
            let is_open = |campaign: &Campaign| campaign.state.open() != 0;
            if !self.campaigns().await.iter().any(is_open) && self.requester.in_flight() == 0 {
                return;
            }
        }
        panic!("{:?}", self.campaigns().await);
    }

    /// Checks that each outcome is what is so at its shop.
    async fn check(&mut self) {
        let store = self.store();
        let store = &*store;
        let ports = AuditPorts { shops: store, campaigns: store, ledger: store };
        let found = audit(ports, &[]).await.unwrap();
        assert!(found.is_fine() && found.damaged.is_empty(), "{found:?}");
    }
}

fn consumers(lanes: Lanes, database: &Arc<Database>, log: &Arc<KeptLog>) -> Vec<LaneConsumer> {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = [("rider_shortage".parse().unwrap(), rule)].into();
    let policy = Policy { floor: Radius::CLOSED, triggers };
    let rules = Arc::new(Rules { policy, lanes, batch: 2 });
    let consumer = |lane| {
        let ports = ConsumerPorts {
            ledger: Arc::<Database>::clone(database),
            log: Arc::<KeptLog>::clone(log),
            replies: Arc::<MemoryLog>::clone(&log.log),
        };
        LaneConsumer::new(lane, ports, Arc::clone(&rules))
    };
    lanes.iter().map(consumer).collect()
}

fn requester(
    dice: &Dice,
    lanes: Lanes,
    database: &Arc<Database>,
    log: &Arc<KeptLog>,
    clock: &Arc<ManualClock>,
) -> LaneRequester {
    let ports = RequesterPorts {
        reply_lanes: Arc::<Database>::clone(database),
        ledger: Arc::<Database>::clone(database),
        lanes: Arc::<Database>::clone(database),
        commits: Arc::<KeptLog>::clone(log),
        requests: Arc::<MemoryLog>::clone(&log.log),
        replies: Arc::<MemoryLog>::clone(&log.log),
        clock: Arc::<ManualClock>::clone(clock),
    };
    let terms = RequesterTerms {
        lease: LEASE,
        look: Duration::ZERO,
        resend: Duration::from_secs(1),
        limits: WindowLimits::new(lanes),
    };
    LaneRequester::new(ReplyLane(0), Holder(Uuid::from_u128(dice.number128())), ports, terms)
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

/// A requester was not stopped, and its lane stands in the restored database where it stood before.
/// The shops that were narrowed since the backup are not narrow in the restored database, and the
/// deadline of their requests has passed.
#[tokio::test]
async fn a_requester_that_lives_on_records_nothing_that_the_restored_database_lacks() {
    let mut story = Story::new(1).await;
    let timeout = Duration::from_secs(5);
    story.start_for(timeout).await;
    while !matches!(story.requester.step().await.unwrap(), Step::Idle) {}
    let backup = story.store().copied();
    for consumer in &mut story.consumers {
        while !matches!(consumer.step().await.unwrap(), Step::Idle) {}
    }
    assert_eq!(story.log.log.end(ReplyLane(0)).await.unwrap(), Position(SHOPS.into()));
    story.restore(backup);
    story.live_on(10).await;
    let open = |campaigns: &[Campaign]| campaigns[0].state.open();
    assert_eq!(open(&story.campaigns().await), SHOPS);
    story.clock.advance(2 * timeout);
    story.mend().await;
    story.finish().await;
    story.check().await;
    let tallies = story.store().tallies(story.started[0]).await.unwrap().found;
    assert_eq!(tallies.activation.of(Status::Applied), SHOPS);
}

#[tokio::test]
async fn after_the_command_every_campaign_tells_the_truth() {
    let mut noticed = 0;
    for seed in 0..SEEDS {
        let mut story = Story::new(seed).await;
        for _ in 0..story.dice.below(120) {
            story.go_on().await;
        }
        let backup = story.store().copied();
        let (before, claims) = (story.campaigns().await, story.positions().await);
        for _ in 0..story.dice.below(200) {
            story.go_on().await;
        }
        let is_newer = claims != story.positions().await;
        story.restore(backup);
        assert_eq!(story.campaigns().await, before, "seed {seed}");
        let is_noticed = story.is_noticed().await;
        assert!(is_newer || !is_noticed, "seed {seed}: an honest database is refused");
        noticed += u64::from(is_noticed);
        // None: the requester is stopped before it does anything.
        let steps = story.dice.below(4);
        story.live_on(steps).await;
        story.mend().await;
        story.started.clear();
        story.finish().await;
        story.check().await;
        for campaign in story.campaigns().await {
            if !campaign.state.is_ending_or_ended() {
                story.store().command(campaign.name.revision, Command::End).await.unwrap();
            }
        }
        story.finish().await;
        story.check().await;
        let is_over = |campaign: &Campaign| campaign.state == CampaignState::Ended;
        assert!(story.campaigns().await.iter().all(is_over), "seed {seed}");
        let everything = Scope::everything();
        let shops = ShopRepository::list(&*story.store(), &everything, None, SHOPS as usize).await;
        for shop in shops.unwrap().found {
            assert_eq!(shop.state.radius.metres(), 5_000, "seed {seed}: {shop:?}");
        }
    }
    assert!(SEEDS / 2 < noticed, "only {noticed} of {SEEDS} stories say anything");
}
