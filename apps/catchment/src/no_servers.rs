//! The answers of a program that was built without the feature `servers`.

#![expect(clippy::unused_async, reason = "the functions that these stand for wait")]

use std::time::Duration;

use catchment_application::{CallReply, LaneError, ShopChange};
use catchment_bootstrap::settings::Settings;
use catchment_domain::ports::Cluster;
use catchment_domain::{Lanes, ShopId};

use crate::ending::WITHOUT_SERVERS;

pub(crate) async fn call(
    _: &Settings,
    _: ShopId,
    _: ShopChange<'_>,
    _: Duration,
) -> anyhow::Result<CallReply> {
    Err(WITHOUT_SERVERS.into())
}

pub(crate) async fn with_cluster<T>(
    _: &Settings,
    _: Lanes,
    _: impl AsyncFnOnce(Result<&dyn Cluster, LaneError>) -> T,
) -> anyhow::Result<T> {
    Err(WITHOUT_SERVERS.into())
}
