//! Requests: one shop's part of a campaign, or a call without one.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::lane::Position;
use crate::outcome::Code;
use crate::radius::{Limit, Radius};
use crate::revision::{CampaignRef, Revision};
use crate::shop::ShopId;
use crate::time::Deadline;
use crate::trigger::TriggerKind;

/// Identifies a request and, as correlation id, its reply. A re-send keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is asked of one shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Identifies it.
    pub id: RequestId,
    /// The shop.
    pub shop: ShopId,
    /// The change.
    pub change: Change,
}

/// A change at one shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A campaign limits the radius.
    Activate {
        /// The campaign.
        campaign: CampaignRef,
        /// Why.
        kind: TriggerKind,
        /// How far the shop delivers at most.
        limit: Limit,
        /// When it is too late to begin.
        deadline: Deadline,
        /// The campaign whose place it takes.
        replaces: Option<Replaced>,
    },
    /// A campaign is over.
    Release {
        /// The campaign.
        campaign: CampaignRef,
        /// The newest deadline of the activation that it ends. A release has none of its own.
        deadline: Deadline,
    },
    /// A limit without a campaign, in the place of an older one of its kind.
    ActivateKind {
        /// Why.
        kind: TriggerKind,
        /// How far the shop delivers at most.
        limit: Limit,
        /// After this instant the request must not take effect for the first time.
        deadline: Option<Deadline>,
    },
    /// The limit of this kind without a campaign is over.
    ReleaseKind {
        /// Why it was.
        kind: TriggerKind,
        /// After this instant the request must not take effect for the first time.
        deadline: Option<Deadline>,
    },
    /// Another base radius.
    SetBase {
        /// When it was decided: the highest counts.
        revision: Revision,
        /// The base radius.
        radius: Radius,
        /// After this instant the request must not take effect for the first time.
        deadline: Option<Deadline>,
    },
}

/// A campaign whose place another takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The campaign.
    pub campaign: CampaignRef,
    /// The newest deadline of its activation.
    pub deadline: Deadline,
}

impl Change {
    /// The deadline by which this change is first seen, or never applied.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Activate { deadline, .. } => Some(*deadline),
            Self::ActivateKind { deadline, .. }
            | Self::ReleaseKind { deadline, .. }
            | Self::SetBase { deadline, .. } => *deadline,
            Self::Release { .. } => None,
        }
    }

    /// The campaign that asks for this change.
    #[must_use]
    pub const fn campaign(&self) -> Option<CampaignRef> {
        match self {
            Self::Activate { campaign, .. } | Self::Release { campaign, .. } => Some(*campaign),
            Self::ActivateKind { .. } | Self::ReleaseKind { .. } | Self::SetBase { .. } => None,
        }
    }
}

/// Where a reply is to go: written by the adapter that sends the request, read by the one
/// that answers it, opaque to everybody else. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnAddress(pub Arc<[u8]>);

/// A request as it stands in its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its place in the lane.
    pub position: Position,
    /// Identifies the record: the request's id, or a digest of what could not be read.
    pub id: RequestId,
    /// Where its reply is to go.
    pub return_address: ReturnAddress,
    /// What is asked, or why that cannot be known.
    pub request: Result<Request, Invalid>,
}

impl RequestRecord {
    /// The shop that it names, as far as that can be read.
    #[must_use]
    pub fn shop(&self) -> Option<&ShopId> {
        match &self.request {
            Ok(request) => Some(&request.shop),
            Err(invalid) => invalid.shop.as_ref(),
        }
    }
}

/// What is wrong with a message that is no request
/// (Hohpe and Woolf's *Invalid Message*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, for machines.
    pub code: Code,
    /// What is wrong, for people.
    pub message: Box<str>,
    /// The shop that it names, as far as that can be read: where its reply belongs.
    pub shop: Option<ShopId>,
}
