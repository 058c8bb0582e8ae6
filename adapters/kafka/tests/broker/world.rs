//! Topics, clients and ports of one test.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use catchment_domain::ports::Clock;
use catchment_domain::{Lane, Lanes, ReplyLane, ShopId, Timestamp};
use catchment_kafka::{
    ClientSettings, GroupEvent, GroupEvents, KafkaCluster, KafkaReplyChannel, KafkaReplyLog,
    KafkaRequestChannel, KafkaRequestLog, KafkaSettings, Sender,
};
use catchment_request_reply::profile::DeadLetter;
use catchment_request_reply::{Header, Incoming, Message, OwnedRecord, Reader, SendError, Topics};
use uuid::Uuid;

/// How many request lanes a test has.
pub(crate) const LANES: Lanes = Lanes(NonZeroU16::new(3).unwrap());
/// How many reply lanes.
pub(crate) const REPLY_LANES: u16 = 2;

/// Topics, clients and ports of one test; the topics go with it.
pub(crate) struct World {
    pub(crate) settings: KafkaSettings,
    pub(crate) cluster: KafkaCluster,
    pub(crate) topics: Topics,
    pub(crate) sender: Sender,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) requests: Arc<KafkaRequestChannel>,
    pub(crate) request_log: Arc<KafkaRequestLog>,
    pub(crate) replies: Arc<KafkaReplyChannel>,
    pub(crate) reply_log: Arc<KafkaReplyLog>,
    // Who does not take its events is no member for long.
    _events: GroupEvents,
}

/// A clock that stands still.
pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The broker that tests use.
fn client_settings() -> ClientSettings {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings but these")]
    let brokers = std::env::var("CATCHMENT_TEST_KAFKA")
        .expect("CATCHMENT_TEST_KAFKA names no broker: run `scripts/services`");
    ClientSettings::new(brokers, format!("test-{}", Uuid::now_v7()))
}

/// Settings of topics that are not there yet.
pub(crate) fn settings() -> KafkaSettings {
    settings_of(client_settings())
}

/// The same for any client.
pub(crate) fn settings_of(client: ClientSettings) -> KafkaSettings {
    let name = Uuid::now_v7();
    KafkaSettings {
        requests_topic: format!("test-{name}"),
        replies_topic: format!("test-{name}.replies"),
        reply_topics_allowed: vec![format!("test-{name}.more*")],
        ..KafkaSettings::new(client)
    }
}

impl World {
    /// Ports on new topics; every request lane is assigned.
    pub(crate) async fn new() -> Self {
        let settings = settings();
        let cluster = KafkaCluster::connect(settings.clone()).await.unwrap();
        cluster.create_topics(LANES, REPLY_LANES, Some(1)).await.unwrap();
        let topics = Topics::new(&settings.client).unwrap();
        let clock = Arc::new(ManualClock(AtomicI64::new(1_795_309_200_000)));
        let sender = cluster.sender().unwrap();
        let (request_log, mut events) = cluster.join().unwrap();
        let as_clock = || Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>;
        let senders = (&sender, &cluster.peer_sender().unwrap());
        let replies = cluster.reply_channel(senders, &request_log, as_clock());
        let requests = cluster.request_channel(&sender, as_clock());
        let reply_log = cluster.reply_log().await.unwrap();
        assigned(&mut events).await;
        Self {
            settings,
            cluster,
            topics,
            sender,
            clock,
            requests: Arc::new(requests),
            request_log: Arc::new(request_log),
            replies: Arc::new(replies),
            reply_log: Arc::new(reply_log),
            _events: events,
        }
    }

    /// Everything that stands in a partition of a topic, at least so many records.
    pub(crate) async fn records(
        &self,
        topic: &str,
        partition: i32,
        count: usize,
    ) -> Vec<OwnedRecord> {
        let keep = |incoming: &Incoming<'_>| Incoming::to_owned(incoming);
        let reader = Reader::manual(&self.settings.client, topic, keep);
        let reader = reader.unwrap();
        let mut records = Vec::new();
        while records.len() < count {
            let from = records.last().map_or(0, |record: &OwnedRecord| record.offset + 1);
            reader.wait(partition, from).await;
            let more = reader.read(partition, from, 1_000).await.unwrap();
            records.extend(more.into_iter().map(|record| record.message));
        }
        records
    }

    /// How many records a topic has, in all its partitions.
    pub(crate) async fn count(&self, topic: &str) -> i64 {
        let partitions = self.topics.partitions(topic).await.unwrap().unwrap();
        let reader = Reader::manual(&self.settings.client, topic, |_| ()).unwrap();
        let mut count = 0;
        for partition in 0..partitions {
            let ends = reader.watermarks(partition).await.unwrap();
            count += ends.high - ends.low;
        }
        count
    }

    /// The topic of dead letters.
    pub(crate) fn dead_letters(&self) -> String {
        DeadLetter::topic(&self.settings.requests_topic)
    }

    /// Sends bytes into a request lane, as anybody may.
    pub(crate) async fn inject(
        &self,
        lane: Lane,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Vec<Header>,
    ) {
        let message = Message {
            topic: self.settings.requests_topic.as_str().into(),
            partition: Some(lane.0.into()),
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers,
        };
        self.sender.send(&[message]).await.unwrap();
    }

    /// The same, where it may be too much.
    pub(crate) async fn try_inject(
        &self,
        lane: Lane,
        key: &[u8],
        value: &[u8],
        headers: Vec<Header>,
    ) -> Result<(), SendError> {
        let message = Message {
            topic: self.settings.requests_topic.as_str().into(),
            partition: Some(lane.0.into()),
            key: Some(key.to_vec()),
            value: Some(value.to_vec()),
            headers,
        };
        self.sender.send(&[message]).await
    }

    /// Sends bytes into a reply lane, as anybody may.
    pub(crate) async fn inject_reply(&self, lane: ReplyLane, correlation_id: &str, value: &[u8]) {
        self.reply(lane, correlation_id, value, Vec::new()).await;
    }

    /// Sends a failure into a reply lane, as a replier says it to a requester of ours.
    pub(crate) async fn inject_failure(&self, lane: ReplyLane, id: &str, failure: &[u8]) {
        self.reply(lane, id, failure, vec![Header::new("catchment-failure", failure)]).await;
    }

    async fn reply(&self, lane: ReplyLane, id: &str, value: &[u8], mut headers: Vec<Header>) {
        headers.push(Header::new("kafka_correlationId", id));
        let message = Message {
            topic: self.settings.replies_topic.as_str().into(),
            partition: Some(lane.0.into()),
            key: None,
            value: Some(value.to_vec()),
            headers,
        };
        self.sender.send(&[message]).await.unwrap();
    }
}

/// A shop of a lane.
pub(crate) fn shop_in(lane: Lane) -> ShopId {
    let shops = (0..).map(|number| format!("shop-{number}").parse().unwrap());
    shops.into_iter().find(|shop| LANES.lane_of(shop) == lane).unwrap()
}

/// Returns once every request lane is this member's.
async fn assigned(events: &mut GroupEvents) {
    let mut mine = 0;
    while mine < usize::from(LANES.count()) {
        match events.recv().await.unwrap() {
            GroupEvent::Assigned { partitions, .. } => mine += partitions.len(),
            event => panic!("{event:?}"),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let closing = async {
            let within = Duration::from_secs(5);
            let _ = self.request_log.reader().close(within).await;
            let _ = self.reply_log.reader().close(within).await;
            let _ = self.cluster.delete_topics().await;
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(closing));
    }
}
