//! Lists shops with what decides the radius of each.

use catchment_domain::ports::ShopRepository;
use catchment_domain::{Damage, DecidedBy, Radius, Scope, Shop, ShopCursor};

use crate::UseCaseError;

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

/// Some shops of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ShopPage {
    /// The shops, in the order of lane and id.
    pub shops: Vec<ListedShop>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<ShopCursor>,
    /// The shops that cannot be read.
    pub damaged: Vec<Damage>,
}

/// Returns up to `limit` shops of a scope behind `after`.
///
/// # Errors
///
/// When the store fails.
pub async fn list_shops(
    shops: &dyn ShopRepository,
    scope: &Scope,
    (after, limit): (Option<&ShopCursor>, usize),
    floor: Radius,
) -> Result<ShopPage, UseCaseError> {
    let page = shops.list(scope, after, limit).await?;
    let last = page.found.last().filter(|_| page.found.len() == limit);
    let next = last.map(|shop| ShopCursor::behind(&shop.id, shops.lanes()));
    let found = page.found.into_iter().map(|shop| ListedShop::new(shop, floor));
    Ok(ShopPage { shops: found.collect(), next, damaged: page.damaged })
}
