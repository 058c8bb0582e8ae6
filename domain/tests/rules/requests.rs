//! Requests as a campaign's requester makes them, and campaigns with their terms.

use std::time::Duration;

use catchment_domain::{
    Attempt, Campaign, CampaignId, CampaignRef, CampaignTerms, Change, Deadline, Draft,
    LoadedCampaign, MAX_SHOPS, Nonce, Phase, RequestId, Revision, Scope, Ticket, Timestamp,
};
use uuid::Uuid;

/// The campaign of this revision.
pub(crate) fn campaign(revision: u64) -> CampaignRef {
    CampaignRef { revision: Revision(revision), id: CampaignId(Uuid::from_u128(revision.into())) }
}

/// The campaign of this revision, which has just begun, with this number of shops.
pub(crate) fn begun(revision: u64, shops: u32) -> Campaign {
    let name = campaign(revision);
    let draft = Draft {
        kind: "rain".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope::everything(),
        reason: String::new(),
        timeout: Duration::from_secs(1),
        until: None,
        replaces: None,
        id: name.id,
        nonce: nonce(name.revision),
    };
    draft.begin(name.revision, shops, None, (Timestamp::from_millis(0), Deadline::MIN))
}

/// The random number of a campaign.
pub(crate) fn nonce(revision: Revision) -> Nonce {
    Nonce::from_random(revision.0)
}

/// The id of the request for a change at a place of the list. If a campaign asks, the id belongs to
/// that campaign's first attempt.
pub(crate) fn id_of(change: &Change, index: u32) -> RequestId {
    let phase = match change {
        Change::Activate { .. } => Phase::Activation,
        Change::Release { .. } => Phase::Release,
        Change::ActivateKind { .. } | Change::ReleaseKind { .. } | Change::SetBase { .. } => {
            return RequestId(Uuid::from_u128(index.into()));
        }
    };
    let revision = change.campaign().unwrap().revision;
    let (attempt, nonce) = (Attempt::FIRST, nonce(revision));
    Ticket { revision, phase, attempt, index, nonce }.id()
}

/// The campaign that asks for an activation. It is in its second attempt, so requests of the first
/// attempt may have an earlier deadline.
pub(crate) fn loaded(activation: Change, is_ending_or_ended: bool) -> LoadedCampaign {
    let name = activation.campaign().unwrap();
    let terms = match activation {
        Change::Activate { kind, limit, deadline, replaces, .. } => Some(CampaignTerms {
            nonce: nonce(name.revision),
            shops: MAX_SHOPS,
            kind,
            limit,
            replaces,
            attempt: Attempt(2),
            deadline,
            is_ending_or_ended,
        }),
        _ => None,
    };
    LoadedCampaign { name, terms: Ok(terms.unwrap()) }
}
