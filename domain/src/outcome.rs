//! Outcomes: what became of a request, and why.

use std::fmt;
use std::str::FromStr;

use crate::lane::Position;
use crate::precedence::DecidedBy;
use crate::radius::Radius;
use crate::request::RequestId;
use crate::shop::ShopId;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Stored, and the radius changed.
    Applied,
    /// Stored, and the radius is what it was.
    Unchanged,
    /// Came too late to count: its campaign was ended or replaced, or a newer base radius
    /// stands.
    Superseded,
    /// Cannot be done.
    Rejected,
    /// First seen after its deadline: not applied, and never will be.
    Expired,
    /// Given up by an operator. Only a requester sets it.
    Failed,
}

impl Status {
    /// Every status, in the order of the enum.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Unchanged,
        Self::Superseded,
        Self::Rejected,
        Self::Expired,
        Self::Failed,
    ];

    /// Whether the request took effect, with a change of the radius or without.
    #[must_use]
    pub const fn took_effect(self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged)
    }

    /// The word for it, everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(())
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $retryable:literal, $message:literal;)*) => {
        /// Why an outcome is not plain success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word for it on the wire and in tables.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Whether the same request, sent anew, may fare better.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retryable),* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),* }
            }
        }
    };
}

codes! {
    /// The message is no request.
    Unreadable, "unreadable", false, "the message is not a request";
    /// There is no such change.
    UnknownType, "unknown_type", false, "there is no such type of request";
    /// There is no such shop.
    UnknownShop, "unknown_shop", false, "there is no shop of this id";
    /// There is no such trigger kind.
    UnknownKind, "unknown_kind", false, "the configuration has no trigger of this kind";
    /// The request is not in its shop's lane.
    WrongLane, "wrong_partition", false,
        "the request is in another partition than murmur2 of its key chooses";
    /// This database has no such campaign.
    UnknownCampaign, "unknown_campaign", false,
        "this database has no campaign of this revision and id";
    /// The request does not agree with the stored campaign.
    CampaignDiffers, "campaign_differs", false,
        "the request does not agree with the stored campaign";
    /// The id has the form that only requests of campaigns have.
    ReservedId, "reserved_id", false,
        "this form of id is for requests of campaigns: take another version of UUID than 8";
    /// This database never gave out the revision.
    UnknownRevision, "unknown_revision", false, "this database never gave out that revision";
    /// The shop has 255 active causes.
    TooManyCauses, "too_many_causes", true, "the shop has 255 active causes already";
    /// What is stored for the shop cannot be read, or the request cannot be stored.
    BadData, "bad_data", false, "the shop's stored data or the request cannot be processed";
    /// The campaign was ended.
    CampaignEnded, "campaign_ended", false, "the campaign was ended at this shop already";
    /// Another campaign took the place of this one.
    CampaignReplaced, "campaign_replaced", false, "another campaign took the place of this one";
    /// The shop has a base radius of a newer revision, or another one of the same revision.
    NewerBase, "newer_base", false,
        "the shop has another base radius, of this revision or a newer one";
    /// The deadline had passed.
    DeadlinePassed, "deadline_passed", true, "the deadline had passed before it was first seen";
    /// An operator gave the shop up.
    GivenUp, "given_up", true, "given up by an operator; the change may still take effect";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

/// How a request or an import left its shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The radius before; `None` in a repeat, which does not know it any more, and at a shop that
    /// an import added.
    pub before: Option<Radius>,
    /// The radius after.
    pub after: Radius,
    /// What decided the radius after.
    pub decided_by: DecidedBy,
    /// The shop's version after.
    pub version: u64,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What became of it.
    pub status: Status,
    /// Why, where that is not plain success.
    pub code: Option<Code>,
    /// More than the code's own message, where there is more to say.
    pub detail: Option<Box<str>>,
    /// How it left the shop; `None` where no shop was looked at.
    pub standing: Option<Standing>,
    /// Whether the request had taken effect before.
    pub repeat: bool,
}

impl Outcome {
    /// A request that cannot be done, at no shop.
    #[must_use]
    pub const fn rejected(code: Code, detail: Option<Box<str>>) -> Self {
        Self { status: Status::Rejected, code: Some(code), detail, standing: None, repeat: false }
    }

    /// What went wrong, for people, where something did.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.detail.as_deref().or_else(|| self.code.map(Code::message))
    }
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request that it answers.
    pub id: RequestId,
    /// The shop, as the request names it; `None` where it could not be read.
    pub shop: Option<ShopId>,
    /// What became of the request.
    pub outcome: Outcome,
    /// The position of the request in its lane, or `None` if the replier did not name it.
    pub request_position: Option<Position>,
}
