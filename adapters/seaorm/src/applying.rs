//! Applying a batch of requests, in one transaction.

use catchment_domain::ports::{Decide, StoreError};
use catchment_domain::{Batch, Lane, LoadedShop, Receipt, ShopId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::shop;
use crate::error::classify;
use crate::hot_path::Judged;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// Applies a batch in one transaction.
    pub(crate) async fn apply_batch(
        &self,
        batch: &Batch,
        decide: Decide<'_>,
    ) -> Result<Receipt, StoreError> {
        let path = self.dialect.hot_path;
        let (transaction, mut loaded) = path.begin_batch(self.database(), batch).await?;
        let shops = batch.shops().iter().zip(&loaded.shops);
        let unknown = shops.filter(|(_, shop)| shop.state.is_none()).map(|(id, _)| id);
        check_orphans(transaction.connection()?, batch.lane, unknown).await?;
        let (now, mark) = (loaded.time.now, loaded.time.expired_up_to);
        let version = |shop: &LoadedShop| shop.state.as_ref().map(|state| state.version);
        let versions: Vec<Option<u64>> = loaded.shops.iter().map(version).collect();
        let receipt = Receipt::new(batch, decide(batch, &mut loaded));
        let shops = batch.shops().iter().zip(&loaded.shops).zip(versions);
        let changed = shops.filter(|((_, shop), _)| shop.changed);
        let (changed, versions) = changed
            .filter_map(|((id, shop), version)| Some(((id, shop.state.as_ref()?), version?)))
            .unzip();
        let judged = Judged {
            batch,
            changed,
            versions,
            receipt: &receipt,
            now,
            mark: Some(loaded.time.expired_up_to).filter(|after| mark < *after),
            kept_from: self.kept_from(now),
        };
        path.store_batch(transaction.connection()?, &judged).await?;
        transaction.commit().await?;
        Ok(receipt)
    }
}

/// Fails if one of the shops exists: it has a profile, but no state, so it is damaged and not
/// unknown.
pub(crate) async fn check_orphans(
    connection: &impl ConnectionTrait,
    lane: Lane,
    without_state: impl Iterator<Item = &ShopId>,
) -> Result<(), StoreError> {
    let unknown: Vec<&str> = without_state.map(ShopId::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let orphan: Option<String> = shop::Entity::find()
        .select_only()
        .column(shop::Column::Id)
        .filter(shop::Column::Lane.eq(i32::from(lane.0)))
        .filter(shop::Column::Id.is_in(unknown))
        .into_tuple()
        .one(connection)
        .await
        .map_err(classify)?;
    orphan.map_or(Ok(()), |id| Err(shop::no_state(&id)))
}
