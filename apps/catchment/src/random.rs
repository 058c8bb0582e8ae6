//! Random ids, which are unique.

use catchment_bootstrap::random::{bytes, uuid};
use catchment_domain::{CampaignId, Nonce};

/// Returns a unique number for a log.
pub(crate) fn log_id() -> u128 {
    u128::from_be_bytes(bytes())
}

/// Returns the id of a new campaign: a `UUIDv4`.
pub(crate) fn campaign_id() -> CampaignId {
    CampaignId(uuid())
}

/// Returns the random number of a new campaign.
pub(crate) fn nonce() -> Nonce {
    Nonce::from_random(u64::from_be_bytes(bytes()))
}
