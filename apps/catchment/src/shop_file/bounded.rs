//! A limit to the length of a record, kept before the record is read whole.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of a record.
pub(crate) const RECORD_MAX: u64 = 1 << 20;

/// Where the present record begins, shared by the parser and what it reads from.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound(Arc<AtomicU64>);

impl Bound {
    /// Says that a record begins at this byte.
    pub(super) fn begin_record(&self, byte: u64) {
        self.0.store(byte, Ordering::Relaxed);
    }
}

/// Stops a reader that is more than a record's length ahead of the present record's start:
/// so neither a line without an end nor a quote that is never closed fills the memory.
pub(super) struct Bounded<R> {
    inner: R,
    handed_out: u64,
    bound: Bound,
}

impl<R: Read> Bounded<R> {
    pub(super) const fn new(inner: R, bound: Bound) -> Self {
        Self { inner, handed_out: 0, bound }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if RECORD_MAX < self.handed_out.saturating_sub(self.bound.0.load(Ordering::Relaxed)) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.inner.read(buffer)?;
        self.handed_out = self.handed_out.saturating_add(count as u64);
        Ok(count)
    }
}
