//! Reads the shops of a scope page by page. The query is coarse, and [`Scope::contains`] decides.

use std::iter::Peekable;
use std::vec;

use catchment_domain::ports::StoreError;
use catchment_domain::{Damage, Lanes, Profile, Scope, Shop, ShopCursor, ShopId};
use sea_orm::sea_query::{Expr, ExprTrait, IntoColumnRef};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::entity::shop;
use crate::error::classify;
use crate::store::SeaOrmStore;

/// How many rows are read at a time.
const PAGE: u64 = 2_000;

/// Pages of shops that may be in a scope, in the order of lane and id.
pub(crate) struct Pages<'a> {
    scope: &'a Scope,
    rest: Rest,
}

/// The shops that have not been read yet.
enum Rest {
    /// All shops behind this one, or all shops if it is `None`.
    Behind(Option<(i32, String)>),
    /// The named shops, as far as they exist.
    Named(Peekable<vec::IntoIter<ShopCursor>>),
    Nothing,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(scope: &'a Scope, lanes: Lanes, after: Option<&ShopCursor>) -> Self {
        let rest = match &scope.ids {
            None => Rest::Behind(
                after.map(|after| (i32::from(after.lane.0), after.id.as_str().to_owned())),
            ),
            Some(ids) => {
                let named = ids.iter().map(|id| ShopCursor::behind(id, lanes));
                let mut named: Vec<_> = named.filter(|named| Some(named) > after).collect();
                named.sort_unstable();
                Rest::Named(named.into_iter().peekable())
            }
        };
        Self { scope, rest }
    }

    /// Reads the next page, filtered by the scope. Damaged shops that may be in the scope are
    /// included. Returns `None` when there are no more pages.
    pub(crate) async fn next(
        &mut self,
        store: &SeaOrmStore,
        wanted: usize,
    ) -> Result<Option<Vec<Result<Shop, Damage>>>, StoreError> {
        let (query, page) = match &mut self.rest {
            Rest::Nothing => return Ok(None),
            Rest::Behind(after) => {
                let page = page_size(self.scope, wanted);
                (shop::with_states_behind(after.as_ref()), page)
            }
            Rest::Named(named) => match next_names(named) {
                Some(condition) => (shop::with_states().filter(condition), PAGE),
                None => return Ok(None),
            },
        };
        let query = query
            .filter(coarse(self.scope))
            .order_by_asc(shop::Column::Lane)
            .order_by_asc(shop::Column::Id)
            .limit(page)
            .build(store.readers.get_database_backend());
        let rows = store.readers.query_all_raw(query).await.map_err(classify)?;
        // With another number of lanes, the shops behind the last one are others.
        store.check_lanes(&store.readers, None).await?;
        if let Rest::Behind(_) = &self.rest {
            let is_full = rows.len() as u64 == page;
            self.rest = match rows.last().filter(|_| is_full) {
                Some(last) => Rest::Behind(Some(shop::key(last)?)),
                None => Rest::Nothing,
            };
        }
        let is_wanted = |id: &ShopId, profile: &Profile| self.scope.contains(id, profile);
        let shops = rows.iter().map(|row| shop::read(row, store.lanes(), is_wanted));
        shops.filter_map(Result::transpose).collect::<Result<_, _>>().map(Some)
    }
}

/// Returns the condition for rows behind the one with these values of a key. It compares all columns
/// at once, which the key finds directly. Single comparisons joined by OR would scan the key from
/// its start for each page.
pub(crate) fn behind<const N: usize>(key: [impl IntoColumnRef; N], last: [Expr; N]) -> Expr {
    Expr::tuple(key.map(Expr::col)).gt(Expr::tuple(last))
}

/// Returns how many rows to read. If the scope filters by distance, a small page would hold next to
/// nothing.
fn page_size(scope: &Scope, wanted: usize) -> u64 {
    match u64::try_from(wanted) {
        Ok(wanted) if wanted < PAGE && scope.within.is_none() => wanted,
        _ => PAGE,
    }
}

/// Returns the condition for the next page of named shops, all of one lane.
fn next_names(named: &mut Peekable<vec::IntoIter<ShopCursor>>) -> Option<Condition> {
    let lane = named.peek()?.lane;
    let mut ids = Vec::new();
    while (ids.len() as u64) < PAGE
        && let Some(next) = named.next_if(|next| next.lane == lane)
    {
        ids.push(next.id.as_str().to_owned());
    }
    let of_lane = shop::Column::Lane.eq(i32::from(lane.0));
    Some(Condition::all().add(of_lane).add(shop::Column::Id.is_in(ids)))
}

/// Returns the part of a scope that the database can check.
fn coarse(scope: &Scope) -> Condition {
    let mut condition = Condition::all();
    if !scope.regions.is_empty() {
        condition = condition.add(shop::Column::Region.is_in(&scope.regions));
    }
    if !scope.categories.is_empty() {
        condition = condition.add(shop::Column::Category.is_in(&scope.categories));
    }
    if let Some(circle) = scope.within {
        let [south, north, west, east] = circle.bounds();
        condition = condition
            .add(shop::Column::Latitude.between(south, north))
            .add(shop::Column::Longitude.between(west, east));
    }
    condition
}
