//! Random numbers, only for the composition root.

use catchment_domain::{CampaignId, Nonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use uuid::{Builder, Uuid};

/// Returns a unique id: a `UUIDv4`.
///
/// # Panics
///
/// When the system gives no random numbers: nothing can go on without them.
#[must_use]
pub fn uuid() -> Uuid {
    Builder::from_random_bytes(bytes()).into_uuid()
}

/// Returns random bytes.
///
/// # Panics
///
/// When the system gives no random numbers: nothing can go on without them.
#[must_use]
#[expect(clippy::expect_used, reason = "without the system's randomness nothing can go on")]
pub fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    SysRng.try_fill_bytes(&mut bytes).expect("the system gives random numbers");
    bytes
}

/// Returns a unique number for a log.
#[must_use]
pub fn log_id() -> u128 {
    u128::from_be_bytes(bytes())
}

/// Returns the id of a new campaign: a `UUIDv4`.
#[must_use]
pub fn campaign_id() -> CampaignId {
    CampaignId(uuid())
}

/// Returns the random number of a new campaign.
#[must_use]
pub fn nonce() -> Nonce {
    Nonce::from_random(u64::from_be_bytes(bytes()))
}
