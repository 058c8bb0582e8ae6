//! A requester, as a promise plays it.

use std::time::Duration;

use catchment_domain::ports::{Answer, Holder, Lease, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, Chunk, Found, Outcome, Phase, Position, ReplyLane, Status, Ticket,
};
use uuid::Uuid;

use crate::Store;
use crate::scene::passing_log;

/// How long a lease is in force.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// Somebody who leased a reply lane.
pub(crate) struct Requester {
    store: Store,
    pub(crate) lease: Lease,
}

impl Requester {
    /// Leases a lane as a holder of its own; `number` tells holders apart.
    pub(crate) async fn of(store: &Store, lane: u16, number: u128) -> Self {
        let log = (passing_log(1), Position(0));
        let lease = store.reply_lanes.lease(ReplyLane(lane), holder(number), log, LEASE).await;
        Self { store: store.clone(), lease: lease.unwrap().unwrap() }
    }

    /// The campaigns that are open in the lane.
    pub(crate) async fn open(&self) -> Vec<Campaign> {
        self.store.campaign_ledger.open(&self.lease).await.unwrap().found
    }

    pub(crate) async fn try_mark(
        &self,
        campaign: &Campaign,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        let revision = campaign.name.revision;
        self.store.campaign_ledger.mark_sent(&self.lease, revision, part, numbers).await
    }

    /// Stores that these chunks may have been sent.
    pub(crate) async fn mark(
        &self,
        campaign: &Campaign,
        phase: Phase,
        numbers: &[u32],
    ) -> Vec<Chunk> {
        self.try_mark(campaign, (phase, campaign.attempt), numbers).await.unwrap().found
    }

    pub(crate) async fn try_record(
        &self,
        to: Position,
        campaign: &Campaign,
        answers: &[Answer],
    ) -> Result<Recorded, StoreError> {
        let revision = campaign.name.revision;
        let answers: Vec<_> = answers.iter().map(|answer| (revision, answer.clone())).collect();
        self.store.campaign_ledger.record(&self.lease, to, &answers).await
    }

    /// Records answers, and moves on by as many replies.
    pub(crate) async fn record(&mut self, campaign: &Campaign, answers: &[Answer]) -> Recorded {
        let to = Position(self.lease.position.0 + answers.len() as u64);
        let recorded = self.try_record(to, campaign, answers).await.unwrap();
        self.lease.position = to;
        recorded
    }
}

pub(crate) fn holder(number: u128) -> Holder {
    Holder(Uuid::from_u128(number))
}

/// Returns the answer to a request of the present attempt. It does not name the request's position.
pub(crate) fn answer(
    campaign: &Campaign,
    phase: Phase,
    (chunk, index): (u32, u32),
    status: Status,
) -> Answer {
    let (revision, nonce, attempt) = (campaign.name.revision, campaign.nonce, campaign.attempt);
    let ticket = Ticket { revision, phase, attempt, index, nonce };
    Answer { chunk, ticket, outcome: outcome(status), request_position: None }
}

/// A bare outcome.
pub(crate) fn outcome(status: Status) -> Outcome {
    Outcome { status, code: None, detail: None, standing: None, repeat: false }
}
