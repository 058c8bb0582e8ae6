//! Applying batches, seen by the witness request by request.

use std::sync::Mutex;

use async_trait::async_trait;
use catchment_domain::ports::{Claim, Decide, ShopLedger, StoreError, VisitReceipt};
use catchment_domain::{
    Batch, Committed, Damage, Epoch, Lane, Loaded, LoadedShop, LogIdentity, Outcome, Position,
    Receipt,
};
use catchment_memory::MemoryStore;

use super::Gated;
use crate::simulator::coverage::Met;
use crate::simulator::witness::Judged;

#[async_trait]
impl ShopLedger for Gated<MemoryStore> {
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        self.gate.before("claim").await.unavailable()?;
        let claim = self.inner.claim(lane, log, committed).await;
        if let Ok(claim) = &claim {
            self.world.witness().claimed(lane, claim);
        }
        self.gate.after("claim").await.lost()?;
        if let Ok(claim) = &claim {
            self.gate.set_epoch(claim.epoch);
        }
        claim
    }

    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        self.gate.before("apply").await.unavailable()?;
        let receipt = self.apply_seen(batch, decide).await;
        self.note_fence(matches!(receipt, Err(StoreError::Fenced)));
        self.gate.after("apply").await.lost()?;
        receipt
    }

    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.gate.before("receipts").await.unavailable()?;
        let receipts = self.inner.receipts(lane, from, to).await?;
        self.gate.after("receipts").await.unavailable()?;
        let rebuilt = receipts.iter().map(|receipt| receipt.entries.len() as u64).sum();
        self.world.witness().coverage.add(Met::Rebuilt, rebuilt);
        Ok(receipts)
    }

    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError> {
        self.inner.visit_receipts(visit).await
    }

    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError> {
        self.gate.before("replied").await.unavailable()?;
        let replied = self.inner.replied(lane, epoch, next).await;
        if replied.is_ok() {
            self.world.witness().replied(lane, epoch, next);
        }
        self.note_fence(matches!(replied, Err(StoreError::Fenced)));
        self.gate.after("replied").await.lost()?;
        replied
    }
}

impl Gated<MemoryStore> {
    async fn apply_seen(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        let wires = self.world.wires();
        let bad = |position| wires.is_bad(batch.lane, position);
        if batch.records().iter().any(|record| record.request.is_ok() && bad(record.position)) {
            if 1 < batch.records().len() {
                self.world.witness().coverage.met(Met::Bisected);
            }
            return Err(StoreError::BadData { what: "a record that cannot be stored".into() });
        }
        let judged = Mutex::new(Vec::new());
        let decide_seen = |batch: &Batch, loaded: &mut Loaded| {
            let (alone, end) = one_by_one(batch, loaded, decide);
            let outcomes = decide(batch, loaded);
            let same = alone.iter().map(|judged| &judged.outcome).eq(&outcomes)
                && end.shops.iter().map(|s| &s.state).eq(loaded.shops.iter().map(|s| &s.state))
                && end.time == loaded.time;
            if !same {
                let what = "a batch ends otherwise than its requests one by one".into();
                self.world.witness().broken("I2", what);
            }
            *judged.lock().unwrap() = alone;
            outcomes
        };
        let receipt = self.inner.apply(batch, &decide_seen).await?;
        self.world.witness().applied(batch, &judged.into_inner().unwrap(), &receipt);
        Ok(receipt)
    }
}

/// Judges each request of a batch by itself, on a copy of what was loaded. Returns what
/// became of each, and what is loaded then.
fn one_by_one(batch: &Batch, loaded: &Loaded, decide: Decide<'_>) -> (Vec<Judged>, Loaded) {
    let mut end = Loaded {
        time: loaded.time,
        campaigns: loaded.campaigns.clone(),
        newest: loaded.newest,
        shops: loaded.shops.clone(),
    };
    let mut judged = Vec::with_capacity(batch.records().len());
    for record in batch.records() {
        let shop = record.request.as_ref().ok().map(|request| &request.shop);
        let place = shop.and_then(|shop| batch.shops().binary_search(shop).ok());
        let before = place.and_then(|place| end.shops[place].state.clone());
        let mut alone = Loaded {
            time: end.time,
            campaigns: end.campaigns.clone(),
            newest: end.newest,
            shops: place.map(|_| LoadedShop::new(before.clone())).into_iter().collect(),
        };
        let time = alone.time;
        let outcome = judge_alone(batch, record, &mut alone, decide);
        end.time = alone.time;
        let after = alone.shops.pop().and_then(|shop| shop.state);
        if let Some(place) = place {
            end.shops[place].state.clone_from(&after);
        }
        let name = record.request.as_ref().ok().and_then(|request| request.change.campaign());
        let mut campaigns = end.campaigns.iter().filter(|loaded| Some(loaded.name) == name);
        let is_over =
            campaigns.any(|loaded| loaded.terms.as_ref().is_ok_and(|t| t.is_ending_or_ended));
        let (record, newest) = (record.clone(), end.newest);
        judged.push(Judged { record, time, before, after, is_over, newest, outcome });
    }
    (judged, end)
}

fn judge_alone(
    batch: &Batch,
    record: &catchment_domain::RequestRecord,
    loaded: &mut Loaded,
    decide: Decide<'_>,
) -> Outcome {
    let owner = (batch.lane, batch.epoch);
    let alone = Batch::new(owner, record.position, batch.replied, vec![record.clone()]);
    decide(&alone, loaded).pop().expect("each request has an outcome")
}
