//! The consumer that answers the requester, in the test itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::SystemClock;
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, Step};
use catchment_domain::{Lane, Policy, Radius, Rank, TriggerRule};
use catchment_kafka::{GroupEvent, GroupEvents, KafkaCluster, KafkaRequestLog, Sender};
use catchment_seaorm::SeaOrmStore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::world::{World, lanes};

/// How long a lane waits for a notice before it checks by itself.
const NAP: Duration = Duration::from_millis(100);

impl World {
    /// Applies and answers requests in the background, until the returned tasks are dropped.
    pub(crate) fn consume(&self, store: &SeaOrmStore) -> JoinSet<()> {
        let (cluster, sender, joined) = self.runtime.block_on(async {
            let cluster = self.cluster().await;
            let (sender, joined) = (cluster.sender().unwrap(), cluster.join().unwrap());
            (cluster, sender, joined)
        });
        let work = work(store.clone(), (cluster, sender), joined);
        let mut running = JoinSet::new();
        running.spawn_on(work, self.runtime.handle());
        running
    }
}

/// A member of the consumers' group that applies nothing.
pub(crate) struct Stranger {
    log: KafkaRequestLog,
    _events: GroupEvents,
}

impl World {
    /// Makes a stranger join the consumers' group, and waits until it gets the lanes.
    pub(crate) fn stranger(&self, name: &str) -> Stranger {
        let mut settings = self.kafka();
        settings.client.properties.insert("client.id".to_owned(), name.to_owned());
        let joined = async {
            let cluster = KafkaCluster::connect(settings).await.unwrap();
            let (log, mut events) = cluster.join().unwrap();
            events.recv().await.unwrap();
            Stranger { log, _events: events }
        };
        self.runtime.block_on(joined)
    }
}

impl Stranger {
    /// Leaves the group.
    pub(crate) fn leave(self, world: &World) {
        let left = self.log.reader().close(Duration::from_secs(10));
        world.runtime.block_on(left).unwrap();
    }
}

/// Starts a task for each lane: there is no other member that could get one.
async fn work(
    store: SeaOrmStore,
    (cluster, sender): (KafkaCluster, Sender),
    (log, mut events): (KafkaRequestLog, GroupEvents),
) {
    let ports = ConsumerPorts {
        ledger: Arc::new(store),
        replies: Arc::new(cluster.reply_channel((&sender, &sender), &log, Arc::new(SystemClock))),
        log: Arc::new(log),
    };
    let rule = TriggerRule { rank: Rank(10), default_limit: None };
    let triggers = BTreeMap::from([("rider_shortage".parse().unwrap(), rule)]);
    let policy = Policy { floor: Radius::CLOSED, triggers };
    let rules = Arc::new(Rules { policy, lanes: lanes(), batch: 500 });
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        let GroupEvent::Assigned { partitions, .. } = event else { continue };
        for partition in partitions {
            let lane = Lane(u16::try_from(partition).unwrap());
            tasks.spawn(turn(LaneConsumer::new(lane, ports.clone(), Arc::clone(&rules))));
        }
    }
}

async fn turn(mut consumer: LaneConsumer) {
    loop {
        match consumer.step().await.unwrap() {
            Step::Worked => {}
            // A timeout is fine: the caller checks again.
            Step::Idle => drop(timeout(NAP, consumer.wait()).await),
            Step::Pause { after, .. } => sleep(after).await,
        }
    }
}
