//! Shops, for those who ask about them and bring them in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use catchment_domain::ports::{ImportTerms, Imported, ShopRepository, StoreError};
use catchment_domain::{
    Lane, Lanes, Revision, Scope, Shop, ShopCursor, ShopId, ShopImport, ShopState,
};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QueryOrder, QuerySelect};

use crate::connection::OwnConnection;
use crate::entity::{installation, shop, shop_state};
use crate::error::classify;
use crate::hot_path::StoredShop;
use crate::pages::Pages;
use crate::retry::while_busy;
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
        while_busy(|| self.try_take_revision()).await
    }

    async fn import(
        &self,
        rows: &[ShopImport],
        terms: ImportTerms,
    ) -> Result<Imported, StoreError> {
        let mut by_lane = Rows::new();
        for row in rows {
            by_lane.entry(self.settings.lanes.lane_of(&row.id)).or_default().push(row);
        }
        for rows in by_lane.values_mut() {
            rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        }
        while_busy(|| self.try_import(&by_lane, terms)).await
    }
}

/// Rows by lane and id: the order in which everybody takes locks.
type Rows<'a> = BTreeMap<Lane, Vec<&'a ShopImport>>;

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
    async fn try_take_revision(&self) -> Result<Revision, StoreError> {
        let transaction = self.begin().await?;
        let revision = next_revision(transaction.connection()?).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    async fn try_import(
        &self,
        by_lane: &Rows<'_>,
        terms: ImportTerms,
    ) -> Result<Imported, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let mut imported = Imported::default();
        for (lane, rows) in by_lane {
            let (added, updated) = self.import_lane(connection, *lane, rows, terms).await?;
            imported.added += added;
            imported.updated += updated;
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

    /// Brings the rows of a lane in. Returns how many are new, and how many were there.
    async fn import_lane(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        rows: &[&ShopImport],
        terms: ImportTerms,
    ) -> Result<(u64, u64), StoreError> {
        let path = self.dialect.hot_path;
        let ids: Vec<ShopId> = rows.iter().map(|row| row.id.clone()).collect();
        let known = path.load(connection, lane, &ids).await?;
        let are_new: Vec<bool> = known.iter().map(Option::is_none).collect();
        let states = rows.iter().zip(known).map(|(row, known)| import(known, row, terms));
        let states: Vec<ShopState> = states.collect();
        let shops = ids.iter().zip(&states).zip(&are_new);
        let shops = shops.map(|((id, state), is_new)| StoredShop { id, state, is_new: *is_new });
        path.store(connection, lane, &shops.collect::<Vec<_>>()).await?;
        store_profiles(connection, lane, rows).await?;
        let added = are_new.iter().filter(|is_new| **is_new).count() as u64;
        Ok((added, rows.len() as u64 - added))
    }

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
