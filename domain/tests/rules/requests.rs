//! Requests as the requester of a campaign makes them, and campaigns as batches are judged by them.

use catchment_domain::{
    Attempt, CampaignId, CampaignRef, CampaignTerms, Change, LoadedCampaign, MAX_SHOPS, Nonce,
    Phase, RequestId, Revision, Ticket,
};
use uuid::Uuid;

/// The campaign of this revision.
pub(crate) fn campaign(revision: u64) -> CampaignRef {
    CampaignRef { revision: Revision(revision), id: CampaignId(Uuid::from_u128(revision.into())) }
}

/// The random number of a campaign.
pub(crate) fn nonce(revision: Revision) -> Nonce {
    Nonce::from_random(revision.0)
}

/// The id of the request for a change at a place of a list: where a campaign asks, one of that
/// campaign's first attempt.
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

/// The campaign that asks for an activation, in its second attempt: those of the first may have had
/// an earlier deadline.
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
