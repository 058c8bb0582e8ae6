//! Runs campaigns over Kafka.

mod request_lanes;
mod standstill;
mod work;

use std::process::ExitCode;
use std::sync::Arc;

use catchment_bootstrap::database::keep_deleting;
use catchment_bootstrap::service::database::{self, DATABASE};
use catchment_bootstrap::service::kafka::{self, KAFKA};
use catchment_bootstrap::service::topics::{TOPICS, TopicCheck};
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::{ProcessError, Role, Service, SystemClock, random};
use catchment_domain::WindowLimits;
use catchment_domain::ports::Holder;
use catchment_domain::service::{LaneKeeper, RequesterPorts, RequesterTerms};
use catchment_kafka::{KafkaCluster, KafkaLookout};
use catchment_seaorm::SeaOrmStore;

use crate::request_lanes::{REQUEST_LANES, RequestLanes};
use crate::work::{CAMPAIGNS, LANE, Work};

const ROLE: Role = Role {
    name: "requester",
    about: "Runs the campaigns of a PostgreSQL database over Kafka.",
    conditions: &[DATABASE, KAFKA, TOPICS, LANE, CAMPAIGNS, REQUEST_LANES],
};

/// The number of connections for writing. The process records replies and looks campaigns up one by
/// one.
const WRITERS: u32 = 2;

fn main() -> ExitCode {
    catchment_bootstrap::run(&ROLE, request)
}

async fn request(service: Service) -> Result<(), ProcessError> {
    let Service { settings, mut shutdown, readiness } = service;
    let Some(opened) = shutdown.unless_asked(Box::pin(open(&settings))).await else {
        return Ok(());
    };
    let (store, cluster, lookout, topics) = opened?;
    tokio::spawn(database::watch(store.clone(), readiness.clone()));
    tokio::spawn(kafka::watch(cluster.clone(), readiness.clone()));
    let sender = cluster.sender().map_err(|error| kafka::unusable(&error))?;
    let replies = cluster.reply_log().await.map_err(|error| kafka::refusal(&error))?;
    tokio::spawn(replies.clone().keep_counting());
    let ports = RequesterPorts {
        reply_lanes: Arc::new(store.clone()),
        ledger: Arc::new(store.clone()),
        lanes: Arc::new(store.clone()),
        commits: Arc::new(lookout.clone()),
        requests: Arc::new(cluster.request_channel(&sender, Arc::new(SystemClock))),
        replies: Arc::new(replies.clone()),
        clock: Arc::new(SystemClock),
    };
    let stalled_after = settings.stalled_after;
    let request_lanes = RequestLanes::new(store.clone(), lookout.clone(), stalled_after);
    tokio::spawn(request_lanes.watch(readiness.clone()));
    tokio::spawn(keep_deleting(Arc::new(store.clone()), settings.database.campaigns_kept));
    let topics = topics.watch(readiness.clone());
    let engine = settings.engine;
    let terms = RequesterTerms {
        lease: engine.lease,
        look: engine.look,
        resend: engine.resend,
        limits: WindowLimits::new(settings.database.lanes),
    };
    let keeper = LaneKeeper::new(Holder(random::uuid()), ports, terms);
    let patience = (engine.look, stalled_after);
    let work = Work::new((keeper, replies.clone()), patience, readiness).run(shutdown);
    let worked = tokio::select! {
        worked = work => worked,
        // The leases run out by themselves, and nobody may go on with the campaigns while the
        // topics are wrong.
        error = topics => Err(error),
    };
    kafka::close_reader(replies.reader()).await;
    lookout.close().await;
    kafka::close(&sender).await;
    database::close(&store).await;
    worked
}

async fn open(
    settings: &Settings,
) -> Result<(SeaOrmStore, KafkaCluster, KafkaLookout, TopicCheck), ProcessError> {
    let store = database::open(&settings.database, WRITERS).await?;
    let cluster = kafka::connect(settings, ROLE.name).await?;
    let lookout =
        cluster.lookout(settings.database.lanes).map_err(|error| kafka::unusable(&error))?;
    let mut topics = TopicCheck::new(lookout.clone(), store.clone());
    topics.check().await?;
    Ok((store, cluster, lookout, topics))
}
