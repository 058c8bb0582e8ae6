//! A broker, and a topic for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use catchment_request_reply::{Message, NewTopic, Reader, Record, Sender, Settings, Topics};

use crate::brokers;

/// Longer than anything here takes on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A topic of its own, and clients' settings.
pub(crate) struct Fixture {
    pub(crate) settings: Settings,
    pub(crate) topic: String,
    pub(crate) topics: Topics,
}

impl Fixture {
    /// A topic with so many partitions.
    pub(crate) async fn new(partitions: i32) -> Self {
        let fixture = Self::without_topic();
        fixture.make(partitions).await;
        fixture
    }

    /// The name of a topic that is not there.
    pub(crate) fn without_topic() -> Self {
        Self::at(brokers())
    }

    /// The same at brokers that may not be there either.
    pub(crate) fn at(bootstrap_servers: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let topic = format!("test.request-reply.{}.{n}", std::process::id());
        let settings = Settings::new(bootstrap_servers, format!("{topic}.group"));
        let topics = Topics::new(&settings).unwrap();
        Self { settings, topic, topics }
    }

    pub(crate) async fn make(&self, partitions: i32) {
        let name = self.topic.clone();
        let topic = NewTopic { name, partitions, replication: Some(1), properties: Vec::new() };
        self.topics.create(&topic).await.unwrap();
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender::new(&self.settings).unwrap()
    }

    /// A reader of numbers.
    pub(crate) fn reader(&self) -> Reader<u64> {
        Reader::manual(&self.settings, &self.topic, |record| number(record.value)).unwrap()
    }

    /// A message that carries a number.
    pub(crate) fn message(&self, partition: Option<i32>, n: u64) -> Message {
        Message {
            topic: self.topic.as_str().into(),
            partition,
            key: Some(n.to_string().into_bytes()),
            value: Some(n.to_be_bytes().to_vec()),
            headers: Vec::new(),
        }
    }

    /// Sends numbers to a partition.
    pub(crate) async fn fill(&self, partition: i32, numbers: impl Iterator<Item = u64>) {
        let messages: Vec<_> = numbers.map(|n| self.message(Some(partition), n)).collect();
        let sender = self.sender();
        sender.send(&messages).await.unwrap();
        sender.close(PATIENCE).await.unwrap();
    }

    pub(crate) async fn clean(self) {
        self.topics.delete(&self.topic).await.unwrap();
    }
}

pub(crate) fn number(value: Option<&[u8]>) -> u64 {
    value.and_then(|value| value.try_into().ok()).map_or(u64::MAX, u64::from_be_bytes)
}

/// Reads on from here until so many records were there.
pub(crate) async fn read_all(
    reader: &Reader<u64>,
    partition: i32,
    mut from: i64,
    count: usize,
) -> Vec<Record<u64>> {
    let mut all = Vec::new();
    let reading = async {
        while all.len() < count {
            let records = reader.read(partition, from, 2_000).await.unwrap();
            match records.last() {
                Some(last) => from = last.offset + 1,
                None => reader.wait(partition, from).await,
            }
            reader.release(partition, from);
            all.extend(records);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the records come");
    all
}

pub(crate) fn numbers(records: &[Record<u64>]) -> Vec<u64> {
    records.iter().map(|record| record.message).collect()
}

/// 20,000 bytes that no compression makes smaller.
pub(crate) fn noise() -> Vec<u8> {
    let next = |n: &u32| {
        let n = n ^ (n << 13);
        let n = n ^ (n >> 17);
        Some(n ^ (n << 5))
    };
    std::iter::successors(Some(1), next).take(5_000).flat_map(u32::to_be_bytes).collect()
}

/// These numbers, one by one.
pub(crate) fn list(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}
