//! What every adapter promises, one function a promise.
//!
//! Each function has the name of a promise in the documentation of a port of
//! `catchment_domain::ports`, and fails when an adapter breaks it. An adapter wires the whole
//! suite up in a test file of about ten lines:
//!
//! ```ignore
//! // adapters/X/tests/contract.rs
//! use catchment_contract::StoreHarness;
//!
//! struct Harness { /* a fresh database, and the clock that it runs by */ }
//!
//! #[async_trait::async_trait]
//! impl StoreHarness for Harness { /* ... */ }
//!
//! async fn fresh() -> Harness { /* called once for each promise */ }
//!
//! catchment_contract::store_suite!(fresh);
//! ```
//!
//! So there is one test for each promise, named `<port>::<promise>`. A log does the same with
//! [`LogHarness`] and [`log_suite!`]. Where adapters differ, the harness says so as data.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "every function is a test: a panic is how it fails"
)]

mod harness;
mod owner;
mod scene;

pub mod shop_ledger;

pub use harness::{Store, StoreHarness};

/// Expands to one test for each promise of the storage ports.
///
/// `$fresh` names an `async fn() -> impl StoreHarness` beside the call. The calling crate
/// needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_suite {
    ($fresh:ident) => {
        $crate::suite! { $fresh:
            shop_ledger {
                apply_is_atomic,
                apply_repeated_is_fenced,
                apply_from_elsewhere_is_fenced,
                apply_accepts_gaps,
                claim_fences_older_owners,
                claim_has_one_winner,
                lanes_are_independent,
                apply_is_seen_by_all,
                apply_judges_by_what_is_stored,
                receipts_rebuild_replies,
                receipts_outlast_a_claim,
                replied_only_rises,
                receipts_are_pruned,
                expired_mark_only_rises,
                lasting_log_is_remembered,
                passing_log_starts_anew,
                bad_data_is_named,
                unknown_campaigns_are_not_loaded,
            }
        }
    };
}

/// Expands to a module for each port and a test for each promise.
#[doc(hidden)]
#[macro_export]
macro_rules! suite {
    ($fresh:ident: $($port:ident { $($promise:ident),* $(,)? })*) => {
        $(mod $port {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let harness = super::$fresh().await;
                    $crate::$port::$promise(&harness).await;
                }
            )*
        })*
    };
}
