//! Applies requests from Kafka and answers them.

mod counts;
mod lanes;
mod member;
mod progress;
mod lane_workers;
mod topics;

use std::process::ExitCode;
use std::sync::Arc;

use catchment_bootstrap::service::database::{self, DATABASE};
use catchment_bootstrap::service::kafka::{self, KAFKA};
use catchment_bootstrap::service::topics::{TOPICS, TopicCheck, watch_age};
use catchment_bootstrap::settings::Settings;
use catchment_bootstrap::{ProcessError, Role, Service, SystemClock};
use catchment_domain::service::{ConsumerPorts, Rules};
use catchment_kafka::{KafkaCluster, KafkaLookout};
use catchment_seaorm::SeaOrmStore;

use crate::lanes::Lanes;
use crate::member::{GROUP, Member, watch_group};
use crate::progress::{LANES, Progress};

const ROLE: Role = Role {
    name: "consumer",
    about: "Applies requests from Kafka to the shops of a PostgreSQL database, and answers them.",
    conditions: &[DATABASE, KAFKA, TOPICS, GROUP, LANES],
};

fn main() -> ExitCode {
    catchment_bootstrap::run(&ROLE, consume)
}

async fn consume(service: Service) -> Result<(), ProcessError> {
    let Service { settings, mut shutdown, readiness } = service;
    let Some(opened) = shutdown.unless_asked(Box::pin(open(&settings))).await else {
        return Ok(());
    };
    let (store, cluster, lookout) = opened?;
    tokio::spawn(database::watch(store.clone(), readiness.clone()));
    tokio::spawn(kafka::watch(cluster.clone(), readiness.clone()));
    tokio::spawn(counts::watch(cluster.clone()));
    tokio::spawn(topics::watch(cluster.clone(), settings.database.lanes, readiness.clone()));
    let sender = cluster.sender().map_err(|error| kafka::unusable(&error))?;
    let to_peers = cluster.peer_sender().map_err(|error| kafka::unusable(&error))?;
    let (log, events) = cluster.join().map_err(|error| kafka::unusable(&error))?;
    let ports = ConsumerPorts {
        ledger: Arc::new(store.clone()),
        replies: Arc::new(cluster.reply_channel((&sender, &to_peers), &log, Arc::new(SystemClock))),
        log: Arc::new(log.clone()),
    };
    let Settings { policy, database, engine, drain, stalled_after, .. } = settings;
    let rules = Rules { policy, lanes: database.lanes, batch: engine.batch };
    let progress = Progress::default();
    tokio::spawn(watch_group(log.clone(), readiness.clone()));
    tokio::spawn(progress.clone().watch(readiness.clone(), stalled_after));
    let lanes = Lanes::new((ports, log.clone()), rules, progress.clone());
    let lanes = (lanes, database.lanes.count());
    let member = Member::new((log, events), lanes, progress, readiness);
    let older = watch_age(lookout.clone(), store.clone());
    let worked = member.run((shutdown, drain), older).await;
    lookout.close().await;
    kafka::close(&sender).await;
    kafka::close(&to_peers).await;
    database::close(&store).await;
    worked
}

/// Opens database and Kafka. There are as many connections as lanes, because this process may get
/// any number of lanes.
async fn open(
    settings: &Settings,
) -> Result<(SeaOrmStore, KafkaCluster, KafkaLookout), ProcessError> {
    let lanes = settings.database.lanes.count();
    let store = database::open(&settings.database, lanes.into()).await?;
    let cluster = kafka::connect(settings, ROLE.name).await?;
    let lookout = cluster.lookout(settings.database.lanes);
    let lookout = lookout.map_err(|error| kafka::unusable(&error))?;
    TopicCheck::new(lookout.clone(), store.clone()).check().await?;
    Ok((store, cluster, lookout))
}
