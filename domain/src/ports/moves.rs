use async_trait::async_trait;

use crate::moving::{MoveTerms, Moved};
use crate::ports::StoreError;

/// Moving the database away from its logs, and to another number of lanes.
///
/// # Promises
///
/// - `moved_shops_are_in_their_lanes`: with everything that is in force at them, also those that
///   cannot be read.
/// - `moved_campaigns_keep_their_outcomes`: their lists are divided as
///   [`relane`](crate::relane) says, also those of campaigns that have ended.
/// - `moved_campaign_goes_on`: it is answered by any reply lane, and its end releases every shop.
/// - `moved_lanes_begin_anew`: each is claimed at position 0 of any log that the database has not
///   left, by an owner above all of before; and it treats as passed what any lane did, and what has
///   passed by now.
/// - `left_log_is_refused`: each log that the database ever left, also after another move. It can be
///   accepted.
/// - `moved_reply_lanes_are_forgotten`: the next holder begins at the end that it names.
/// - `move_within_the_number_keeps_receipts`: with as many lanes as before, audits still read them.
/// - `move_needs_a_drained_database`: while a campaign has open shops, a lease is in force, or a lane
///   differs from what was found drained, it is [`StoreError::Refused`].
/// - `move_of_damage_is_refused`: of a campaign that cannot be divided.
/// - `move_may_be_repeated`: once more does no harm.
/// - `what_was_opened_before_a_move_does_no_harm`: it writes into no lane by the old number.
/// - `move_dry_run_changes_nothing`: and says the same.
#[async_trait]
pub trait Moves: Send + Sync + 'static {
    /// Moves the database, in one transaction. If the number of lanes has changed, every process
    /// must open the database anew.
    async fn move_away(&self, terms: &MoveTerms) -> Result<Moved, StoreError>;
}
