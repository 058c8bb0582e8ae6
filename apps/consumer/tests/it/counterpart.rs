//! The requester that sends requests to the consumer, in the test itself.

use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::SystemClock;
use catchment_domain::WindowLimits;
use catchment_domain::ports::Holder;
use catchment_domain::service::{LaneKeeper, RequesterPorts, RequesterTerms, Step};
use catchment_seaorm::SeaOrmStore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::world::{World, lanes};

const LOOK: Duration = Duration::from_millis(50);

fn terms() -> RequesterTerms {
    RequesterTerms {
        lease: Duration::from_secs(5),
        look: LOOK,
        resend: Duration::from_secs(30),
        limits: WindowLimits::new(lanes()),
    }
}

impl World {
    /// Runs campaigns in the background, until the returned tasks are dropped.
    pub(crate) fn request(&self, store: &SeaOrmStore) -> JoinSet<()> {
        let ports = self.runtime.block_on(async {
            let cluster = self.cluster().await;
            let sender = cluster.sender().unwrap();
            RequesterPorts {
                reply_lanes: Arc::new(store.clone()),
                ledger: Arc::new(store.clone()),
                lanes: Arc::new(store.clone()),
                commits: Arc::new(cluster.lookout(lanes()).unwrap()),
                requests: Arc::new(cluster.request_channel(&sender, Arc::new(SystemClock))),
                replies: Arc::new(cluster.reply_log().await.unwrap()),
                clock: Arc::new(SystemClock),
            }
        });
        let keeper = LaneKeeper::new(Holder(Uuid::now_v7()), ports, terms());
        let mut running = JoinSet::new();
        running.spawn_on(turn(keeper), self.runtime.handle());
        running
    }
}

async fn turn(mut keeper: LaneKeeper) {
    loop {
        match keeper.step().await.unwrap() {
            Step::Worked => {}
            // A timeout is fine: the caller checks again.
            Step::Idle => drop(timeout(LOOK, keeper.wait()).await),
            Step::Pause { after, .. } => sleep(after).await,
        }
    }
}
