//! The bare transaction: what the database does for a batch, with constant values, nothing
//! decoded, nothing decided, nothing sent. Every other speed is measured beside it.

use std::time::{Duration, Instant};

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Lane, Scope, Shop, ShopCursor};
use sea_orm::{ConnectionTrait, Value};

use crate::error::classify;
use crate::shop_rows::{id_array, packed_states};
use crate::store::{SeaOrmStore, statement};

/// An epoch that no owner has, for the receipts.
const NO_EPOCH: i64 = -1;
/// About as many bytes as the receipt of a request takes.
const RECEIPT_BYTES: usize = 9;

impl SeaOrmStore {
    /// Reads every shop and writes it back as it is, in batches of at most `size` shops of one
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
        let lane: Value = i32::from(lane.0).into();
        let ids = id_array(shops.iter().map(|shop| &shop.id));
        let states = packed_states(shops.iter().map(|shop| (&shop.id, &shop.state)));
        let receipt = vec![0_u8; shops.len() * RECEIPT_BYTES];
        let (from, to) = (number, number + 1);
        let start = Instant::now();
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let run =
            |sql, values: Vec<Value>| connection.execute_raw(statement(connection, sql, values));
        let fence = "UPDATE lane_state SET applied_next = applied_next WHERE lane = $1";
        run(fence, vec![lane.clone()]).await.map_err(classify)?;
        let load = statement(connection, self.dialect.load_states, [lane.clone(), ids.into()]);
        connection.query_one_raw(load).await.map_err(classify)?;
        if let Some(states) = states {
            run(self.dialect.store_states, vec![lane.clone(), states.into()])
                .await
                .map_err(classify)?;
        }
        let values =
            vec![lane, NO_EPOCH.into(), from.into(), to.into(), 0_i64.into(), receipt.into()];
        run(self.dialect.insert_receipt, values).await.map_err(classify)?;
        transaction.commit().await?;
        Ok(start.elapsed())
    }
}
