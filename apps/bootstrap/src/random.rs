//! Random numbers, only for the composition root.

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
