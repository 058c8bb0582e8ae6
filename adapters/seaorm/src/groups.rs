//! Groups of shops with the same region and state. Most shops have the state of many others, so the
//! database returns few rows for many shops.

use catchment_domain::Scope;
use catchment_domain::ports::{ShopGroup, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect,
    RelationTrait,
};

use crate::entity::shop_state::Columns;
use crate::entity::{shop, shop_state};
use crate::error::{Row, classify};
use crate::pages::Pages;
use crate::store::SeaOrmStore;

/// A group as the database counts it.
#[derive(FromQueryResult)]
struct GroupRow {
    region: String,
    base_radius: i32,
    base_revision: i64,
    base_effect: i16,
    radius: i32,
    causes: Option<Vec<u8>>,
    version: i64,
    shops: i64,
}

impl SeaOrmStore {
    /// Groups the shops of a scope. The database alone groups a scope of regions and categories. For a
    /// scope with ids or a circle, the database cannot decide which shops belong to it, so each shop
    /// becomes a group of its own.
    pub(crate) async fn shop_groups(&self, scope: &Scope) -> Result<Vec<ShopGroup>, StoreError> {
        if scope.ids.is_none() && scope.within.is_none() {
            return self.count_groups(scope).await;
        }
        let (mut groups, mut pages) = (Vec::new(), Pages::new(scope, self.lanes(), None));
        while let Some(page) = pages.next(self, usize::MAX).await? {
            let shops = page.into_iter().filter_map(Result::ok);
            groups.extend(shops.map(|shop| ShopGroup {
                region: shop.profile.region,
                state: shop.state,
                shops: 1,
            }));
        }
        Ok(groups)
    }

    /// Counts in one statement. A statement for each lane would read all shops each time, because
    /// the shops of all lanes are stored in one order.
    async fn count_groups(&self, scope: &Scope) -> Result<Vec<ShopGroup>, StoreError> {
        let states = [
            shop_state::Column::BaseRadius,
            shop_state::Column::BaseRevision,
            shop_state::Column::BaseEffect,
            shop_state::Column::Radius,
            shop_state::Column::Causes,
        ];
        let mut query = shop::Entity::find()
            .select_only()
            .column(shop::Column::Region)
            .column_as(shop_state::Column::Version.max(), "version")
            .column_as(shop::Column::Id.count(), "shops")
            .join(JoinType::InnerJoin, shop::Relation::State.def())
            .filter(wanted(scope))
            .group_by(shop::Column::Region);
        for column in states {
            query = query.column(column).group_by(column);
        }
        let rows = query.into_model::<GroupRow>().all(&self.readers).await.map_err(classify)?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in rows {
            match row.try_into() {
                Ok(group) => groups.push(group),
                // Pages leave out what is damaged, too.
                Err(StoreError::BadData { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(groups)
    }
}

/// The shops of a scope without ids and circle, but for those whose place cannot be read.
fn wanted(scope: &Scope) -> Condition {
    let place =
        |column: shop::Column, most: f64| Expr::col((shop::Entity, column)).between(-most, most);
    let mut wanted = Condition::all()
        .add(place(shop::Column::Latitude, 90.0))
        .add(place(shop::Column::Longitude, 180.0));
    if !scope.regions.is_empty() {
        wanted = wanted.add(shop::Column::Region.is_in(&scope.regions));
    }
    if !scope.categories.is_empty() {
        wanted = wanted.add(shop::Column::Category.is_in(&scope.categories));
    }
    wanted
}

impl TryFrom<GroupRow> for ShopGroup {
    type Error = StoreError;

    fn try_from(group: GroupRow) -> Result<Self, StoreError> {
        let row = Row { table: "shop_state", key: &format_args!("shops in `{}`", group.region) };
        let columns = Columns {
            base_radius: group.base_radius.into(),
            base_revision: group.base_revision,
            base_effect: group.base_effect.into(),
            radius: group.radius.into(),
            version: group.version,
        };
        let state = columns.state(&row, group.causes.as_deref().unwrap_or_default())?;
        let shops = row.number("shops", group.shops)?;
        Ok(Self { region: group.region, state, shops })
    }
}
