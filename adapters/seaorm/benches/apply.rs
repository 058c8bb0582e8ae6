//! How many shops a second one database takes. `tools/bench` measures the database without our
//! code.
//!
//! `cargo bench -p catchment-seaorm --bench apply [-- SHOPS ...]` prints, for each number of
//! shops and each size of a batch: batches applied by the store, with one cause more at each
//! shop in each round.
//!
//! It does so on a `SQLite` file of eight lanes or, where `CATCHMENT_BENCH_POSTGRES` names a
//! database of a server, in schemas of one, four and eight lanes there.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and fails by a panic"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catchment_domain::ports::{
    Answer, CampaignLedger, CampaignRepository, Clock, Holder, Lease, ReplyLanes, ShopLedger,
    ShopRepository,
};
use catchment_domain::{
    Attempt, Batch, Campaign, CampaignId, Change, Command, Draft, ImportBatch, ImportOrder,
    ImportTerms, Lane, Lanes, Location, LogIdentity, Nonce, Outcome, Phase, Policy, Position,
    Profile, Radius, Rank, ReplyLane, Request, RequestRecord, ReturnAddress, Scope, ShopId,
    ShopImport, Status, Ticket, Timestamp, TriggerRule, judge_batch,
};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use uuid::Uuid;

const ROUNDS: u64 = 4;

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

/// Where a database is made.
enum Place {
    File(tempfile::TempDir),
    Schema { server: String, name: String },
}

struct World {
    place: Place,
    store: SeaOrmStore,
    lanes: Lanes,
    shops: BTreeMap<Lane, Vec<ShopId>>,
}

