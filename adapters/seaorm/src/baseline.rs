//! The bare transaction: only the work of the database for a batch. Its values are constant, and
//! nothing is decoded, decided or sent. Benchmarks compare every other speed with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Lane, Scope, ShopId, ShopState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::task::JoinSet;

use crate::entity::receipt;
use crate::error::classify;
use crate::hot_path::{BareBatch, NO_EPOCH};
use crate::store::SeaOrmStore;

/// How many batches of a lane are held ready at a time.
const ROUND: usize = 16;

impl SeaOrmStore {
    /// Reads every shop and writes it back with a higher version, in batches of at most `size`
    /// shops of one lane, the lanes side by side: fence, read, update, receipt, commit. Returns
    /// how long the transactions took.
    ///
    /// For benchmarks of an idle database whose lanes were claimed. The receipts that it leaves
    /// belong to no request.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn bare_batches(&self, size: usize) -> Result<Duration, StoreError> {
        self.delete_bare_receipts().await?;
        let mut shops: BTreeMap<Lane, Vec<ShopId>> = BTreeMap::new();
        self.scan(&Scope::everything(), |lane, id| shops.entry(lane).or_default().push(id)).await?;
        let mut lanes: Vec<_> = shops.iter().map(|(lane, ids)| (*lane, ids.chunks(size))).collect();
        let mut time = Duration::ZERO;
        for round in 0.. {
            let mut running = JoinSet::new();
            let mut ready = Vec::new();
            for (lane, chunks) in &mut lanes {
                ready.push(self.bare_lane(*lane, chunks.take(ROUND), round).await?);
            }
            if ready.iter().all(Vec::is_empty) {
                break;
            }
            let start = Instant::now();
            for batches in ready {
                running.spawn(run_all(batches));
            }
            running.join_all().await.into_iter().collect::<Result<Vec<()>, _>>()?;
            time += start.elapsed();
        }
        Ok(time)
    }

    async fn bare_lane(
        &self,
        lane: Lane,
        chunks: impl Iterator<Item = &[ShopId]>,
        round: i64,
    ) -> Result<Vec<BareBatch>, StoreError> {
        let first = round * i64::try_from(ROUND).unwrap_or_default();
        let mut batches = Vec::new();
        for (number, ids) in (first..).zip(chunks) {
            let scope = Scope { ids: Some(ids.iter().cloned().collect()), ..Scope::everything() };
            let shops = ShopRepository::list(self, &scope, None, usize::MAX).await?;
            let raised: Vec<(ShopId, ShopState)> = shops
                .found
                .into_iter()
                .map(|shop| (shop.id, ShopState { version: shop.state.version + 1, ..shop.state }))
                .collect();
            let raised: Vec<_> = raised.iter().map(|(id, state)| (id, state)).collect();
            let path = self.dialect.hot_path;
            batches.push(path.bare_batch(self.clone(), lane, &raised, number)?);
        }
        Ok(batches)
    }

    async fn delete_bare_receipts(&self) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        receipt::Entity::delete_many()
            .filter(receipt::Column::Epoch.eq(NO_EPOCH))
            .exec(transaction.connection()?)
            .await
            .map_err(classify)?;
        transaction.commit().await
    }
}

/// Runs batches one after another.
async fn run_all(batches: Vec<BareBatch>) -> Result<(), StoreError> {
    for batch in batches {
        batch.await?;
    }
    Ok(())
}
