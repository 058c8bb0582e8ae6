use async_trait::async_trait;

use crate::damage::Damage;
use crate::ports::StoreError;
use crate::release::{ReleaseResult, ReleaseTerms};
use crate::repair::{Repair, RepairTerms};
use crate::revision::Revision;
use crate::shop::ShopId;

/// What is damaged, and mending it; and releasing what does not belong where it is in force.
/// Everything may be done beside running services.
///
/// # Promises
///
/// - `damage_is_found`: each damaged item once, in order, and each half of a shop or chunk whose
///   other half is not there. Receipts of batches are not looked at.
/// - `mended_outcomes_are_asked_for_again`: lost outcomes of a chunk are open as
///   [`rebuild_chunk`](crate::rebuild_chunk) says, its campaign is counted again, and finishes.
/// - `counts_are_made_anew`: a campaign whose counts do not fit its chunks is found and counted
///   again. What is open is then sent.
/// - `mended_state_is_what_was_in_force`: a shop is what
///   [`rebuild_state`](crate::rebuild_state) says, with a receipt like that of an import.
/// - `copied_request_proves_nothing`: a receipt counts for the shop that it names, and for no other
///   that stands at the same place of a campaign's list.
/// - `released_cause_is_not_mended`: what a command released stays released, as long as all receipts
///   of batches since then are kept.
/// - `shop_of_an_unknown_list_is_left`: if the shops of a campaign in a lane are not all known, no
///   shop of that lane is mended ([`is_lane_listed`](crate::is_lane_listed),
///   [`may_have_left_a_cause`](crate::may_have_left_a_cause)). Shops of other lanes are mended.
/// - `mending_twice_does_nothing_more`: what can be read is left as it is.
/// - `dry_run_changes_nothing`: and says the same.
/// - `what_cannot_be_mended_is_named`: a campaign, the shops of a chunk, and what a shop is.
/// - `released_cause_stays_out`: it goes as [`release_cause`](crate::release_cause) says, and
///   neither late activations nor the campaign's own release change the shop after that.
/// - `release_needs_no_campaign`: a cause goes whose campaign is not there. It leaves no released
///   cause, so a later campaign of that number begins as ever.
/// - `release_of_a_damaged_campaign_holds`: also once its row can be read again.
/// - `release_leaves_a_receipt`: like that of an import, which names the cause.
/// - `release_of_nothing_changes_nothing`: where no such cause is in force, and where there is no
///   such shop. There is no receipt.
/// - `release_of_an_orphan_is_refused`: a shop of which nothing is stored but what it is, is bad
///   data, and no unknown shop.
/// - `release_of_nothing_looks_ahead`: [`release_by_command`](crate::service::release_by_command)
///   says whether the campaign may still ask for the cause there, and whether that can be read.
/// - `release_beside_an_activation_is_done`: also if the activation takes effect, and its outcome is
///   recorded, while the command looks ahead.
/// - `release_beside_a_batch_loses_nothing`: releases and the batches of a lane's owner, all over
///   the same shops at once, end as if they had run one after the other.
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

    /// Releases a cause at a shop. The campaign of the cause is read in the same transaction.
    async fn release(
        &self,
        shop: &ShopId,
        terms: ReleaseTerms,
    ) -> Result<ReleaseResult, StoreError>;
}
