//! Shops: what they are. What is in force at them is in [`super::shop_state`].

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Damage, Lane, Location, Profile, Shop, ShopId, ShopImport, ShopState, StoredItem,
};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use super::shop_state;
use crate::error::Row;

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

/// What is wrong with a shop that has no row of what is in force there.
pub(crate) fn no_state(id: &str) -> StoreError {
    Row { table: "shop", key: &format_args!("shop `{id}`") }.bad("id", "no row in shop_state")
}

/// A shop, with the row of what is in force there; `None` where it is none of those that are
/// wanted. One of which nobody knows that may be.
pub(crate) fn shop(
    (model, state): (Model, Option<shop_state::Model>),
    is_wanted: impl Fn(&ShopId, &Profile) -> bool,
) -> Result<Option<Result<Shop, Damage>>, StoreError> {
    let name = model.id.clone();
    let (id, profile) = match profile(model) {
        Err(StoreError::BadData { what }) => {
            return Ok(Some(Err(Damage { item: StoredItem::Profile(name), what })));
        }
        profile => profile?,
    };
    if !is_wanted(&id, &profile) {
        return Ok(None);
    }
    match state.ok_or_else(|| no_state(&name)).and_then(ShopState::try_from) {
        Err(StoreError::BadData { what }) => {
            Ok(Some(Err(Damage { item: StoredItem::State(name), what })))
        }
        state => Ok(Some(Ok(Shop { id, profile, state: state? }))),
    }
}

/// What a shop is.
fn profile(model: Model) -> Result<(ShopId, Profile), StoreError> {
    let row = Row { table: "shop", key: &format_args!("shop `{}`", model.id) };
    let location = row.value("latitude", Location::new(model.latitude, model.longitude))?;
    let id = row.text("id", &model.id)?;
    let Model { name, category, region, .. } = model;
    Ok((id, Profile { name, category, region, location }))
}

/// The row of a shop that is brought in.
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
