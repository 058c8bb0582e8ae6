//! Randomness, at the composition root alone.

use catchment_domain::{CampaignId, Nonce};
use rand::TryRng as _;
use rand::rngs::SysRng;

/// A number that no other log has.
pub(crate) fn log_id() -> u128 {
    u128::from(number()) << 64 | u128::from(number())
}

/// The id of a new campaign: a `UUIDv4`.
pub(crate) fn campaign_id() -> CampaignId {
    CampaignId(uuid::Builder::from_random_bytes(log_id().to_be_bytes()).into_uuid())
}

/// The random number of a new campaign.
pub(crate) fn nonce() -> Nonce {
    Nonce::from_random(number())
}

#[expect(clippy::expect_used, reason = "without the system's randomness nothing can go on")]
fn number() -> u64 {
    SysRng.try_next_u64().expect("the system gives random numbers")
}
