//! What every adapter promises, one function a promise.
//!
//! Each function has the name of a promise in the documentation of a port of
//! `catchment_domain::ports`, and fails when an adapter breaks it. An adapter wires the whole
//! suite up in a test file of about ten lines:
//!
//! ```text
//! // adapters/X/tests/it/contract.rs
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
//! Attributes before the name `fresh` stand before every test:
//!
//! ```text
//! catchment_contract::store_suite!(#[ignore = "needs PostgreSQL"] fresh);
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "every function is a test: a panic is how it fails"
)]

use std::time::Duration;

use tokio::time::timeout;

mod correspondent;
mod harness;
mod owner;
mod requester;
mod scene;
mod script;

pub mod acceptances;
pub mod campaign_ledger;
pub mod campaign_repository;
pub mod deletions;
pub mod moves;
pub mod recovery;
pub mod repairs;
pub mod reply_channel;
pub mod reply_lanes;
pub mod reply_log;
pub mod request_channel;
pub mod request_log;
pub mod restores;
pub mod shop_ledger;
pub mod shop_repository;

pub use harness::{Capabilities, Log, LogHarness, Store, StoreHarness};

/// Waits for a promise; one that is never kept fails.
#[doc(hidden)]
pub async fn in_time(promise: impl Future<Output = ()>) {
    assert!(timeout(PATIENCE, promise).await.is_ok(), "nothing came in {PATIENCE:?}");
}

