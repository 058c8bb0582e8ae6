//! The answers of a program that was built without the feature `servers`.

#![expect(clippy::unused_async, reason = "the functions that these stand for wait")]

use std::time::Duration;

use catchment_application::{CallReply, LaneError, ShopChange};
use catchment_bootstrap::settings::{DatabaseUrl, Settings};
use catchment_domain::ports::Cluster;
use catchment_domain::{Lanes, ShopId};

use crate::ending::WrongUsage;

const MISSING: WrongUsage = WrongUsage(
    "this program was built without Kafka and PostgreSQL; build it with \
     `cargo build --release -p catchment --features servers`",
);

pub(crate) fn check_database(url: &DatabaseUrl) -> anyhow::Result<()> {
    if url.is_postgres() { Err(MISSING.into()) } else { Ok(()) }
}

pub(crate) async fn call(
    _: &Settings,
    _: ShopId,
    _: ShopChange<'_>,
    _: Duration,
) -> anyhow::Result<CallReply> {
    Err(MISSING.into())
}

/// No cluster: this program cannot connect to one.
pub(crate) enum Connected {}

impl Connected {
    pub(crate) fn cluster(&self) -> &dyn Cluster {
        match *self {}
    }

    pub(crate) async fn close(self) {
        match self {}
    }
}

pub(crate) async fn connect(
    _: &Settings,
    _: Lanes,
) -> anyhow::Result<Result<Connected, LaneError>> {
    Err(MISSING.into())
}
