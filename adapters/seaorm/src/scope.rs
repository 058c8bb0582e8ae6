//! The shops of a scope. What the database is asked for is coarse: [`Scope::contains`] has
//! the last word.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec;

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, Lanes, Location, Profile, Scope, Shop, ShopCursor, ShopId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Deserialize;

use crate::codec::json;
use crate::entity::{shop, shop_state};
use crate::error::{Row, classify};
use crate::store::{SeaOrmStore, statement};

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
    Behind(Option<ShopCursor>),
    /// These, as far as they are there.
    Named(Peekable<vec::IntoIter<ShopCursor>>),
    Nothing,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(scope: &'a Scope, lanes: Lanes, after: Option<&ShopCursor>) -> Self {
        let rest = match &scope.ids {
            None => Rest::Behind(after.cloned()),
            Some(ids) => {
                let named = ids.iter().map(|id| ShopCursor::behind(id, lanes));
                let mut named: Vec<_> = named.filter(|named| Some(named) > after).collect();
                named.sort_unstable();
                Rest::Named(named.into_iter().peekable())
            }
        };
        Self { scope, rest }
    }

    /// The next page, filtered by the scope; `None` behind the last.
    pub(crate) async fn next(
        &mut self,
        store: &SeaOrmStore,
        wanted: usize,
    ) -> Result<Option<Vec<Shop>>, StoreError> {
        // Where the scope has the last word, a small page would hold next to nothing.
        let page = Ord::min(u64::try_from(wanted).unwrap_or(PAGE), PAGE);
        let page = if self.scope.within.is_some() { PAGE } else { page };
        let rest = match &mut self.rest {
            Rest::Nothing => return Ok(None),
            Rest::Behind(after) => after.as_ref().map_or_else(Condition::all, behind),
            Rest::Named(named) => match next_names(named) {
                Some(condition) => condition,
                None => return Ok(None),
            },
        };
        let models = shop::Entity::find()
            .find_also_related(shop_state::Entity)
            .filter(coarse(self.scope).add(rest))
            .order_by_asc(shop::Column::Lane)
            .order_by_asc(shop::Column::Id)
            .limit(if matches!(self.rest, Rest::Named(_)) { PAGE } else { page })
            .all(&store.readers)
            .await
            .map_err(classify)?;
        if let Rest::Behind(_) = self.rest {
            let is_last = (models.len() as u64) < page;
            let last = models.last().filter(|_| !is_last).map(|(last, _)| last);
            self.rest = match last {
                Some(last) => Rest::Behind(Some(cursor(last)?)),
                None => Rest::Nothing,
            };
        }
        let mut shops = models.into_iter().map(shop::shop).collect::<Result<Vec<_>, _>>()?;
        shops.retain(|shop| self.scope.contains(&shop.id, &shop.profile));
        Ok(Some(shops))
    }
}

fn cursor(model: &shop::Model) -> Result<ShopCursor, StoreError> {
    let row = Row { table: "shop", key: &format_args!("shop `{}`", model.id) };
    let lane = Lane(row.number("lane", model.lane.into())?);
    Ok(ShopCursor { lane, id: row.text("id", &model.id)? })
}

/// As one comparison of two columns, which the key finds at once; two joined by OR would go
/// through the lane from its start for each page.
fn behind(after: &ShopCursor) -> Condition {
    let last = [Expr::val(i32::from(after.lane.0)), Expr::val(after.id.as_str())];
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

/// A scanned row: lane, id, category, region, latitude, longitude.
#[derive(Deserialize)]
struct ScannedRow(u16, String, String, String, f64, f64);

impl SeaOrmStore {
    /// Shows each shop of a scope, in the order of lane and id.
    pub(crate) async fn scan(
        &self,
        scope: &Scope,
        mut show: impl FnMut(Lane, ShopId) + Send,
    ) -> Result<(), StoreError> {
        if *scope == Scope::everything() {
            return self.scan_everything(show).await;
        }
        let texts = |texts: &BTreeSet<String>| {
            (!texts.is_empty()).then(|| json::texts(texts.iter().map(String::as_str)))
        };
        let [south, north, west, east] =
            scope.within.map_or([-90.0, 90.0, -180.0, 180.0], |circle| circle.bounds());
        let (mut lane, mut last) = (0_u16, String::new());
        loop {
            let values = [
                i32::from(lane).into(),
                last.as_str().into(),
                texts(&scope.regions).into(),
                texts(&scope.categories).into(),
                south.into(),
                north.into(),
                west.into(),
                east.into(),
            ];
            let query = statement(&self.readers, self.dialect.scan_shops, values);
            let row = self.readers.query_one_raw(query).await.map_err(classify)?;
            let json: Option<String> =
                row.map(|row| row.try_get_by_index(0)).transpose().map_err(classify)?;
            let table = Row { table: "shop", key: &format_args!("the shops behind `{last}`") };
            let rows: Vec<ScannedRow> = table.value(
                "lane .. longitude",
                serde_json::from_str(json.as_deref().unwrap_or("[]")),
            )?;
            let Some(ScannedRow(last_lane, last_id, ..)) = rows.last() else { return Ok(()) };
            (lane, last) = (*last_lane, last_id.clone());
            for row in rows {
                show_if_in_scope(scope, row, &mut show)?;
            }
        }
    }
}

impl SeaOrmStore {
    /// Shows each shop there is. Nothing has to be looked at but its id.
    async fn scan_everything(
        &self,
        mut show: impl FnMut(Lane, ShopId) + Send,
    ) -> Result<(), StoreError> {
        for lane in self.settings.lanes.iter() {
            let mut last = String::new();
            loop {
                let values = [i32::from(lane.0).into(), last.as_str().into()];
                let query = statement(&self.readers, self.dialect.scan_ids, values);
                let row = self.readers.query_one_raw(query).await.map_err(classify)?;
                let lines: Option<Option<String>> =
                    row.map(|row| row.try_get_by_index(0)).transpose().map_err(classify)?;
                // No shops are no lines.
                let Some(lines) = lines.flatten() else { break };
                let table = Row { table: "shop", key: &format_args!("the shops behind `{last}`") };
                for id in lines.lines() {
                    show(lane, table.text("id", id)?);
                }
                lines.lines().next_back().unwrap_or_default().clone_into(&mut last);
            }
        }
        Ok(())
    }
}

fn show_if_in_scope(
    scope: &Scope,
    scanned: ScannedRow,
    show: &mut impl FnMut(Lane, ShopId),
) -> Result<(), StoreError> {
    let ScannedRow(lane, id, category, region, latitude, longitude) = scanned;
    let row = Row { table: "shop", key: &format_args!("shop `{id}`") };
    let location = row.value("latitude", Location::new(latitude, longitude))?;
    // A scope does not look at names.
    let profile = Profile { name: String::new(), category, region, location };
    let id: ShopId = row.text("id", &id)?;
    if scope.contains(&id, &profile) {
        show(Lane(lane), id);
    }
    Ok(())
}
