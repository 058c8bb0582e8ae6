//! Uncommitted: load for measurements.
#![allow(warnings, clippy::all, clippy::pedantic)]
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catchment_domain::ports::*;
use catchment_domain::service::*;
use catchment_domain::*;
use catchment_memory::MemoryLog;
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use uuid::Uuid;

#[derive(Debug)]
struct Wall;
impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(now.as_millis() as i64)
    }
}

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let kinds = ["rider_shortage", "bad_weather", "order_surge", "system_failure"];
    Policy { floor: Radius::CLOSED, triggers: kinds.map(|k| (k.parse().unwrap(), rule)).into() }
}

fn row(number: u32, base: Option<u32>) -> ShopImport {
    let profile = Profile {
        name: format!("Shop {number}"),
        category: "cafe".into(),
        region: format!("region {}", number % 25),
        location: Location::new(0.0, 0.0).unwrap(),
    };
    let base = base.map(|b| Radius::try_from(b).unwrap());
    ShopImport { id: format!("gen-{number:06}").parse().unwrap(), profile, base }
}

async fn import(store: &SeaOrmStore, shops: u32, base: Option<u32>) -> (Revision, Imported) {
    let revision = store.take_revision().await.unwrap();
    let terms = ImportTerms {
        revision,
        default_base: Radius::try_from(5_000_u32).unwrap(),
        floor: Radius::CLOSED,
    };
    let rows: Vec<_> = (0..shops).map(|n| row(n, base)).collect();
    let mut total = Imported::default();
    for batch in ImportBatch::split(rows, store.lanes()) {
        loop {
            match store.import(&batch, terms).await {
                Ok(receipt) => { total += receipt.counts(); break }
                Err(error) => { eprintln!("import: {error:?}"); FAILED.fetch_add(1, Ordering::Relaxed); }
            }
        }
    }
    (revision, total)
}
static FAILED: AtomicU64 = AtomicU64::new(0);

async fn consume(store: SeaOrmStore, log: Arc<MemoryLog>, lane: Lane, rules: Arc<Rules>) {
    let ports = ConsumerPorts { ledger: Arc::new(store), log: log.clone(), replies: log };
    let mut consumer = LaneConsumer::new(lane, ports, rules);
    loop {
        match consumer.step().await.unwrap() {
            Step::Worked => {}
            Step::Idle => consumer.wait().await,
            Step::Pause { after, obstacle } => {
                eprintln!("lane {lane}: {obstacle:?}");
                tokio::time::sleep(after).await
            }
        }
    }
}

async fn request(store: SeaOrmStore, log: Arc<MemoryLog>) {
    let ports = RequesterPorts {
        reply_lanes: Arc::new(store.clone()),
        ledger: Arc::new(store),
        requests: log.clone(),
        replies: log,
        clock: Arc::new(Wall),
    };
    let terms = RequesterTerms {
        lease: Duration::from_secs(30),
        look: Duration::from_millis(50),
        resend: Duration::from_secs(2),
    };
    let mut keeper = LaneKeeper::new(Holder(Uuid::now_v7()), ports, terms);
    loop {
        match keeper.step().await.unwrap() {
            Step::Worked => {}
            Step::Idle => {
                let _ = tokio::time::timeout(Duration::from_millis(20), keeper.wait()).await;
            }
            Step::Pause { after, obstacle } => {
                eprintln!("requester: {obstacle:?}");
                tokio::time::sleep(after).await
            }
        }
    }
}

async fn start(store: &SeaOrmStore, number: u64) -> Revision {
    let kinds = ["rider_shortage", "bad_weather", "order_surge", "system_failure"];
    let draft = Draft {
        kind: kinds[number as usize % 4].parse().unwrap(),
        limit: format!("{}m", 4_000 - 50 * (number % 60)).parse().unwrap(),
        scope: Scope::everything(),
        reason: String::new(),
        timeout: Duration::from_mins(30),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::now_v7()),
        nonce: Nonce::from_random(7 + number),
    };
    store.add(&draft).await.unwrap().name.revision
}

