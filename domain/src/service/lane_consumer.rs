//! The consumer's half: applies the requests of one lane and answers them.
//!
//! The order of deeds is: decide and store, reply, and only then say that it is answered. So a
//! crash between any two of them loses nothing: what was stored is answered from its receipt.

use std::sync::Arc;

use crate::batch::{Batch, Receipt, judge_batch};
use crate::lane::{Committed, Epoch, Lane, Lanes, Position};
use crate::mismatch::{AnyLane, LaneProblem, Mismatch, is_other, outcomes_of};
use crate::outcome::{Outcome, Reply};
use crate::ports::{Claim, LogError, ReplyChannel, RequestLog, ShopLedger, StoreError, Stretch};
use crate::request::{RequestRecord, ReturnAddress};
use crate::service::pacing::{Failures, Trouble};
use crate::service::{ServiceError, Step};
use crate::trigger::Policy;

/// What a consumer works on.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct ConsumerPorts {
    /// The shops.
    pub ledger: Arc<dyn ShopLedger>,
    /// Where requests come from.
    pub log: Arc<dyn RequestLog>,
    /// Where replies go.
    pub replies: Arc<dyn ReplyChannel>,
}

/// What a consumer goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The rules of every decision.
    pub policy: Policy,
    /// How many lanes there are.
    pub lanes: Lanes,
    /// The most requests of a batch.
    pub batch: usize,
}

/// Applies and answers the requests of one lane (Hohpe and Woolf's *Idempotent Receiver*).
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct LaneConsumer {
    lane: Lane,
    ports: ConsumerPorts,
    rules: Arc<Rules>,
    owned: Option<Owned>,
    /// How far the database had stored the lane when this consumer owned it last.
    known: Option<Committed>,
    /// The most requests of the next batch: fewer while bad data is looked for.
    limit: usize,
    failures: Failures,
}

/// Where the lane stands, for its owner.
struct Owned {
    epoch: Epoch,
    applied_next: Position,
    /// Everything below is answered.
    replied_next: Position,
    /// Everything below is stored as answered.
    stored_replied: Position,
    /// There was nothing to apply the last time, either.
    is_resting: bool,
}

impl LaneConsumer {
    /// A consumer that owns nothing yet.
    #[must_use]
    pub fn new(lane: Lane, ports: ConsumerPorts, rules: Arc<Rules>) -> Self {
        let limit = rules.batch;
        Self { lane, ports, rules, owned: None, known: None, limit, failures: Failures::default() }
    }

