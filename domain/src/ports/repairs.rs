use async_trait::async_trait;

use crate::damage::Damage;
use crate::ports::StoreError;
use crate::release::{ReleaseResult, ReleaseTerms};
use crate::repair::{Repair, RepairTerms};
use crate::revision::Revision;
use crate::shop::ShopId;

/// Finds and mends damage, and releases causes by command. All of it works beside running
/// services.
///
/// # Promises
///
/// - `damage_is_found`: each damaged item once, in order, and each half of a shop or chunk whose
///   other half is not there. `find` does not read the receipts of batches.
/// - `mended_outcomes_are_asked_for_again`: lost outcomes of a chunk are open as
///   [`rebuild_chunk`](crate::rebuild_chunk) says, its campaign is counted again, and finishes.
/// - `counts_are_made_anew`: a campaign whose counts do not fit its chunks is found and counted
///   again. What is open is then sent.
/// - `mended_state_is_what_was_in_force`: a shop is what
///   [`rebuild_state`](crate::rebuild_state) says, with a receipt like that of an import.
/// - `copied_request_proves_nothing`: a receipt counts only for the shop that it names, even if
///   another shop has that place in the campaign's list.
/// - `released_cause_is_not_mended`: a repair does not bring back a cause that a command released,
///   as long as all receipts of batches since then are kept.
/// - `shop_of_an_unknown_list_is_left`: if the shops of a campaign in a lane are not all known, no
///   shop of that lane is mended ([`is_lane_listed`](crate::is_lane_listed),
///   [`may_have_left_a_cause`](crate::may_have_left_a_cause)). Shops of other lanes are mended.
/// - `mending_twice_does_nothing_more`: what can be read is left as it is.
/// - `dry_run_changes_nothing`: and says the same.
/// - `what_cannot_be_mended_is_named`: a campaign, the shops of a chunk, and what a shop is.
/// - `released_cause_stays_out`: [`release_cause`](crate::release_cause) says how a cause ends.
///   After that, neither late activations nor the campaign's own release change the shop.
/// - `release_needs_no_campaign`: a cause can be released even if its campaign does not exist. This
///   leaves no released cause, so a later campaign of that number begins as usual.
/// - `release_of_a_damaged_campaign_holds`: the cause stays released, even after the campaign's row
///   can be read again.
/// - `release_leaves_a_receipt`: the receipt is like that of an import, and names the cause.
/// - `release_of_nothing_changes_nothing`: if the cause is not in force, or the shop does not
///   exist, nothing changes and no receipt is stored.
/// - `release_of_an_orphan_is_refused`: if a shop has a profile and no state, it is bad data, and
///   not an unknown shop.
/// - `release_of_nothing_looks_ahead`: [`release_by_command`](crate::service::release_by_command)
///   says whether the campaign may still ask for the cause there, and whether that can be read.
/// - `release_beside_an_activation_is_done`: the release succeeds even if the activation takes
///   effect, and its outcome is recorded, while the command looks ahead.
/// - `release_beside_a_batch_loses_nothing`: releases run at the same time and over the same shops
///   as the batches of the lane's owner. The result is as if they had run one after the other.
#[async_trait]
pub trait Repairs: Send + Sync + 'static {
    /// Everything that is damaged. What is changed meanwhile may be named, too.
    async fn find(&self) -> Result<Vec<Damage>, StoreError>;

    /// Mends the outcomes of chunks of a campaign.
    async fn mend_outcomes(
        &self,
        campaign: Revision,
        chunks: &[u32],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError>;

    /// Counts a campaign anew.
    async fn mend_counts(
        &self,
        campaign: Revision,
        terms: &RepairTerms,
    ) -> Result<Repair, StoreError>;

    /// Mends what is in force at shops, a part of a lane at a time. Returns the result of each
    /// shop, in the order of `shops`.
    async fn mend_states(
        &self,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError>;

    /// Releases a cause at a shop, and reads the campaign of the cause in the same transaction.
    async fn release(
        &self,
        shop: &ShopId,
        terms: ReleaseTerms,
    ) -> Result<ReleaseResult, StoreError>;
}
