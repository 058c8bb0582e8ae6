//! One allocator for the whole process.
//!
//! Messages are allocated on one thread and freed on librdkafka's, which costs the C library's
//! allocator more than half of what a process can do. Built with `override`, mimalloc also
//! takes the place of C's `malloc`, which `#[global_allocator]` alone would leave to librdkafka.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
