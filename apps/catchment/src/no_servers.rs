//! The answers of a program that was built without the feature `servers`.

#![expect(clippy::unused_async, reason = "the functions that these stand for wait")]

use std::time::Duration;

use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::{BeforeMove, Change, Lanes, Reply, ShopId};

use crate::commands::database::AfterRestore;
use crate::commands::lanes::{AcceptOrder, LanesInKafka, LanesToAccept};
use crate::commands::topics::Plan;
use crate::ending::WrongUsage;
use crate::stores::Stores;

const MISSING: WrongUsage = WrongUsage(
    "this program was built without Kafka and PostgreSQL; build it with \
     `cargo build --release -p catchment --features servers`",
);

pub(crate) fn check_database(url: &DatabaseUrl) -> anyhow::Result<()> {
    if url.is_postgres() { Err(MISSING.into()) } else { Ok(()) }
}

pub(crate) async fn call(_: &Settings, _: ShopId, _: Change, _: Duration) -> anyhow::Result<Reply> {
    Err(MISSING.into())
}

pub(crate) async fn create_topics(
    _: &Settings,
    _: Lanes,
    _: Plan,
) -> anyhow::Result<(Vec<(String, bool)>, anyhow::Result<()>)> {
    Err(MISSING.into())
}

pub(crate) async fn check_topics(_: &Settings, _: Lanes) -> anyhow::Result<()> {
    Err(MISSING.into())
}

pub(crate) async fn check_lanes(_: &Settings, _: &Stores) -> anyhow::Result<()> {
    Err(MISSING.into())
}

pub(crate) fn is_kafka_away(_: &anyhow::Error) -> bool {
    false
}

pub(crate) async fn look_at_lanes(_: &Settings, _: &Stores) -> anyhow::Result<LanesInKafka> {
    Err(MISSING.into())
}

pub(crate) async fn lanes_to_accept(
    _: &Settings,
    _: &Stores,
    _: AcceptOrder,
) -> anyhow::Result<LanesToAccept> {
    Err(MISSING.into())
}

pub(crate) async fn look_before_move(_: &Settings, _: &Stores) -> anyhow::Result<BeforeMove> {
    Err(MISSING.into())
}

pub(crate) async fn restored(_: &Settings, _: &Stores, _: bool) -> anyhow::Result<AfterRestore> {
    Err(MISSING.into())
}
