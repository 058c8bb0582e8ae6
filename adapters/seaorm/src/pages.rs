//! The shops of a scope, page by page. What the database is asked for is coarse:
//! [`Scope::contains`] has the last word.

use std::iter::Peekable;
use std::vec;

use catchment_domain::ports::StoreError;
use catchment_domain::{Damage, Lanes, Profile, Scope, Shop, ShopCursor, ShopId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::entity::shop;
use crate::error::classify;
use crate::store::SeaOrmStore;

/// How many rows are read at once.
const PAGE: u64 = 2_000;

/// Pages of shops that may be in a scope, in the order of lane and id.
pub(crate) struct Pages<'a> {
    scope: &'a Scope,
    rest: Rest,
}

/// What was not read yet.
enum Rest {
    /// Everything behind a shop.
    Behind(Option<(i32, String)>),
    /// These, as far as they are there.
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

    /// The next page, filtered by the scope, with what is damaged of it and may be in the scope;
    /// `None` behind the last.
    pub(crate) async fn next(
        &mut self,
        store: &SeaOrmStore,
        wanted: usize,
    ) -> Result<Option<Vec<Result<Shop, Damage>>>, StoreError> {
        let (rest, page) = match &mut self.rest {
            Rest::Nothing => return Ok(None),
            Rest::Behind(after) => {
                let page = page_size(self.scope, wanted);
                (after.as_ref().map_or_else(Condition::all, behind), page)
            }
            Rest::Named(named) => match next_names(named) {
                Some(condition) => (condition, PAGE),
                None => return Ok(None),
            },
        };
        let query = shop::with_states()
            .filter(coarse(self.scope).add(rest))
            .order_by_asc(shop::Column::Lane)
            .order_by_asc(shop::Column::Id)
            .limit(page)
            .build(store.readers.get_database_backend());
        let rows = store.readers.query_all_raw(query).await.map_err(classify)?;
        if let Rest::Behind(_) = &self.rest {
            let is_full = rows.len() as u64 == page;
            self.rest = match rows.last().filter(|_| is_full) {
                Some(last) => Rest::Behind(Some(shop::key(last)?)),
                None => Rest::Nothing,
            };
        }
        let is_wanted = |id: &ShopId, profile: &Profile| self.scope.contains(id, profile);
        let shops = rows.iter().map(|row| shop::read(row, is_wanted));
        shops.filter_map(Result::transpose).collect::<Result<_, _>>().map(Some)
    }
}

/// How many rows to ask for. Where the scope has the last word, a small page would hold next
/// to nothing.
fn page_size(scope: &Scope, wanted: usize) -> u64 {
    match u64::try_from(wanted) {
        Ok(wanted) if wanted < PAGE && scope.within.is_none() => wanted,
        _ => PAGE,
    }
}

/// As one comparison of two columns, which the key finds at once; two joined by OR would go
/// through the lane from its start for each page.
fn behind((lane, id): &(i32, String)) -> Condition {
    let last = [Expr::val(*lane), Expr::val(id.as_str())];
    let key =
        [shop::Column::Lane, shop::Column::Id].map(|column| Expr::col((shop::Entity, column)));
    Condition::all().add(Expr::tuple(key).gt(Expr::tuple(last)))
}

/// A page of named shops of one lane.
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

/// What the database can tell.
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
