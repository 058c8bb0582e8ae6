use async_trait::async_trait;

use crate::acceptance::{AcceptTerms, Accepted};
use crate::lane::Lane;
use crate::mismatch::{StoredLane, StoredReplyLane};
use crate::ports::StoreError;

/// How the lanes stand, to be compared with their logs, and taking lanes as they are.
///
/// # Promises
///
/// - `lanes_are_told_as_they_stand`: every request lane, in order, also one whose row is gone.
/// - `reply_lanes_are_told_as_they_stand`: every reply lane that has a row, or that an unfinished
///   campaign names, in order.
/// - `accepted_lane_goes_on_where_it_is_told`: behind the record that it is told, with an epoch above
///   all that were known, so that its owner is fenced, and the next claim is not refused.
/// - `accepted_log_is_not_answered_from_old_receipts`: where positions may come again, receipts of
///   before answer nothing, and are still shown.
/// - `accepted_lane_keeps_its_receipts`: where the lane goes on in the same log.
/// - `accept_of_a_lane_that_moved_is_refused`: it may work again.
/// - `accept_makes_a_lost_row_anew`: above its receipts, and with a mark that no lane's is above.
/// - `accept_replaces_an_epoch_without_a_next`: its row cannot be read, and no lane takes it over.
/// - `accept_lets_late_shops_be_asked_in_time`: as [`ask_in_time`](crate::ask_in_time) says, in the
///   request lanes and on the reply lanes.
/// - `accept_names_damaged_campaigns`: with open shops there, and leaves them as they are.
/// - `accepted_reply_lane_begins_at_its_end`: and whoever held it is fenced.
/// - `accept_of_a_reply_lane_that_moved_is_refused`: it may work again.
/// - `campaigns_of_a_gone_reply_lane_go_to_others`: and the lane is forgotten.
/// - `accept_dry_run_changes_nothing`: and says the same.
#[async_trait]
pub trait Acceptances: Send + Sync + 'static {
    /// How each request lane stands.
    async fn request_lanes(&self) -> Result<Vec<(Lane, StoredLane)>, StoreError>;

    /// How each reply lane stands.
    async fn reply_lanes(&self) -> Result<Vec<StoredReplyLane>, StoreError>;

    /// Takes lanes as they are, in one transaction.
    async fn accept(&self, terms: &AcceptTerms) -> Result<Accepted, StoreError>;
}
