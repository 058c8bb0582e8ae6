//! The bare transaction: what the database does for a batch, with constant values, nothing
//! decoded, nothing decided, nothing sent. Every other speed is measured beside it.

use std::time::Duration;

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Scope, Shop, ShopCursor, ShopState};

use crate::store::SeaOrmStore;

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
            let raised: Vec<ShopState> = batch
                .iter()
                .map(|shop| ShopState { version: shop.state.version + 1, ..shop.state.clone() })
                .collect();
            let shops: Vec<_> = batch.iter().map(|shop| &shop.id).zip(&raised).collect();
            time += self.dialect.hot_path.bare_batch(self, lane, &shops, number).await?;
        }
        Ok(time)
    }
}
