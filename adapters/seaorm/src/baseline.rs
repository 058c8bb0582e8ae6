//! The bare transaction: what the database does for a batch, with constant values, nothing
//! decoded, nothing decided, nothing sent. Every other speed is measured beside it.

use std::time::{Duration, Instant};

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Lane, Scope, Shop, ShopCursor, ShopState};
use sea_orm::{ConnectionTrait, Value};

use crate::error::classify;
use crate::shop_rows::{load_statement, store_statements};
use crate::store::{SeaOrmStore, statement};

/// An epoch that no owner has, for the receipts.
const NO_EPOCH: i64 = -1;
/// About as many bytes as the receipt of a request takes.
const RECEIPT_BYTES: usize = 9;

impl SeaOrmStore {
    /// Reads every shop and writes it back with a higher version, in batches of at most `size` shops of one
    /// lane: fence, read, update, receipt, commit. Returns how long the transactions took.
    ///
    /// For benchmarks of a database at rest: it leaves receipts of no request behind.
    ///
    /// # Errors
    ///
    /// When the database says so.
    pub async fn bare_batches(&self, size: usize) -> Result<Duration, StoreError> {
        let mut time = Duration::ZERO;
        let mut after = None;
        for number in 0.. {
            let page =
                ShopRepository::list(self, &Scope::everything(), after.as_ref(), size).await?;
            let Some(first) = page.first() else { break };
            let lane = self.lanes().lane_of(&first.id);
            let is_here = |shop: &&Shop| self.lanes().lane_of(&shop.id) == lane;
            let batch: Vec<&Shop> = page.iter().take_while(is_here).collect();
            after = batch.last().map(|last| ShopCursor { lane, id: last.id.clone() });
            time += self.bare_batch(lane, &batch, number).await?;
        }
        Ok(time)
    }

    /// One batch; the values are made before the time is taken.
    async fn bare_batch(
        &self,
        lane: Lane,
        shops: &[&Shop],
        number: i64,
    ) -> Result<Duration, StoreError> {
        let read = load_statement(&self.readers, self.dialect, lane, shops.iter().map(|s| &s.id));
        let raised: Vec<ShopState> = shops
            .iter()
            .map(|shop| ShopState { version: shop.state.version + 1, ..shop.state.clone() })
            .collect();
        let states: Vec<_> = shops.iter().map(|shop| &shop.id).zip(&raised).collect();
        let write = store_statements(&self.readers, self.dialect, lane, &states);
        let write: Vec<_> = write.collect();
        let lane: Value = i32::from(lane.0).into();
        let receipt = vec![0_u8; shops.len() * RECEIPT_BYTES];
        let fence = "UPDATE lane_state SET applied_next = applied_next WHERE lane = $1";
        let fence = statement(&self.readers, fence, [lane.clone()]);
        let (from, to) = (number.into(), (number + 1).into());
        let receipt = [lane, NO_EPOCH.into(), from, to, 0_i64.into(), receipt.into()];
        let receipt = statement(&self.readers, self.dialect.insert_receipt, receipt);
        let start = Instant::now();
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        connection.execute_raw(fence).await.map_err(classify)?;
        connection.query_one_raw(read).await.map_err(classify)?;
        for statement in write.into_iter().chain([receipt]) {
            connection.execute_raw(statement).await.map_err(classify)?;
        }
        transaction.commit().await?;
        Ok(start.elapsed())
    }
}
