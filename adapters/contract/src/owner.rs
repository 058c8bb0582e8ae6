//! An owner of a lane, as a promise plays it.

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{
    Batch, Campaign, Change, Lane, LogIdentity, Phase, Position, Receipt, Request, RequestId,
    RequestRecord, ReturnAddress, ShopId, Ticket,
};
use uuid::Uuid;

use crate::Store;
use crate::scene::{by_the_rules, lasting_log};

/// Somebody who claimed a lane and applies batches to it.
pub(crate) struct Owner {
    store: Store,
    lane: Lane,
    pub(crate) claim: Claim,
}

impl Owner {
    /// Claims a lane of a lasting log.
    pub(crate) async fn of(store: &Store, lane: Lane) -> Self {
        Self::in_log(store, lane, lasting_log(1)).await
    }

    pub(crate) async fn in_log(store: &Store, lane: Lane, log: LogIdentity) -> Self {
        let claim = store.ledger.claim(lane, log, None).await.unwrap();
        Self { store: store.clone(), lane, claim }
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// A batch that begins where this owner thinks the lane stands.
    pub(crate) fn batch(&self, records: Vec<RequestRecord>) -> Batch {
        self.batch_from(self.claim.applied_next, records)
    }

    pub(crate) fn batch_from(&self, from: Position, records: Vec<RequestRecord>) -> Batch {
        Batch::new((self.lane, self.claim.epoch), from, self.claim.replied_next, records)
    }

    pub(crate) async fn try_apply(&self, batch: &Batch) -> Result<Receipt, StoreError> {
        let decide = by_the_rules(self.store.shops.lanes());
        self.store.ledger.apply(batch, &decide).await
    }

    /// Applies the next batch and moves on.
    pub(crate) async fn apply(&mut self, records: Vec<RequestRecord>) -> Receipt {
        let batch = self.batch(records);
        let receipt = self.try_apply(&batch).await.unwrap();
        self.claim.applied_next = batch.to();
        receipt
    }

    /// Applies the next record.
    pub(crate) async fn change(&mut self, shop: &ShopId, change: Change) -> Receipt {
        self.apply(vec![record(self.claim.applied_next.0, shop, change)]).await
    }

    /// Applies the request of a campaign for the shop at a place of its list.
    pub(crate) async fn ask(
        &mut self,
        campaign: &Campaign,
        phase: Phase,
        (index, shop): (u32, &ShopId),
    ) -> Receipt {
        let position = self.claim.applied_next.0;
        self.apply(vec![request_of(campaign, phase, (index, shop), position)]).await
    }

    /// Everything that is kept of the lane.
    pub(crate) async fn receipts(&self) -> Vec<Receipt> {
        let (from, to) = (Position(0), Position(u64::from(u32::MAX)));
        self.store.ledger.receipts(self.lane, from, to).await.unwrap()
    }
}

/// A request as it stands in its lane. Its id follows from its position.
pub(crate) fn record(position: u64, shop: &ShopId, change: Change) -> RequestRecord {
    let id = id_at(position);
    RequestRecord {
        position: Position(position),
        id,
        return_address: ReturnAddress::default(),
        request: Ok(Request { id, shop: shop.clone(), change }),
    }
}

/// The record of a campaign's request for the shop at a place of its list. The request is the one
/// that the campaign's requester makes in the present attempt.
pub(crate) fn request_of(
    campaign: &Campaign,
    phase: Phase,
    (index, shop): (u32, &ShopId),
    position: u64,
) -> RequestRecord {
    let &Campaign { name, kind, limit, deadline, replaces, nonce, attempt, .. } = campaign;
    let change = match phase {
        Phase::Activation => Change::Activate { campaign: name, kind, limit, deadline, replaces },
        Phase::Release => Change::Release { campaign: name, deadline },
    };
    let id = Ticket { revision: name.revision, phase, attempt, index, nonce }.id();
    let request = Ok(Request { id, shop: shop.clone(), change });
    RequestRecord { id, request, ..record(position, shop, change) }
}

pub(crate) fn id_at(position: u64) -> RequestId {
    RequestId(Uuid::from_u64_pair(7, position))
}