    /// Claims the lane, answers what an owner before left unanswered, or applies and answers
    /// one batch: whichever comes first.
    ///
    /// # Errors
    ///
    /// When a human must look; the lane stands still until then.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let done = match &self.owned {
            // A claim alone is no success: what failed by it before may fail again.
            None => return self.claim().await.or_else(|trouble| self.failures.next_step(trouble)),
            Some(owned) if owned.replied_next < owned.applied_next => self.rebuild().await,
            Some(_) => self.consume().await,
        };
        match done {
            Ok(step) => {
                self.failures.forget();
                Ok(step)
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Fenced)
                    && let Some(Owned { epoch, applied_next: next, .. }) = self.owned.take()
                {
                    self.known = Some(Committed { epoch, next });
                }
                self.failures.next_step(trouble)
            }
        }
    }

    /// Returns once the log may have something for this consumer.
    pub async fn wait(&self) {
        if let Some(owned) = &self.owned {
            self.ports.log.wait(self.lane, owned.replied_next).await;
        }
    }

    /// Stores how far the lane is answered and lets go of it, so that the next owner need not
    /// answer again. Another step would claim the lane anew.
    ///
    /// # Errors
    ///
    /// When that could not be stored: then the next owner does answer again.
    pub async fn finish(&mut self) -> Result<(), StoreError> {
        match self.owned.take() {
            Some(owned) if owned.stored_replied < owned.replied_next => {
                self.store_replied(&owned).await
            }
            _ => Ok(()),
        }
    }

    async fn store_replied(&self, owned: &Owned) -> Result<(), StoreError> {
        self.ports.ledger.replied(self.lane, owned.epoch, owned.replied_next).await?;
        self.commit(owned.epoch, owned.replied_next).await;
        Ok(())
    }

    /// Tells the log how far the lane is answered, and never more than the database has stored. So
    /// if the log knows more than the database, the database was restored.
    async fn commit(&self, epoch: Epoch, next: Position) {
        self.ports.log.commit(self.lane, Committed { epoch, next }).await;
    }

    async fn claim(&mut self) -> Result<Step, Trouble> {
        let Self { lane, ports: ConsumerPorts { ledger, log, .. }, .. } = self;
        // Read before the claim: whatever is committed by then, the database has stored.
        let committed = log.committed(*lane).await;
        let committed =
            committed.map_err(|error| Trouble::of_log(AnyLane::Requests(*lane), error))?;
        // Commits reach the log a moment late, so this consumer may know more than the log.
        let committed = committed.into_iter().chain(self.known).max_by_key(|c| (c.epoch, c.next));
        let claim = match ledger.claim(*lane, log.identity(), committed).await {
            Err(older @ StoreError::Older(_)) => {
                // Services that start now know only what the log knows.
                if let Some(Committed { epoch, next }) = committed {
                    self.commit(epoch, next).await;
                }
                return Err(older.into());
            }
            claim => claim?,
        };
        self.check_log(&claim).await?;
        // The owner before may have ended before it told the log. From now on the log also knows
        // the epoch of this owner.
        self.commit(claim.epoch, claim.replied_next).await;
        self.owned = Some(Owned {
            epoch: claim.epoch,
            applied_next: claim.applied_next,
            replied_next: claim.replied_next,
            stored_replied: claim.replied_next,
            is_resting: false,
        });
        Ok(Step::Worked)
    }

    /// The record before the lane's position must be the one that was applied last, so that a
    /// log that was made again is noticed.
    async fn check_log(&self, claim: &Claim) -> Result<(), Trouble> {
        let next = claim.applied_next;
        let found = self.ports.log.last_before(self.lane, next).await;
        let found = found.map_err(|error| self.unread(error))?;
        if is_other(claim.last_id, found) {
            return Err(self.misfit(Mismatch::OtherRecord { next }));
        }
        Ok(())
    }

    fn misfit(&self, mismatch: Mismatch) -> Trouble {
        Trouble::Fatal(ServiceError::Lane(LaneProblem::of(self.lane, mismatch)))
    }

    fn unread(&self, error: LogError) -> Trouble {
        Trouble::of_log(AnyLane::Requests(self.lane), error)
    }

    async fn read(&self, from: Position) -> Result<Stretch, Trouble> {
        let read = self.ports.log.read(self.lane, from, self.limit).await;
        read.map_err(|error| self.unread(error))
    }

    /// Answers requests that were applied, but perhaps not answered, from their receipts.
    async fn rebuild(&mut self) -> Result<Step, Trouble> {
        let Some(Owned { applied_next, replied_next: from, .. }) = self.owned else {
            return Ok(Step::Worked);
        };
        let Stretch { mut requests, last } = self.read(from).await?;
        // What was applied is there, or the log would say that it is gone.
        let Some((last, _)) = last else { return Ok(Step::Idle) };
        let to = last.next().min(applied_next);
        requests.retain(|record| record.position < applied_next);
        let receipts = match self.ports.ledger.receipts(self.lane, from, to).await {
            Err(StoreError::BadData { .. }) => {
                return Err(self.misfit(Mismatch::ReceiptGone { position: from }));
            }
            receipts => receipts?,
        };
        let places = requests.iter().map(|record| (record.position, record.id));
        let outcomes = outcomes_of(places, receipts);
        let outcomes =
            outcomes.map_err(|position| self.misfit(Mismatch::ReceiptGone { position }))?;
        let replies = requests.into_iter().zip(outcomes).map(|(r, o)| reply(r, o)).collect();
        self.answer(replies, to).await?;
        Ok(Step::Worked)
    }

    /// Applies and answers the next batch.
    async fn consume(&mut self) -> Result<Step, Trouble> {
        let Some(owned) = &self.owned else { return Ok(Step::Worked) };
        let Stretch { requests, last } = self.read(owned.applied_next).await?;
        let Some(last) = last else { return self.rest().await };
        let lane = (self.lane, owned.epoch);
        let batch = Batch::new(lane, owned.applied_next, owned.replied_next, requests);
        let Some((batch, receipt)) = self.apply(batch.up_to(last)).await? else {
            return Ok(Step::Worked);
        };
        self.limit = (self.limit * 2).min(self.rules.batch);
        let (answered, to) = (batch.replied, batch.to());
        let epoch = batch.epoch;
        if let Some(owned) = &mut self.owned {
            owned.applied_next = to;
            owned.stored_replied = answered;
            owned.is_resting = false;
        }
        self.commit(epoch, answered).await;
        let outcomes = receipt.entries.into_iter().map(|entry| entry.outcome);
        let replies =
            batch.into_records().into_iter().zip(outcomes).map(|(r, o)| reply(r, o)).collect();
        self.answer(replies, to).await?;
        Ok(Step::Worked)
    }

    /// Applies a batch; `None` where bad data must first be looked for in a smaller one. Bad
    /// data in a batch of one request is that request's: it is rejected.
    async fn apply(&mut self, batch: Batch) -> Result<Option<(Batch, Receipt)>, Trouble> {
        let what = match self.store(&batch).await {
            Ok(receipt) => return Ok(Some((batch, receipt))),
            Err(StoreError::BadData { what }) => what,
            Err(error) => return Err(error.into()),
        };
        let count = batch.records().len();
        if 1 < count {
            self.limit = count / 2;
            return Ok(None);
        }
        let batch = batch.rejected(&what);
        let receipt = self.store(&batch).await?;
        Ok(Some((batch, receipt)))
    }

    async fn store(&self, batch: &Batch) -> Result<Receipt, StoreError> {
        let Rules { policy, lanes, .. } = &*self.rules;
        let decide = |batch: &Batch, loaded: &mut _| judge_batch(batch, loaded, policy, *lanes);
        self.ports.ledger.apply(batch, &decide).await
    }

    /// With nothing to apply: stores how far the lane is answered. Not at once, for the next
    /// batch stores it too, and a single request that comes just then would wait for it.
    async fn rest(&mut self) -> Result<Step, Trouble> {
        let Some(owned) = &mut self.owned else { return Ok(Step::Worked) };
        let was_resting = std::mem::replace(&mut owned.is_resting, true);
        if owned.replied_next == owned.stored_replied || !was_resting {
            return Ok(Step::Idle);
        }
        let Some(owned) = &self.owned else { return Ok(Step::Worked) };
        self.store_replied(owned).await?;
        if let Some(owned) = &mut self.owned {
            owned.stored_replied = owned.replied_next;
        }
        Ok(Step::Worked)
    }

    /// Sends replies; once they are where they are read, everything below `to` is answered.
    async fn answer(
        &mut self,
        replies: Vec<(ReturnAddress, Reply)>,
        to: Position,
    ) -> Result<(), Trouble> {
        if !replies.is_empty() {
            self.ports.replies.send(replies).await?;
        }
        if let Some(owned) = &mut self.owned {
            owned.replied_next = to;
        }
        Ok(())
    }
}

fn reply(record: RequestRecord, outcome: Outcome) -> (ReturnAddress, Reply) {
    let shop = record.shop().cloned();
    let request_position = Some(record.position);
    (record.return_address, Reply { id: record.id, shop, outcome, request_position })
}