async fn until(store: &SeaOrmStore, revision: Revision, wanted: CampaignState) -> Campaign {
    loop {
        let campaign = CampaignRepository::get(store, revision).await.unwrap().unwrap();
        if campaign.state == wanted { return campaign }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (mode, url, lanes, shops) = (&args[1], &args[2], args[3].parse::<u16>().unwrap(), args[4].parse::<u32>().unwrap());
    let rounds: u64 = args[5].parse().unwrap();
    let mut settings = StoreSettings::new(Lanes(NonZeroU16::new(lanes).unwrap()), Arc::new(Wall));
    settings.writers = NonZeroU32::new(12).unwrap();
    SeaOrmStore::migrate(url, &settings).await.unwrap();
    let store = SeaOrmStore::connect(url, &settings).await.unwrap();
    let identity = LogIdentity { id: Uuid::now_v7().as_u128(), lasting: false };
    let log = Arc::new(MemoryLog::new(settings.lanes, 2, 20_000, identity));
    let rules = Arc::new(Rules { policy: policy(), lanes: settings.lanes, batch: 2_000 });
    let begun = Instant::now();
    import(&store, shops, None).await;
    println!("imported in {:?}", begun.elapsed());
    let mut consumers: Vec<_> = settings.lanes.iter()
        .map(|lane| tokio::spawn(consume(store.clone(), log.clone(), lane, rules.clone())))
        .collect();
    let requester = tokio::spawn(request(store.clone(), log.clone()));
    if mode == "bloat" {
        let mut campaigns = Vec::new();
        for number in 0..rounds {
            let begun = Instant::now();
            let revision = start(&store, number).await;
            until(&store, revision, CampaignState::Settled).await;
            println!("campaign {number} {:.2}s", begun.elapsed().as_secs_f64());
            campaigns.push(revision);
        }
        if let Some(pause) = args.get(6) { println!("PAUSE"); tokio::time::sleep(Duration::from_secs(pause.parse().unwrap())).await; }
        for revision in campaigns {
            let begun = Instant::now();
            store.command(revision, Command::End).await.unwrap();
            let ended = until(&store, revision, CampaignState::Ended).await;
            println!("end {revision} {:.2}s unreleased {}", begun.elapsed().as_secs_f64(), ended.unreleased);
        }
    } else {
        // race: rounds of campaign + end with imports in the middle; consumers are killed in half.
        let mut seed = args.get(6).map_or(1u64, |s| s.parse().unwrap());
        let mut rand = move |n: u64| { seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17; seed % n };
        let mut expected_base = 5_000u32;
        for round in 0..rounds {
            let begun = Instant::now();
            let revision = start(&store, round).await;
            let mut importing = Vec::new();
            for _ in 0..2 {
                let (store, wait, base) = (store.clone(), rand(6_000), 5_000 + rand(3) as u32 * 1_000);
                importing.push(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                    let (revision, imported) = import(&store, shops, Some(base)).await;
                    (revision, base, imported)
                }));
            }
            let kills = if round % 2 == 0 { 0 } else { 8 };
            for _ in 0..kills {
                tokio::time::sleep(Duration::from_millis(rand(500))).await;
                let lane = rand(lanes.into()) as usize;
                consumers[lane].abort();
                consumers[lane] = tokio::spawn(consume(store.clone(), log.clone(), Lane(lane as u16), rules.clone()));
            }
            until(&store, revision, CampaignState::Settled).await;
            let settled = begun.elapsed();
            store.command(revision, Command::End).await.unwrap();
            for _ in 0..kills {
                tokio::time::sleep(Duration::from_millis(rand(500))).await;
                let lane = rand(lanes.into()) as usize;
                consumers[lane].abort();
                consumers[lane] = tokio::spawn(consume(store.clone(), log.clone(), Lane(lane as u16), rules.clone()));
            }
            let ended = until(&store, revision, CampaignState::Ended).await;
            let ended_at = begun.elapsed();
            let mut newest = (Revision(0), expected_base);
            for importing in importing {
                let (revision, base, imported) = importing.await.unwrap();
                assert_eq!((imported.added, imported.updated), (0, shops.into()));
                newest = newest.max((revision, base));
            }
            expected_base = newest.1;
            let tallies = store.tallies(revision).await.unwrap();
            let rejected = tallies.activation.of(Status::Rejected) + tallies.release.of(Status::Rejected);
            let listed = ShopRepository::list(&store, &Scope::everything(), None, usize::MAX).await.unwrap();
            let wrong = listed.iter().filter(|s| s.state.radius.metres() != expected_base || s.state.base.radius.metres() != expected_base || !s.state.active.is_empty()).count();
            println!("round {round} kills {kills} settled {:.1}s ended {:.1}s imports done {:.1}s rejected {rejected} unreleased {} wrong {wrong} of {} tallies {:?}", settled.as_secs_f64(), ended_at.as_secs_f64(), begun.elapsed().as_secs_f64(), ended.unreleased, listed.len(), tallies);
            assert!(rejected == 0 && wrong == 0 && ended.unreleased == 0 && listed.len() == shops as usize);
        }
        println!("ALL RIGHT, {} failed imports", FAILED.load(Ordering::Relaxed));
    }
    requester.abort();
}
