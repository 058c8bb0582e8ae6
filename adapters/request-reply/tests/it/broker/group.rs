use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catchment_request_reply::{
    GroupEvent, GroupEvents, Membership, ReadError, Reader, Record, Settings,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broker::fixture::{Fixture, PATIENCE, list, number};

const PARTITIONS: i32 = 6;

/// What all members store: positions, and what was applied. A batch that does not go on where
/// its partition stands is refused, as by a fence.
#[derive(Default)]
struct Store {
    partitions: Mutex<BTreeMap<i32, Vec<u64>>>,
    refused: Mutex<u32>,
    changed: watch::Sender<usize>,
}

impl Store {
    fn position(&self, partition: i32) -> i64 {
        let partitions = self.partitions.lock().unwrap();
        partitions.get(&partition).map_or(0, |applied| i64::try_from(applied.len()).unwrap())
    }

    fn apply(&self, partition: i32, from: i64, records: &[Record<u64>]) {
        let mut partitions = self.partitions.lock().unwrap();
        let applied = partitions.entry(partition).or_default();
        if i64::try_from(applied.len()).unwrap() != from {
            *self.refused.lock().unwrap() += 1;
            return;
        }
        for record in records {
            assert_eq!(record.offset, i64::try_from(applied.len()).unwrap(), "no gap");
            applied.push(record.message);
        }
        drop(partitions);
        self.changed.send_modify(|count| *count += records.len());
    }

    async fn applied(&self, count: usize) {
        let mut changed = self.changed.subscribe();
        let all = changed.wait_for(|applied| count <= *applied);
        tokio::time::timeout(PATIENCE, all).await.expect("all is applied in time").unwrap();
    }
}

/// A member of the group, with a lane for each of its partitions.
struct Member {
    reader: Reader<u64>,
    /// The partitions that it has now.
    has: watch::Receiver<Vec<i32>>,
    events: JoinHandle<()>,
}

impl Member {
    fn join(settings: &Settings, topic: &str, store: &Arc<Store>) -> Self {
        let parse = |record: &catchment_request_reply::Incoming<'_>| number(record.value);
        let (reader, events) = Reader::group(settings, topic, parse).unwrap();
        let (tell, has) = watch::channel(Vec::new());
        let lanes = Lanes { reader: reader.clone(), store: Arc::clone(store), tell };
        Self { reader, has, events: tokio::spawn(lanes.follow(events)) }
    }

    /// Returns once the member has so many partitions.
    async fn has(&self, count: usize) -> Vec<i32> {
        let mut has = self.has.clone();
        let enough = has.wait_for(|partitions| partitions.len() == count);
        tokio::time::timeout(PATIENCE, enough).await.expect("it is assigned").unwrap().clone()
    }

    async fn leave(self) {
        self.reader.close(PATIENCE).await.unwrap();
        drop(self.reader);
        tokio::time::timeout(PATIENCE, self.events).await.expect("events end").unwrap();
    }
}

struct Lanes {
    reader: Reader<u64>,
    store: Arc<Store>,
    tell: watch::Sender<Vec<i32>>,
}

impl Lanes {
    async fn follow(self, mut events: GroupEvents) {
        let mut lanes: HashMap<i32, JoinHandle<()>> = HashMap::new();
        let mut newest = 0;
        let Self { reader, store, tell } = self;
        let mut reader = Some(reader);
        while let Some(event) = events.recv().await {
            let Some(reader) = &mut reader else { continue };
            match event {
                GroupEvent::Assigned { partitions, generation } => {
                    assert!(newest < generation, "generations rise");
                    newest = generation;
                    for partition in partitions {
                        let lane = lane(reader.clone(), Arc::clone(&store), partition);
                        let before = lanes.insert(partition, tokio::spawn(lane));
                        assert!(before.is_none(), "one lane a partition");
                    }
                }
                GroupEvent::Revoked { partitions, generation, .. }
                | GroupEvent::Lost { partitions, generation } => {
                    assert!(newest < generation, "generations rise");
                    newest = generation;
                    for partition in partitions {
                        lanes.remove(&partition).expect("a lane").await.unwrap();
                        reader.drained(partition, generation);
                    }
                }
                GroupEvent::Failed { cause } => panic!("{cause}"),
            }
            tell.send_replace(lanes.keys().copied().collect());
            if lanes.is_empty() && reader.read(0, 0, 1).await == Err(ReadError::Closed) {
                return;
            }
        }
    }
}

async fn lane(reader: Reader<u64>, store: Arc<Store>, partition: i32) {
    loop {
        let from = store.position(partition);
        match reader.read(partition, from, 500).await {
            Ok(records) if records.is_empty() => reader.wait(partition, from).await,
            Ok(records) => {
                store.apply(partition, from, &records);
                reader.release(partition, store.position(partition));
            }
            Err(ReadError::NotAssigned { .. } | ReadError::Closed) => return,
            Err(ReadError::Unavailable { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn group_with(membership: fn(&str) -> Membership) {
    let fixture = Fixture::new(PARTITIONS).await;
    let store = Arc::new(Store::default());
    let settings = |name: &str| Settings {
        membership: membership(name),
        session_timeout: Duration::from_secs(6),
        ..fixture.settings.clone()
    };
    let first = Member::join(&settings("first"), &fixture.topic, &store);
    first.has(6).await;
    let second = Member::join(&settings("second"), &fixture.topic, &store);
    fill_all(&fixture, 0..1_000).await;
    let (some, others) = (first.has(3).await, second.has(3).await);
    assert!(some.iter().all(|partition| !others.contains(partition)), "each has its own");
    store.applied(6_000).await;
    first.leave().await;
    fill_all(&fixture, 1_000..2_000).await;
    second.has(6).await;
    store.applied(12_000).await;
    second.leave().await;
    for (partition, applied) in &*store.partitions.lock().unwrap() {
        assert_eq!(applied, &list(0..2_000), "partition {partition}");
    }
    assert_eq!(*store.refused.lock().unwrap(), 0, "lanes drained before others began");
    fixture.clean().await;
}

async fn fill_all(fixture: &Fixture, numbers: std::ops::Range<u64>) {
    for partition in 0..PARTITIONS {
        fixture.fill(partition, numbers.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn partitions_move_to_who_joins_and_back_from_who_leaves() {
    group_with(|_| Membership::Cooperative).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn static_members_move_all_and_lose_nothing() {
    group_with(|name| Membership::Static { instance_id: name.to_owned() }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn records_come_in_order_and_once_while_members_come_and_go() {
    let fixture = Fixture::new(PARTITIONS).await;
    let store = Arc::new(Store::default());
    let join = || Member::join(&fixture.settings, &fixture.topic, &store);
    let stays = join();
    stays.has(6).await;
    let sender = fixture.sender();
    let has_moved = Cell::new(false);
    // Records are sent while members join and leave, so some always wait to be applied.
    let sending = async {
        let mut sent = 0;
        while !has_moved.get() {
            let numbers = (sent..sent + 20).flat_map(|n| (0..PARTITIONS).map(move |p| (p, n)));
            let messages: Vec<_> = numbers.map(|(p, n)| fixture.message(Some(p), n)).collect();
            sender.send(&messages).await.unwrap();
            sent += 20;
            store.applied(6 * usize::try_from(sent).unwrap().saturating_sub(200)).await;
        }
        sent
    };
    let moving = async {
        for _ in 0..3 {
            let guest = join();
            guest.has(3).await;
            guest.leave().await;
            stays.has(6).await;
        }
        has_moved.set(true);
    };
    let (sent, ()) = tokio::join!(sending, moving);
    store.applied(6 * usize::try_from(sent).unwrap()).await;
    for (partition, applied) in &*store.partitions.lock().unwrap() {
        assert_eq!(applied, &list(0..sent), "partition {partition}");
    }
    stays.leave().await;
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_lane_that_does_not_drain_is_overruled_at_the_deadline() {
    let mut fixture = Fixture::new(2).await;
    fixture.settings.drain = Duration::from_millis(500);
    let parse = |record: &catchment_request_reply::Incoming<'_>| number(record.value);
    let (stuck, mut events) = Reader::group(&fixture.settings, &fixture.topic, parse).unwrap();
    let assigned = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(matches!(&assigned, GroupEvent::Assigned { partitions, .. } if partitions.len() == 2));
    let store = Arc::new(Store::default());
    let second = Member::join(&fixture.settings, &fixture.topic, &store);
    let gone = second.has(1).await;
    let revoked = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(matches!(revoked, GroupEvent::Revoked { partitions, .. } if partitions == gone));
    let partition = gone[0];
    assert_eq!(stuck.read(partition, 0, 1).await, Err(ReadError::NotAssigned { partition }));
    second.leave().await;
    stuck.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}
