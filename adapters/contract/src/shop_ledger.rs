//! The promises of [`ShopLedger`](catchment_domain::ports::ShopLedger).

mod answering;
mod applying;
mod owning;

use catchment_domain::Lane;

pub use answering::{
    receipts_are_pruned, receipts_outlast_a_claim, receipts_rebuild_replies,
    replied_never_passes_applied, replied_only_rises, unreadable_receipt_stands_alone,
    visit_shows_every_receipt,
};
pub use applying::{
    apply_accepts_gaps, apply_from_elsewhere_is_fenced, apply_is_atomic, apply_is_seen_by_all,
    apply_judges_by_what_is_stored, apply_keeps_what_was_decided, apply_repeated_is_fenced,
    bad_data_is_named, campaign_terms_are_loaded, damaged_campaign_rejects_its_own_requests,
    newest_revision_is_loaded, orphan_is_no_unknown_shop, unknown_campaigns_are_not_loaded,
};
pub use owning::{
    apply_sees_the_batch_before_it, claim_fences_older_owners, claim_has_one_winner,
    claim_of_an_older_database_is_refused, expired_mark_only_rises, lanes_are_independent,
    lasting_log_is_remembered, passing_log_starts_anew,
};

/// The lane that most promises are played in.
const LANE: Lane = Lane(0);
