//! The campaigns of a batch.

use catchment_domain::{CampaignRef, Found, LoadedCampaign, StoredItem};

use crate::entity::campaign::Terms;

/// Returns the wanted campaigns that exist: revision and id must both match. A campaign that cannot
/// be read counts as existing, so only its own requests are rejected.
pub(super) fn loaded(wanted: Vec<CampaignRef>, read: &Found<Vec<Terms>>) -> Vec<LoadedCampaign> {
    let load = |name: CampaignRef| {
        let item = StoredItem::Campaign(name.revision);
        if let Some(damage) = read.damaged.iter().find(|damage| damage.item == item) {
            return Some(LoadedCampaign { name, terms: Err(damage.what.as_str().into()) });
        }
        read.found.iter().find_map(|terms| terms.loaded(name))
    };
    wanted.into_iter().filter_map(load).collect()
}
