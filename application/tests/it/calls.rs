//! Single calls to shops.

use std::time::Duration;

use async_trait::async_trait;
use catchment_application::{CallReply, ShopChange, call_shop};
use catchment_domain::ports::{CallChannel, CallError};
use catchment_domain::{Change, Outcome, Radius, Reply, RequestId, ShopId, Status, TriggerKind};
use uuid::Uuid;

use crate::city::City;

/// A channel that answers each call with a status.
struct Answering(Status);

#[async_trait]
impl CallChannel for Answering {
    async fn call(&self, shop: ShopId, _: Change, _: Duration) -> Result<Reply, CallError> {
        let (code, detail) = (None, None);
        let outcome = Outcome { status: self.0, code, detail, standing: None, repeat: false };
        let id = RequestId(Uuid::nil());
        Ok(Reply { id, shop: Some(shop), outcome, request_position: None })
    }
}

#[tokio::test]
async fn a_reply_tells_a_new_base_radius_or_an_unknown_kind() {
    let city = City::with_shops().await;
    let kind = |name: &str| name.parse::<TriggerKind>().unwrap();
    let radius = Radius::try_from(6_000_u32).unwrap();
    let limit = "3km".parse().unwrap();
    let set_base = ShopChange::SetBase { radius, revisions: &*city.store };
    let release = |name| ShopChange::Release { kind: kind(name) };
    for (change, status, base, unknown) in [
        (set_base, Status::Applied, Some(radius), false),
        (set_base, Status::Unchanged, Some(radius), false),
        (set_base, Status::Superseded, None, false),
        (ShopChange::Limit { kind: kind("manual"), limit }, Status::Applied, None, false),
        (ShopChange::Limit { kind: kind("manul"), limit }, Status::Rejected, None, false),
        (release("manul"), Status::Applied, None, false),
        (release("manul"), Status::Unchanged, None, true),
        (release("manual"), Status::Unchanged, None, false),
    ] {
        let (channel, shop) = (Answering(status), "a".parse().unwrap());
        let within = Duration::from_secs(1);
        let call = call_shop(&channel, &city.policy, shop, change, within).await.unwrap();
        let CallReply { base: found, unknown_kind, .. } = &call;
        assert_eq!((*found, unknown_kind.is_some()), (base, unknown), "{call:?}");
    }
}