#[tokio::main]
async fn main() {
    let sizes: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let server = server();
    let usual = if server.is_some() { vec![300_000] } else { vec![300_000, 1_000_000] };
    let lanes = if server.is_some() { vec![1, 4, 8] } else { vec![8] };
    for shops in if sizes.is_empty() { usual } else { sizes } {
        for lanes in &lanes {
            for batch in [500, 2_000, 5_000] {
                let world = World::new(Place::new(server.as_deref()), *lanes, shops).await;
                world.measure(shops, batch).await;
                world.clear().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has no settings")]
fn server() -> Option<String> {
    std::env::var("CATCHMENT_BENCH_POSTGRES").ok()
}

fn settings(lanes: u16) -> StoreSettings {
    let lanes = NonZeroU16::new(lanes).unwrap();
    let writers = lanes.into();
    StoreSettings { writers, ..StoreSettings::new(Lanes(lanes), Arc::new(StandingClock)) }
}

impl Place {
    fn new(server: Option<&str>) -> Self {
        match server {
            None => Self::File(tempfile::tempdir().unwrap()),
            Some(server) => Self::Schema {
                server: server.to_owned(),
                name: format!("bench_{}", Uuid::now_v7().simple()),
            },
        }
    }

    /// The URL of a database that is there and has its tables.
    async fn make(&self, settings: &StoreSettings) -> String {
        let url = match self {
            Self::File(folder) => format!("sqlite://{}", folder.path().join("bench.db").display()),
            Self::Schema { server, name } => {
                let sql = format!("CREATE SCHEMA {name}");
                SeaOrmStore::execute_as_another(server, &sql, settings).await.unwrap();
                format!("{server}?options[search_path]={name}")
            }
        };
        SeaOrmStore::migrate(&url, settings).await.unwrap();
        url
    }
}

impl World {
    async fn new(place: Place, lanes: u16, count: u32) -> Self {
        let settings = settings(lanes);
        let lanes = settings.lanes;
        let store = SeaOrmStore::connect(&place.make(&settings).await, &settings).await.unwrap();
        let revision = store.take_revision().await.unwrap();
        let radius = |metres: u32| Radius::try_from(metres).unwrap();
        let terms = ImportTerms {
            order: ImportOrder::Taken(revision),
            default_base: radius(5_000),
            floor: Radius::CLOSED,
        };
        let started = Instant::now();
        let rows: Vec<ShopImport> = (0..count).map(row).collect();
        for batch in ImportBatch::split(rows.clone(), lanes) {
            store.import(&batch, terms).await.unwrap();
        }
        println!("{} lanes: imported {count} in {:?}", lanes.count(), started.elapsed());
        let started = Instant::now();
        let regions = store.regions().await.unwrap().len();
        println!("{regions} regions in {:?}", started.elapsed());
        let mut shops: BTreeMap<Lane, Vec<ShopId>> = BTreeMap::new();
        for row in rows {
            shops.entry(lanes.lane_of(&row.id)).or_default().push(row.id);
        }
        for shops in shops.values_mut() {
            shops.sort_unstable();
        }
        Self { place, store, lanes, shops }
    }

    async fn clear(self) {
        self.store.close().await.unwrap();
        if let Place::Schema { server, name } = &self.place {
            let sql = format!("DROP SCHEMA {name} CASCADE");
            SeaOrmStore::execute_as_another(server, &sql, &settings(1)).await.unwrap();
        }
    }

    async fn measure(&self, shops: u32, batch: usize) {
        let campaigns = self.campaigns().await;
        for (round, campaign) in campaigns.iter().enumerate() {
            let started = Instant::now();
            self.apply_all(campaign, batch).await;
            let rate = f64::from(shops) / started.elapsed().as_secs_f64();
            println!(
                "{shops:>9} shops, batch {batch:>5}, cause {}: {rate:>9.0} shops/s",
                round + 1
            );
        }
        if batch == 2_000 {
            self.record_all(campaigns.first().unwrap()).await;
        }
    }

    async fn campaigns(&self) -> Vec<Campaign> {
        let mut campaigns = Vec::new();
        for round in 0..ROUNDS {
            let draft = Draft {
                kind: "rider_shortage".parse().unwrap(),
                limit: "3km".parse().unwrap(),
                scope: Scope::everything(),
                reason: String::new(),
                timeout: Duration::from_mins(5),
                until: None,
                replaces: None,
                id: CampaignId(Uuid::from_u128(
                    0x1234_5678_9abc_def0_1234_5678_9abc_def0 + u128::from(round),
                )),
                nonce: Nonce::from_random(round),
            };
            let started = Instant::now();
            campaigns.push(self.store.add(&draft).await.unwrap());
            println!("campaign added in {:?}", started.elapsed());
        }
        campaigns
    }

    /// Applies a campaign to every shop, the lanes side by side, as consumers do.
    async fn apply_all(&self, campaign: &Campaign, batch: usize) {
        let lanes = self.shops.iter().map(|(lane, shops)| {
            let (store, campaign, count) = (self.store.clone(), campaign.clone(), self.lanes);
            let (lane, shops) = (*lane, shops.clone());
            tokio::spawn(
                async move { apply_lane(&store, &campaign, count, lane, &shops, batch).await },
            )
        });
        for lane in lanes.collect::<Vec<_>>() {
            lane.await.unwrap();
        }
    }

    /// Records an answer for every shop of a campaign, as replies come: all lanes mixed.
    async fn record_all(&self, campaign: &Campaign) {
        let log = LogIdentity { id: 2, lasting: false };
        let holder = Holder(Uuid::from_u128(1));
        let lease =
            self.store.lease(ReplyLane(0), holder, (log, Position(0)), Duration::from_mins(1));
        let lease = lease.await.unwrap().unwrap();
        self.store.open(&lease).await.unwrap();
        let revision = campaign.name.revision;
        let chunks = self.store.chunks(revision).await.unwrap().found;
        let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.number).collect();
        let part = (Phase::Activation, Attempt::FIRST);
        self.store.mark_sent(&lease, revision, part, &numbers).await.unwrap();
        // In the order in which batches are answered: chunk by chunk, the lanes in turn; and
        // as bad as it gets, from 64 chunks at once.
        let mut turns: BTreeMap<Lane, u32> = BTreeMap::new();
        let mut in_turns = chunks.clone();
        in_turns.sort_by_cached_key(|chunk| {
            let turn = turns.entry(chunk.lane).or_default();
            *turn += 1;
            *turn
        });
        let in_order = in_turns.into_iter().flat_map(|chunk| {
            (chunk.first..chunk.first + chunk.shops).map(move |index| (chunk.number, index))
        });
        self.record(&lease, campaign, Phase::Activation, in_order.collect()).await;
        self.store.command(revision, Command::End).await.unwrap();
        let most = chunks.iter().map(|chunk| chunk.shops).max().unwrap_or(0);
        let mixed = chunks.chunks(64).flat_map(|chunks| {
            (0..most).flat_map(move |turn| {
                let chunks = chunks.iter().filter(move |chunk| turn < chunk.shops);
                chunks.map(move |chunk| (chunk.number, chunk.first + turn))
            })
        });
        self.record(&lease, campaign, Phase::Release, mixed.collect()).await;
    }

    async fn record(
        &self,
        lease: &Lease,
        campaign: &Campaign,
        phase: Phase,
        places: Vec<(u32, u32)>,
    ) {
        let revision = campaign.name.revision;
        let answers = places.into_iter().map(|place| (revision, answer(campaign, phase, place)));
        let answers: Vec<_> = answers.collect();
        let started = Instant::now();
        let mut counted = 0;
        for part in answers.chunks(4_000) {
            counted += self.store.record(lease, Position(1), part).await.unwrap().counted;
        }
        let rate = answers.len() as f64 / started.elapsed().as_secs_f64();
        println!("{counted:>9} {}s recorded: {rate:>9.0} answers/s", phase.as_str());
    }
}

fn row(number: u32) -> ShopImport {
    let place = f64::from(number % 1_000) / 10_000.0;
    let profile = Profile {
        name: format!("Shop number {number}"),
        category: ["cafe", "bakery", "pizza", "noodles"][(number % 4) as usize].to_owned(),
        region: format!("Region {}", number % 33),
        location: Location::new(51.5 + place, -0.1 - place).unwrap(),
    };
    ShopImport { id: format!("london-{number:07}").parse().unwrap(), profile, base: None }
}

fn answer(campaign: &Campaign, phase: Phase, (chunk, index): (u32, u32)) -> Answer {
    let ticket = Ticket {
        revision: campaign.name.revision,
        phase,
        attempt: Attempt::FIRST,
        index,
        nonce: campaign.nonce,
    };
    let outcome = Outcome {
        status: Status::Applied,
        code: None,
        detail: None,
        standing: None,
        repeat: false,
    };
    Answer { chunk, ticket, outcome, request_position: Some(Position(0)) }
}

async fn apply_lane(
    store: &SeaOrmStore,
    campaign: &Campaign,
    lanes: Lanes,
    lane: Lane,
    shops: &[ShopId],
    size: usize,
) {
    let rule = TriggerRule { rank: Rank(1), default_limit: None };
    let policy = Policy { floor: Radius::CLOSED, triggers: [(campaign.kind, rule)].into() };
    let claim = store.claim(lane, LogIdentity { id: 1, lasting: false }, None).await.unwrap();
    let mut from = claim.applied_next;
    for shops in shops.chunks(size) {
        let records =
            (from.0..).zip(shops).map(|(position, shop)| record(campaign, position, shop));
        let batch = Batch::new((lane, claim.epoch), from, from, records.collect());
        let decide = |batch: &Batch, loaded: &mut _| judge_batch(batch, loaded, &policy, lanes);
        let receipt = store.apply(&batch, &decide).await.unwrap();
        assert!(receipt.entries.iter().all(|entry| entry.outcome.code.is_none()));
        from = batch.to();
    }
}

fn record(campaign: &Campaign, position: u64, shop: &ShopId) -> RequestRecord {
    let ticket = Ticket {
        revision: campaign.name.revision,
        phase: Phase::Activation,
        attempt: Attempt::FIRST,
        index: u32::try_from(position).unwrap() % campaign.shops,
        nonce: campaign.nonce,
    };
    let change = Change::Activate {
        campaign: campaign.name,
        kind: campaign.kind,
        limit: campaign.limit,
        deadline: campaign.deadline,
        replaces: None,
    };
    RequestRecord {
        position: Position(position),
        id: ticket.id(),
        return_address: ReturnAddress::default(),
        request: Ok(Request { id: ticket.id(), shop: shop.clone(), change }),
    }
}
