//! Lists shops with what decides the radius of each.

use catchment_domain::ports::ShopRepository;
use catchment_domain::{DecidedBy, Radius, Scope, Shop, ShopCursor};

use crate::{Page, UseCaseError};

/// A shop, and what decides its radius.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedShop {
    /// The shop.
    pub shop: Shop,
    /// What decides its radius.
    pub decided_by: DecidedBy,
}

impl ListedShop {
    /// Resolves the shop. `floor` is the radius below which only a closing cause narrows it.
    #[must_use]
    pub fn new(shop: Shop, floor: Radius) -> Self {
        let decided_by = shop.state.resolution(floor).decided_by;
        Self { shop, decided_by }
    }
}

/// Returns up to `limit` shops of a scope behind `after`, in the order of lane and id.
///
/// # Errors
///
/// When the store fails.
pub async fn list_shops(
    shops: &dyn ShopRepository,
    scope: &Scope,
    (after, limit): (Option<&ShopCursor>, usize),
    floor: Radius,
) -> Result<Page<ListedShop, ShopCursor>, UseCaseError> {
    let page = shops.list(scope, after, limit).await?;
    let last = page.found.last().filter(|_| page.found.len() == limit);
    let next = last.map(|shop| ShopCursor::behind(&shop.id, shops.lanes()));
    let found = page.found.into_iter().map(|shop| ListedShop::new(shop, floor));
    Ok(Page { items: found.collect(), next, damaged: page.damaged })
}
