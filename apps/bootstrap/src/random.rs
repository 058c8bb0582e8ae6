//! Randomness, at the composition root alone.

use rand::TryRng as _;
use rand::rngs::SysRng;
use uuid::{Builder, Uuid};

/// An id that nobody else has: a `UUIDv4`.
///
/// # Panics
///
/// When the system gives no random numbers: then nothing can go on.
#[must_use]
#[expect(clippy::expect_used, reason = "without the system's randomness nothing can go on")]
pub fn uuid() -> Uuid {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).expect("the system gives random numbers");
    Builder::from_random_bytes(bytes).into_uuid()
}
