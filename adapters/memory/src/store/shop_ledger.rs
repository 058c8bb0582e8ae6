//! Applies batches of requests.

use async_trait::async_trait;
use catchment_domain::ports::{Claim, Decide, ShopLedger, StoreError, VisitReceipt};
use catchment_domain::{
    Batch, Committed, Damage, Epoch, Lane, LaneTime, Loaded, LogIdentity, Position, Receipt,
};

use super::{MemoryStore, Tables};

#[async_trait]
impl ShopLedger for MemoryStore {
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        let left = tables.left.clone();
        tables.lane(lane)?.claim(lane, (log, &left), committed)
    }

    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        let mut tables = self.tables();
        let now = self.clock.now();
        let lane = tables.lanes.get(&batch.lane).ok_or(StoreError::Fenced)?;
        if lane.epoch != batch.epoch || lane.applied_next != batch.from {
            return Err(StoreError::Fenced);
        }
        let time = LaneTime { now, expired_up_to: lane.expired_up_to };
        let mut loaded = tables.load_batch(batch, time)?;
        let receipt = Receipt::new(batch, decide(batch, &mut loaded));
        let expired_up_to = loaded.time.expired_up_to;
        tables.write(batch, loaded);
        if let Some(lane) = tables.lanes.get_mut(&batch.lane) {
            lane.advance(batch, expired_up_to);
            lane.keep(receipt.clone(), now);
            lane.prune(now, self.receipts_kept);
        }
        Ok(receipt)
    }

    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError> {
        let tables = self.tables();
        let Some(row) = tables.lanes.get(&lane) else { return Ok(Vec::new()) };
        let receipts = row.receipts.iter().filter(|receipt| !row.is_of_another_log(receipt));
        let receipts = receipts.filter(|row| from < row.receipt.to && row.receipt.from < to);
        receipts.map(|row| Ok(row.read(lane)?.clone())).collect()
    }

    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError> {
        let mut damaged = Vec::new();
        for (lane, row) in &self.tables().lanes {
            for row in &row.receipts {
                match row.read(*lane) {
                    Ok(receipt) => visit(*lane, receipt.clone()),
                    Err(damage) => damaged.push(damage),
                }
            }
        }
        Ok(damaged)
    }

    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let lane = tables.lanes.get_mut(&lane).filter(|lane| lane.epoch == epoch);
        lane.ok_or(StoreError::Fenced)?.reply(next);
        Ok(())
    }
}

impl Tables {
    /// Copies the stored data by which a batch is judged.
    fn load_batch(&self, batch: &Batch, time: LaneTime) -> Result<Loaded, StoreError> {
        let campaigns = batch.campaigns().into_iter();
        let campaigns = campaigns.filter_map(|name| self.load_campaign(name)).collect();
        let shops = batch.shops().iter().map(|id| self.load(&self.key(id)));
        let shops = shops.collect::<Result<_, _>>()?;
        Ok(Loaded { time, campaigns, newest: self.revision, shops })
    }

    /// Writes the shops that were changed.
    fn write(&mut self, batch: &Batch, loaded: Loaded) {
        for (id, shop) in batch.shops().iter().zip(loaded.shops) {
            let key = self.key(id);
            if let Some(state) = shop.state.filter(|_| shop.changed)
                && let Some(row) = self.shops.get_mut(&key)
            {
                row.state = state;
            }
        }
    }
}
