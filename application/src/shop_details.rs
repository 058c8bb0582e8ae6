//! Shows one shop: what wants to limit it, what decides, and why.

use std::cmp::{Ordering, Reverse};

use catchment_domain::ports::{CampaignRepository, ShopRepository};
use catchment_domain::{ActiveCause, Campaign, DecidedBy, Origin, Radius, Resolution, ShopId};

use crate::list_shops::ListedShop;
use crate::{NotFound, UseCaseError};

/// A shop with its causes.
#[derive(Clone, Debug, PartialEq)]
pub struct ShopDetails {
    /// The shop, and what decides its radius.
    pub listed: ListedShop,
    /// The causes in force, the deciding one first.
    pub causes: Vec<CauseDetails>,
    /// Why the shop does not have the radius that the deciding cause asks for.
    pub bound: Option<Bound>,
}

/// A cause in force at a shop.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseDetails {
    /// The cause.
    pub cause: ActiveCause,
    /// The radius that the cause asks for at this shop.
    pub asks_for: Radius,
    /// Whether the cause decides the radius.
    pub decides: bool,
    /// The campaign of the cause, if it has one that is stored.
    pub campaign: Option<Campaign>,
}

/// What keeps a shop from the radius that a cause asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A shop is never wider than its base radius.
    Base,
    /// Only a closing cause narrows a shop below the floor.
    Floor,
}

impl ShopDetails {
    /// Returns the cause that decides the radius; `None` if nothing limits the shop.
    #[must_use]
    pub fn deciding(&self) -> Option<&CauseDetails> {
        self.causes.iter().find(|cause| cause.decides)
    }
}

/// Returns a shop with the causes in force there, and their campaigns.
///
/// # Errors
///
/// When there is no such shop, or the shop or one of its campaigns cannot be read.
pub async fn shop_details(
    (shops, campaigns): (&dyn ShopRepository, &dyn CampaignRepository),
    id: &ShopId,
    floor: Radius,
) -> Result<ShopDetails, UseCaseError> {
    let shop = shops.get(id).await?.ok_or_else(|| NotFound::new("such shop"))?;
    let Resolution { radius, decided_by } = shop.state.resolution(floor);
    let mut causes = Vec::with_capacity(shop.state.active.len());
    for &cause in &shop.state.active {
        let campaign = match cause.origin {
            Origin::Campaign(revision) => campaigns.get(revision).await?,
            Origin::Request => None,
        };
        let asks_for = cause.limit.of(shop.state.base.radius);
        let decides = DecidedBy::cause(&cause) == decided_by;
        causes.push(CauseDetails { cause, asks_for, decides, campaign });
    }
    causes.sort_by_key(|known| (Reverse(known.cause.rank), known.asks_for));
    let deciding = causes.iter().find(|known| known.decides);
    let bound = deciding.and_then(|known| bound(radius, known.asks_for));
    Ok(ShopDetails { listed: ListedShop { shop, decided_by }, causes, bound })
}

fn bound(radius: Radius, asked: Radius) -> Option<Bound> {
    match radius.cmp(&asked) {
        Ordering::Less => Some(Bound::Base),
        Ordering::Equal => None,
        Ordering::Greater => Some(Bound::Floor),
    }
}
