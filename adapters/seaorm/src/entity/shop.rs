//! The profiles of shops. Their states are in [`super::shop_state`].

use std::fmt::Display;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Damage, Lane, Lanes, Location, Profile, Shop, ShopId, ShopImport, StoredItem,
};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, Condition, JoinType, QueryResult, QuerySelect as _, SelectTwo};

use super::shop_state;
use crate::damaged::{ItemOf, read_part};
use crate::error::{Row, classify};
use crate::pages::behind;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "shop")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) lane: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) region: String,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::shop_state::Entity",
        from = "(Column::Lane, Column::Id)",
        to = "(super::shop_state::Column::Lane, super::shop_state::Column::Id)"
    )]
    State,
}

impl Related<shop_state::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::State.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The error for a shop that has a profile, but no state.
pub(crate) fn no_state(id: &str) -> StoreError {
    Row { table: "shop", key: &format_args!("shop `{id}`") }.bad("id", "no row in shop_state")
}

/// The prefixes of the columns of both tables in a joined row.
const SHOP: &str = "A_";
const STATE: &str = "B_";

/// Selects shops, each with its state: rows for [`read`].
pub(crate) fn with_states() -> SelectTwo<Entity, shop_state::Entity> {
    Entity::find().find_also_related(shop_state::Entity)
}

/// Selects the shops behind a shop, or all shops, each with its state.
///
/// The keys of states are compared with the last shop, too. Otherwise `PostgreSQL` merges both
/// tables, and reads the states of all shops up to the last one again for each page.
pub(crate) fn with_states_behind(
    last: Option<&(i32, String)>,
) -> SelectTwo<Entity, shop_state::Entity> {
    let Some((lane, id)) = last else { return with_states() };
    let last = [Expr::val(*lane), Expr::val(id.as_str())];
    let shops = behind([(Entity, Column::Lane), (Entity, Column::Id)], last.clone());
    let states = move |_, _| {
        let (lane, id) = (shop_state::Column::Lane, shop_state::Column::Id);
        let key = [(shop_state::Entity, lane), (shop_state::Entity, id)];
        Condition::all().add(behind(key, last.clone()))
    };
    Entity::find()
        .join(JoinType::LeftJoin, Relation::State.def().on_condition(states))
        .select_also(shop_state::Entity)
        .filter(shops)
}

/// Returns lane and id of the shop in a joined row.
pub(crate) fn key(row: &QueryResult) -> Result<(i32, String), StoreError> {
    let lane = row.try_get(SHOP, "lane").map_err(classify)?;
    Ok((lane, row.try_get(SHOP, "id").map_err(classify)?))
}

/// Reads a shop with its state. Returns `None` if the shop is not wanted. A shop whose profile
/// cannot be read is always returned as damage.
pub(crate) fn read(
    row: &QueryResult,
    lanes: Lanes,
    is_wanted: impl Fn(&ShopId, &Profile) -> bool,
) -> Result<Option<Result<Shop, Damage>>, StoreError> {
    let profile_of: ItemOf = |row| key(row).map(|(_, id)| StoredItem::Profile(id));
    let state_of: ItemOf = |row| key(row).map(|(_, id)| StoredItem::State(id));
    let (id, profile) = match read_part(row, SHOP, profile_of, profile)? {
        Ok(profile) => profile,
        Err(damage) => return Ok(Some(Err(damage))),
    };
    if !is_wanted(&id, &profile) {
        return Ok(None);
    }
    let (lane, _) = key(row)?;
    if let Some(damage) = misplaced(&id, (lane, lanes.lane_of(&id).0.into())) {
        return Ok(Some(Err(damage)));
    }
    let state_lane: Option<i32> = row.try_get(STATE, "lane").map_err(classify)?;
    let state = match state_lane {
        None => Err(no_state(id.as_str())),
        Some(_) => {
            Ok(read_part(row, STATE, state_of, |model: shop_state::Model| model.try_into())?)
        }
    };
    match state {
        Err(StoreError::BadData { what }) => Ok(Some(Err(Damage { item: state_of(row)?, what }))),
        state => Ok(Some(state?.map(|state| Shop { id, profile, state }))),
    }
}

/// Returns the damage if a row of a shop stands in another lane than the shop.
pub(crate) fn misplaced<L: Display + PartialEq>(
    id: &ShopId,
    (found, own): (L, L),
) -> Option<Damage> {
    (found != own).then(|| {
        let what = format!(
            "shop `{id}`: a row stands in lane {found}, and the shop belongs to lane {own}: delete \
             that row"
        );
        Damage { item: StoredItem::Profile(id.as_str().to_owned()), what }
    })
}

/// Reads the profile of a shop.
fn profile(model: Model) -> Result<(ShopId, Profile), StoreError> {
    let row = Row { table: "shop", key: &format_args!("shop `{}`", model.id) };
    let location = row.value("latitude", Location::new(model.latitude, model.longitude))?;
    let id = row.text("id", &model.id)?;
    let Model { name, category, region, .. } = model;
    Ok((id, Profile { name, category, region, location }))
}

/// Returns the row of an imported shop.
pub(crate) fn active(lane: Lane, shop: &ShopImport) -> ActiveModel {
    let profile = &shop.profile;
    ActiveModel {
        lane: ActiveValue::Set(lane.0.into()),
        id: ActiveValue::Set(shop.id.as_str().to_owned()),
        name: ActiveValue::Set(profile.name.clone()),
        category: ActiveValue::Set(profile.category.clone()),
        region: ActiveValue::Set(profile.region.clone()),
        latitude: ActiveValue::Set(profile.location.latitude()),
        longitude: ActiveValue::Set(profile.location.longitude()),
    }
}
