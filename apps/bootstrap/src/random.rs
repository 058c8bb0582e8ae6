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
pub fn uuid() -> Uuid {
    Builder::from_random_bytes(bytes()).into_uuid()
}

/// Random bytes.
///
/// # Panics
///
/// When the system gives no random numbers: then nothing can go on.
#[must_use]
#[expect(clippy::expect_used, reason = "without the system's randomness nothing can go on")]
pub fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    SysRng.try_fill_bytes(&mut bytes).expect("the system gives random numbers");
    bytes
}
