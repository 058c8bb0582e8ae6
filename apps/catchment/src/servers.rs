//! The parts that use Kafka: single calls, topics and lanes.
//!
//! This module is built only with the feature `servers`; otherwise, `no_servers.rs` takes its
//! place.

mod calling;
mod kafka_away;
mod lanes;
mod moving;
mod restored;
mod topics;

use std::time::Duration;

use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::{BeforeMove, Change, Lanes, Reply, ShopId};
use catchment_kafka::Created;

use self::calling::Calling;
pub(crate) use self::kafka_away::is_kafka_away;
use crate::commands::database::AfterRestore;
use crate::commands::lanes::{AcceptOrder, LanesInKafka, LanesToAccept};
use crate::commands::topics::Plan;
use crate::stores::Stores;

/// Checks that this program can open the database. A program with servers can open every database.
///
/// # Errors
///
/// Never. A program without servers refuses some databases.
#[expect(clippy::unnecessary_wraps, reason = "a program without servers returns errors")]
pub(crate) fn check_database(_: &DatabaseUrl) -> anyhow::Result<()> {
    Ok(())
}

/// Sends a request to one shop over Kafka, and returns the reply.
///
/// # Errors
///
/// When Kafka cannot be reached, or there is no reply in time.
pub(crate) async fn call(
    settings: &Settings,
    shop: ShopId,
    change: Change,
    timeout: Duration,
) -> anyhow::Result<Reply> {
    let calling = Calling::start(settings).await?;
    let reply = calling.call(shop, change, timeout).await;
    calling.end().await;
    reply
}

/// Makes the missing topics, and checks all of them. Returns each topic and whether it is new, and
/// an error if a topic cannot be used or differs from the wanted plan.
///
/// # Errors
///
/// When the brokers do not answer, or refuse.
pub(crate) async fn create_topics(
    settings: &Settings,
    lanes: Lanes,
    plan: Plan,
) -> anyhow::Result<(Vec<(String, bool)>, anyhow::Result<()>)> {
    let made = topics::create(&topics::connect(settings).await?, lanes, plan).await?;
    let topics = made.topics.into_iter().map(|(topic, created)| (topic, created == Created::New));
    Ok((topics.collect(), made.checked))
}

/// Checks that requests and replies can be sent.
///
/// # Errors
///
/// When the brokers do not answer, or a topic is missing or cannot be used.
pub(crate) async fn check_topics(settings: &Settings, lanes: Lanes) -> anyhow::Result<()> {
    topics::check(&topics::connect(settings).await?, lanes).await
}

/// Checks that the topics are there, that the database is not older than what the consumers have
/// committed, and that every lane can go on.
///
/// # Errors
///
/// When something does not fit, or the brokers or the database do not answer.
pub(crate) async fn check_lanes(settings: &Settings, stores: &Stores) -> anyhow::Result<()> {
    lanes::check(&topics::connect(settings).await?, stores).await
}

/// Compares the lanes with their topics.
///
/// # Errors
///
/// When the brokers or the database do not answer.
pub(crate) async fn look_at_lanes(
    settings: &Settings,
    stores: &Stores,
) -> anyhow::Result<LanesInKafka> {
    lanes::look(&topics::connect(settings).await?, stores).await
}

/// The lanes that are chosen and cannot go on, and how each is taken.
///
/// # Errors
///
/// When the chosen lane works, or the brokers or the database do not answer.
pub(crate) async fn lanes_to_accept(
    settings: &Settings,
    stores: &Stores,
    order: AcceptOrder,
) -> anyhow::Result<LanesToAccept> {
    lanes::to_accept(&topics::connect(settings).await?, stores, order).await
}

/// What is drained, and what is not, before the database is moved.
///
/// # Errors
///
/// When the database is older than the request log, a topic is missing, or the brokers or the
/// database do not answer.
pub(crate) async fn look_before_move(
    settings: &Settings,
    stores: &Stores,
) -> anyhow::Result<BeforeMove> {
    moving::look(&topics::connect(settings).await?, stores).await
}

/// Makes the ledger of a restored database true again.
///
/// # Errors
///
/// When services are at work, or the brokers or the database do not answer.
pub(crate) async fn restored(
    settings: &Settings,
    stores: &Stores,
    dry_run: bool,
) -> anyhow::Result<AfterRestore> {
    restored::restored(&topics::connect(settings).await?, stores, dry_run).await
}
