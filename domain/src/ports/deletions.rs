use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::damage::Found;
use crate::ports::{CommandError, StoreError};
use crate::revision::Revision;

/// Deletes campaigns that ended. Works beside running services.
///
/// # Promises
///
/// - `ended_are_told_by_age`: exactly the campaigns that ended so long ago, the oldest first. One
///   whose releases are retried is none of them until it has ended again.
/// - `in_force_names_campaigns_at_any_shop`: exactly the campaigns that have an active cause at a
///   shop. A shop whose causes cannot be read is named as damage.
/// - `delete_goes_by_the_rules`: [`Campaign::check_deletable`](crate::Campaign::check_deletable)
///   says which campaigns can be deleted, and no campaign can that took the place of a stored one.
///   What is refused changes nothing.
/// - `damaged_campaign_is_not_deleted`: one that cannot be read is told among those that ended, also
///   where its state is none that there is, and is refused as [`StoreError::BadData`]. Others are deleted.
/// - `deleted_campaign_is_gone`: with its list and its outcomes, at once for every reader. Other
///   campaigns stay as they are.
/// - `deletion_leaves_no_damage`: a reader finds none at any moment of it, also if several processes
///   clear away at once what the campaign left.
/// - `requests_of_a_deleted_campaign_are_rejected`: they take no effect, whether or not the shop
///   still has the released cause.
/// - `replies_to_a_deleted_campaign_are_dropped`: and the reply lane moves on behind them.
/// - `delete_dry_run_changes_nothing`: and refuses the same.
#[async_trait]
pub trait Deletions: Send + Sync + 'static {
    /// The campaigns that ended at least so long ago, by the database's clock.
    async fn ended(&self, ago: Duration) -> Result<Vec<Revision>, StoreError>;

    /// The campaigns that limit a shop.
    async fn in_force(&self) -> Result<Found<BTreeSet<Revision>>, StoreError>;

    /// Deletes a campaign. Its list and its outcomes may stay in the store, where nobody sees them,
    /// until [`clear`](Self::clear) removes them. The caller makes sure that the campaign is in
    /// force nowhere.
    async fn delete(&self, campaign: Revision, dry_run: bool) -> Result<(), CommandError>;

    /// Clears away a bounded part of what deleted campaigns left. Returns whether there may be
    /// more.
    async fn clear(&self) -> Result<bool, StoreError>;
}
