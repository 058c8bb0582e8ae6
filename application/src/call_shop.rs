//! One request to one shop, without a campaign.

use std::time::Duration;

use catchment_domain::ports::{CallChannel, ShopRepository};
use catchment_domain::{Change, Limit, Policy, Radius, Reply, ShopId, Status, TriggerKind};

use crate::triggers::known_kind;
use crate::{InvalidField, UseCaseError};

/// What is asked of one shop.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub enum ShopChange<'a> {
    /// A limit without a campaign, in the place of an older one of its kind.
    Limit {
        /// Why.
        kind: TriggerKind,
        /// How far the shop delivers at most.
        limit: Limit,
    },
    /// The limit of this kind without a campaign is over.
    Release {
        /// Why it was.
        kind: TriggerKind,
    },
    /// Another base radius.
    SetBase {
        /// The base radius.
        radius: Radius,
        /// Gives the revision of the change.
        revisions: &'a dyn ShopRepository,
    },
}

/// The reply to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReply {
    /// What the shop's lane answered.
    pub reply: Reply,
    /// The new base radius, if the request set one.
    pub base: Option<Radius>,
    /// Set if nothing changed and the settings have no such kind. A kind that the settings no
    /// longer have may be in force, so it is released like any other.
    pub unknown_kind: Option<InvalidField>,
}

/// Sends a request to one shop, and waits so long for its reply.
///
/// # Errors
///
/// When there is no reply in time, or the database gives no revision.
pub async fn call_shop(
    channel: &dyn CallChannel,
    policy: &Policy,
    shop: ShopId,
    wanted: ShopChange<'_>,
    within: Duration,
) -> Result<CallReply, UseCaseError> {
    let (change, kind) = match wanted {
        ShopChange::Limit { kind, limit } => {
            (Change::ActivateKind { kind, limit, deadline: None }, Some(kind))
        }
        ShopChange::Release { kind } => (Change::ReleaseKind { kind, deadline: None }, Some(kind)),
        ShopChange::SetBase { radius, revisions } => {
            let revision = revisions.take_revision().await?;
            (Change::SetBase { revision, radius, deadline: None }, None)
        }
    };
    let reply = channel.call(shop, change, within).await?;
    let status = reply.outcome.status;
    let base = match wanted {
        ShopChange::SetBase { radius, .. } if status.took_effect() => Some(radius),
        ShopChange::SetBase { .. } | ShopChange::Limit { .. } | ShopChange::Release { .. } => None,
    };
    let unknown_kind = kind
        .filter(|_| status == Status::Unchanged)
        .and_then(|kind| known_kind(kind.as_str(), policy).err());
    Ok(CallReply { reply, base, unknown_kind })
}
