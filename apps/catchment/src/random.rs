//! What is drawn at random: nobody else has the same.

use catchment_bootstrap::random::{bytes, uuid};
use catchment_domain::{CampaignId, Nonce};

/// A number that no other log has.
pub(crate) fn log_id() -> u128 {
    u128::from_be_bytes(bytes())
}

/// The id of a new campaign: a `UUIDv4`.
pub(crate) fn campaign_id() -> CampaignId {
    CampaignId(uuid())
}

/// The random number of a new campaign.
pub(crate) fn nonce() -> Nonce {
    Nonce::from_random(u64::from_be_bytes(bytes()))
}
