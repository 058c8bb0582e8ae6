//! Shops, for those who ask about them and bring them in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use catchment_domain::ports::{ImportTerms, Imported, ShopRepository, StoreError};
use catchment_domain::{
    Lane, Lanes, Revision, Scope, Shop, ShopCursor, ShopId, ShopImport, ShopState,
};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QueryOrder, QuerySelect};

use crate::entity::{installation, shop, shop_state};
use crate::error::classify;
use crate::pages::Pages;
use crate::shop_rows;
use crate::store::{SeaOrmStore, next_revision};

/// How many rows an insert has: seven values each, of the 32,766 that a statement may bind.
const ROWS: usize = 1_000;

#[async_trait]
impl ShopRepository for SeaOrmStore {
    fn lanes(&self) -> Lanes {
        self.settings.lanes
    }

    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError> {
        let key = (i32::from(self.settings.lanes.lane_of(id).0), id.as_str().to_owned());
        let found = shop::Entity::find_by_id(key)
            .find_also_related(shop_state::Entity)
            .one(&self.readers)
            .await
            .map_err(classify)?;
        found.map(shop::shop).transpose()
    }

    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Vec<Shop>, StoreError> {
        let mut shops: Vec<Shop> = Vec::new();
        let mut pages = Pages::new(scope, self.settings.lanes, after);
        while shops.len() < limit
            && let Some(page) = pages.next(self, limit - shops.len()).await?
        {
            shops.extend(page);
        }
        shops.truncate(limit);
        Ok(shops)
    }

    async fn count(&self, scope: &Scope) -> Result<u64, StoreError> {
        if *scope == Scope::everything() {
            return shop::Entity::find().count(&self.readers).await.map_err(classify);
        }
        let mut count = 0;
        if scope.ids.is_some() {
            let mut pages = Pages::new(scope, self.settings.lanes, None);
            while let Some(page) = pages.next(self, usize::MAX).await? {
                count += page.len() as u64;
            }
        } else {
            self.scan(scope, |_, _| count += 1).await?;
        }
        Ok(count)
    }

    async fn regions(&self) -> Result<Vec<String>, StoreError> {
        self.distinct(shop::Column::Region).await
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        self.distinct(shop::Column::Category).await
    }

    async fn take_revision(&self) -> Result<Revision, StoreError> {
        let transaction = self.begin().await?;
        let revision = next_revision(transaction.connection()?).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    async fn import(
        &self,
        rows: &[ShopImport],
        terms: ImportTerms,
    ) -> Result<Imported, StoreError> {
        // By lane and id: the order in which everybody takes locks.
        let mut by_lane: BTreeMap<Lane, Vec<&ShopImport>> = BTreeMap::new();
        for row in rows {
            by_lane.entry(self.settings.lanes.lane_of(&row.id)).or_default().push(row);
        }
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let mut imported = Imported::default();
        for (lane, mut rows) in by_lane {
            rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let ids: Vec<ShopId> = rows.iter().map(|row| row.id.clone()).collect();
            let known = shop_rows::load(connection, self.dialect, lane, &ids).await?.states;
            let updated = known.iter().flatten().count() as u64;
            imported.updated += updated;
            imported.added += rows.len() as u64 - updated;
            let states = rows.iter().zip(known).map(|(row, known)| import(known, row, terms));
            let states: Vec<ShopState> = states.collect();
            let shops: Vec<_> = ids.iter().zip(&states).collect();
            let states = shop_rows::store_statements(connection, self.dialect, lane, &shops);
            shop_rows::run_all(connection, states).await?;
            store_profiles(connection, lane, &rows).await?;
        }
        installation::Entity::update_many()
            .col_expr(
                installation::Column::Imports,
                Expr::col(installation::Column::Imports).add(1),
            )
            .exec(connection)
            .await
            .map_err(classify)?;
        transaction.commit().await?;
        Ok(imported)
    }
}

/// What is in force at a shop after the import of its row.
fn import(known: Option<ShopState>, row: &ShopImport, terms: ImportTerms) -> ShopState {
    match known {
        None => ShopState::new(row.base.unwrap_or(terms.default_base), terms.revision),
        Some(mut state) => {
            state.import(row.base, terms.revision, terms.floor);
            state
        }
    }
}

/// Writes what shops are, those that are new too.
async fn store_profiles(
    connection: &impl ConnectionTrait,
    lane: Lane,
    rows: &[&ShopImport],
) -> Result<(), StoreError> {
    let profile = [
        shop::Column::Name,
        shop::Column::Category,
        shop::Column::Region,
        shop::Column::Latitude,
        shop::Column::Longitude,
    ];
    for rows in rows.chunks(ROWS) {
        let mut renewed = OnConflict::columns([shop::Column::Lane, shop::Column::Id]);
        renewed.update_columns(profile);
        shop::Entity::insert_many(rows.iter().map(|row| shop::active(lane, row)))
            .on_conflict(renewed)
            .exec_without_returning(connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

impl SeaOrmStore {
    async fn distinct(&self, column: shop::Column) -> Result<Vec<String>, StoreError> {
        shop::Entity::find()
            .select_only()
            .column(column)
            .distinct()
            .order_by_asc(column)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(classify)
    }
}