/// Longer than any promise takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Expands to one test for each promise of the storage ports.
///
/// `$fresh` names an `async fn() -> impl StoreHarness` beside the call; attributes before it
/// are those of every test. The calling crate needs `tokio` with `macros` and
/// `rt-multi-thread`.
#[macro_export]
macro_rules! store_suite {
    ($(#[$($attribute:tt)*])* $fresh:ident) => {
        $crate::suite! { [$(#[$($attribute)*])*] $fresh:
            shop_ledger {
                apply_is_atomic,
                apply_repeated_is_fenced,
                apply_from_elsewhere_is_fenced,
                apply_accepts_gaps,
                claim_fences_older_owners,
                claim_has_one_winner,
                claim_of_an_older_database_is_refused,
                apply_sees_the_batch_before_it,
                lanes_are_independent,
                apply_is_seen_by_all,
                apply_keeps_what_was_decided,
                apply_judges_by_what_is_stored,
                receipts_rebuild_replies,
                receipts_outlast_a_claim,
                replied_only_rises,
                replied_never_passes_applied,
                receipts_are_pruned,
                visit_shows_every_receipt,
                unreadable_receipt_stands_alone,
                expired_mark_only_rises,
                lasting_log_is_remembered,
                passing_log_starts_anew,
                bad_data_is_named,
                orphan_is_no_unknown_shop,
                unknown_campaigns_are_not_loaded,
                campaign_terms_are_loaded,
                damaged_campaign_rejects_its_own_requests,
                newest_revision_is_loaded,
            }
            shop_repository {
                import_adds_and_updates,
                import_is_atomic,
                import_leaves_a_receipt,
                unreadable_import_receipt_stands_alone,
                import_receipts_are_pruned,
                import_keeps_released_causes,
                import_beside_a_batch_loses_nothing,
                import_beside_a_zombie_loses_nothing,
                import_beside_an_end_releases_every_shop,
                imports_at_once_add_each_shop_once,
                import_can_be_repeated,
                import_completes_orphans,
                import_older_base_does_not_count,
                overruling_import_outranks_what_was_given_out,
                revisions_only_rise,
                list_pages_are_complete,
                list_and_count_agree_with_the_scope,
                groups_agree_with_the_list,
                damage_is_named_and_left_out,
                regions_and_categories_are_listed,
            }
            campaign_repository {
                add_freezes_the_list,
                add_splits_the_list_into_chunks,
                add_keeps_unknown_ids,
                add_empty_scope_is_refused,
                add_deadline_lies_above_the_mark,
                add_counts_whole_milliseconds,
                add_replaces_once,
                command_goes_by_the_rules,
                list_pages_are_complete,
                outcomes_are_complete,
                outcomes_are_filtered,
                damage_is_named_and_left_out,
            }
            campaign_ledger {
                open_takes_campaigns_of_nobody,
                open_ends_what_is_over,
                open_ends_what_was_replaced,
                mark_sent_comes_before_an_end,
                mark_sent_and_an_end_agree,
                mark_sent_is_fenced,
                record_is_atomic,
                record_is_fenced,
                record_from_elsewhere_is_fenced,
                record_counts_only_what_was_applied,
                lanes_keep_to_their_campaigns,
                record_goes_by_the_rules,
                record_counts_only_what_was_sent,
                record_and_an_end_agree,
                damaged_campaign_stands_alone,
                damaged_names_every_campaign,
                damaged_outcomes_stand_alone,
                lost_outcomes_stand_alone,
                damaged_list_stands_alone,
                record_is_seen_by_all,
            }
            deletions {
                ended_are_told_by_age,
                in_force_names_campaigns_at_any_shop,
                delete_goes_by_the_rules,
                damaged_campaign_is_not_deleted,
                deleted_campaign_is_gone,
                deletion_leaves_no_damage,
                requests_of_a_deleted_campaign_are_rejected,
                replies_to_a_deleted_campaign_are_dropped,
                delete_dry_run_changes_nothing,
            }
            reply_lanes {
                lease_has_one_holder,
                lease_passes_on,
                lease_of_a_wrong_clock_has_run_out,
                lease_renewed_stays,
                lease_of_a_new_lane_starts_at_its_end,
                lease_of_a_passing_log_starts_anew,
                lease_of_another_lasting_log_is_refused,
                surrendered_lease_is_fenced,
                lane_that_lost_its_end_goes_back,
                orphans_have_open_campaigns_and_no_lease,
            }
            repairs {
                damage_is_found,
                mended_outcomes_are_asked_for_again,
                counts_are_made_anew,
                mended_state_is_what_was_in_force,
                copied_request_proves_nothing,
                released_cause_is_not_mended,
                shop_of_an_unknown_list_is_left,
                mending_twice_does_nothing_more,
                dry_run_changes_nothing,
                what_cannot_be_mended_is_named,
                released_cause_stays_out,
                release_needs_no_campaign,
                release_of_a_damaged_campaign_holds,
                release_leaves_a_receipt,
                release_of_nothing_changes_nothing,
                release_of_an_orphan_is_refused,
                release_of_nothing_looks_ahead,
                release_beside_an_activation_is_done,
                release_beside_a_batch_loses_nothing,
            }
            restores {
                lanes_are_told_as_they_stand,
                left_logs_are_known,
                known_holds_revision_and_campaigns,
                restored_asks_open_shops_again,
                restored_leaves_damage_out,
                restored_gives_out_newer_revisions,
                restored_gives_no_revision_out_again,
                restored_lanes_may_be_claimed,
                restored_leaves_lost_lanes_out,
                restored_replies_are_not_read_again,
                restored_leaves_foreign_reply_lanes_out,
                restored_refuses_a_foreign_log,
                restored_waits_for_leases,
                restored_may_be_repeated,
                restored_dry_run_changes_nothing,
            }
            acceptances {
                lanes_are_told_as_they_stand,
                reply_lanes_are_told_as_they_stand,
                accepted_lane_goes_on_where_it_is_told,
                accepted_log_is_not_answered_from_old_receipts,
                accepted_lane_keeps_its_receipts,
                accept_of_a_lane_that_moved_is_refused,
                accept_makes_a_lost_row_anew,
                accept_replaces_an_epoch_without_a_next,
                accept_lets_late_shops_be_asked_in_time,
                accept_names_damaged_campaigns,
                accepted_reply_lane_begins_at_its_end,
                accept_of_a_reply_lane_that_moved_is_refused,
                campaigns_of_a_gone_reply_lane_go_to_others,
                accept_dry_run_changes_nothing,
            }
            moves {
                moved_shops_are_in_their_lanes,
                moved_campaigns_keep_their_outcomes,
                moved_campaign_goes_on,
                moved_lanes_begin_anew,
                left_log_is_refused,
                moved_reply_lanes_are_forgotten,
                move_within_the_number_keeps_receipts,
                move_needs_a_drained_database,
                move_of_damage_is_refused,
                move_may_be_repeated,
                what_was_opened_before_a_move_does_no_harm,
                move_dry_run_changes_nothing,
            }
            recovery {
                crash_before_a_commit_applies_once,
                crash_after_a_commit_answers_from_receipts,
                crash_after_replies_answers_the_same_again,
                lost_commit_answer_applies_once,
                pruned_receipts_are_not_missed,
                two_consumers_of_one_lane_apply_once,
                log_made_again_is_noticed,
                restored_database_is_noticed,
                bad_data_is_rejected_alone,
                foreign_records_move_the_lane,
                finished_consumer_leaves_nothing_to_answer,
            }
        }
    };
}

/// Expands to one test for each promise of the messaging ports.
///
/// `$fresh` names an `async fn() -> impl LogHarness` beside the call; else as [`store_suite!`].
#[macro_export]
macro_rules! log_suite {
    ($(#[$($attribute:tt)*])* $fresh:ident) => {
        $crate::suite! { [$(#[$($attribute)*])*] $fresh:
            request_channel {
                requests_keep_their_order,
                requests_are_read_as_sent,
                full_channel_waits,
                full_lane_holds_up_no_other,
            }
            request_log {
                reading_is_repeatable,
                reading_behind_the_end_is_empty,
                reading_beyond_the_end_is_refused,
                gone_records_are_not_missed,
                foreign_records_are_passed_over,
                last_before_names_the_record,
                committed_is_remembered,
            }
            reply_channel {
                replies_reach_their_address,
                replies_to_nowhere_are_dropped,
            }
            reply_log {
                reading_is_repeatable,
                reading_behind_the_end_is_empty,
                reading_beyond_the_end_is_refused,
                gone_records_are_not_missed,
                replies_are_read_as_sent,
                end_is_behind_the_newest,
            }
        }
    };
}

/// Expands to a module for each port and a test for each promise.
#[doc(hidden)]
#[macro_export]
macro_rules! suite {
    ($attributes:tt $fresh:ident: $($port:ident { $($promise:ident),* $(,)? })*) => {
        $(mod $port {
            $($crate::promise! { $attributes $fresh $port::$promise })*
        })*
    };
}

/// Expands to the test of one promise.
#[doc(hidden)]
#[macro_export]
macro_rules! promise {
    ([$($attributes:tt)*] $fresh:ident $port:ident::$promise:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $($attributes)*
        async fn $promise() {
            let harness = super::$fresh().await;
            $crate::in_time($crate::$port::$promise(&harness)).await;
        }
    };
}
