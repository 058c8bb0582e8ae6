//! The consumer's half: applies the requests of one lane and answers them.
//!
//! The order of steps is: decide and store, reply, and only then say that it is answered. So a
//! crash between any two of them loses nothing: what was stored is answered from its receipt.

use std::sync::Arc;

use crate::batch::{Batch, Receipt, judge_batch};
use crate::lane::{Committed, Lane, Lanes, Position};
use crate::mismatch::{AnyLane, LaneProblem, Mismatch, is_other, outcomes_of};
use crate::outcome::{Outcome, Reply};
use crate::ports::{Claim, LogError, ReplyChannel, RequestLog, ShopLedger, StoreError, Stretch};
use crate::request::{RequestRecord, ReturnAddress};
use crate::service::owned::Owned;
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
    setup: Setup,
    owned: Option<Owned>,
    /// Where the lane stood when this consumer owned it last.
    before: Option<Owned>,
    failures: Failures,
}

/// What does not change with the owner of the lane.
struct Setup {
    lane: Lane,
    ports: ConsumerPorts,
    rules: Arc<Rules>,
}

impl LaneConsumer {
    /// A consumer that owns nothing yet.
    #[must_use]
    pub fn new(lane: Lane, ports: ConsumerPorts, rules: Arc<Rules>) -> Self {
        let setup = Setup { lane, ports, rules };
        Self { setup, owned: None, before: None, failures: Failures::default() }
    }

    /// Claims the lane, answers what an owner before left unanswered, or applies and answers
    /// one batch: whichever comes first.
    ///
    /// # Errors
    ///
    /// When a human must look; the lane stands still until then.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let done = match &mut self.owned {
            // A claim alone is no success: what failed by it before may fail again.
            None => return self.claim().await,
            Some(owned) if owned.lacks_answers() => self.setup.rebuild(owned).await,
            Some(owned) => self.setup.consume(owned).await,
        };
        match done {
            Ok(step) => {
                self.failures.forget();
                Ok(step)
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Fenced) {
                    self.before = self.owned.take();
                }
                self.failures.next_step(trouble)
            }
        }
    }

    async fn claim(&mut self) -> Result<Step, ServiceError> {
        match self.setup.claim(self.before.as_ref()).await {
            Ok(owned) => {
                self.owned = Some(owned);
                Ok(Step::Worked)
            }
            Err(trouble) => self.failures.next_step(trouble),
        }
    }

    /// Returns once the log may have something for this consumer.
    pub async fn wait(&self) {
        if let Some(owned) = &self.owned {
            self.setup.ports.log.wait(self.setup.lane, owned.answered().next).await;
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
            Some(mut owned) if owned.has_unstored_answers() => {
                self.setup.store_answered(&mut owned).await
            }
            _ => Ok(()),
        }
    }
}

impl Setup {
    async fn claim(&self, before: Option<&Owned>) -> Result<Owned, Trouble> {
        let ConsumerPorts { ledger, log, .. } = &self.ports;
        // Read before the claim: whatever is committed by then, the database has stored.
        let committed = log.committed(self.lane).await.map_err(|error| self.unread(error))?;
        let known = before.map(Owned::applied);
        // Commits reach the log a moment late, so this consumer may know more than the log.
        let committed = committed.into_iter().chain(known).max_by_key(|c| (c.epoch, c.next));
        let claim = match ledger.claim(self.lane, log.identity(), committed).await {
            Err(older @ StoreError::Older(_)) => {
                // Services that start now know only what the log knows.
                if let Some(committed) = committed {
                    self.commit(committed).await;
                }
                return Err(older.into());
            }
            claim => claim?,
        };
        self.check_log(&claim).await?;
        let owned = Owned::new(&claim, before.map_or(self.rules.batch, |before| before.limit));
        // The owner before may have ended before it told the log. From now on the log also knows
        // the epoch of this owner.
        self.commit(owned.answered()).await;
        Ok(owned)
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

    async fn read(&self, from: Position, limit: usize) -> Result<Stretch, Trouble> {
        let read = self.ports.log.read(self.lane, from, limit).await;
        read.map_err(|error| self.unread(error))
    }

    /// Tells the log how far the lane is answered, and never more than the database has stored. So
    /// if the log knows more than the database, the database was restored.
    async fn commit(&self, committed: Committed) {
        self.ports.log.commit(self.lane, committed).await;
    }

    /// Answers requests that were applied, but perhaps not answered, from their receipts.
    async fn rebuild(&self, owned: &mut Owned) -> Result<Step, Trouble> {
        let (from, applied_next) = (owned.answered().next, owned.applied().next);
        let Stretch { mut requests, last } = self.read(from, owned.limit).await?;
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
        self.answer(owned, requests.into_iter().zip(outcomes), to).await
    }

    /// Applies and answers the next batch.
    async fn consume(&self, owned: &mut Owned) -> Result<Step, Trouble> {
        let Stretch { requests, last } = self.read(owned.applied().next, owned.limit).await?;
        let Some(last) = last else { return self.rest(owned).await };
        let batch = owned.batch(self.lane, requests).up_to(last);
        let Some((batch, receipt)) = self.apply(owned, batch).await? else {
            return Ok(Step::Worked);
        };
        self.commit(owned.enter(&batch, self.rules.batch)).await;
        let to = batch.to();
        let outcomes = receipt.entries.into_iter().map(|entry| entry.outcome);
        self.answer(owned, batch.into_records().into_iter().zip(outcomes), to).await
    }

    /// Applies a batch; `None` where bad data must first be looked for in a smaller one. Bad
    /// data in a batch of one request is that request's: it is rejected.
    async fn apply(
        &self,
        owned: &mut Owned,
        batch: Batch,
    ) -> Result<Option<(Batch, Receipt)>, Trouble> {
        let what = match self.store(&batch).await {
            Ok(receipt) => return Ok(Some((batch, receipt))),
            Err(StoreError::BadData { what }) => what,
            Err(error) => return Err(error.into()),
        };
        let count = batch.records().len();
        if 1 < count {
            owned.limit = count / 2;
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
    async fn rest(&self, owned: &mut Owned) -> Result<Step, Trouble> {
        let was_resting = owned.begin_rest();
        if !was_resting || !owned.has_unstored_answers() {
            return Ok(Step::Idle);
        }
        self.store_answered(owned).await?;
        Ok(Step::Worked)
    }

    async fn store_answered(&self, owned: &mut Owned) -> Result<(), StoreError> {
        let answered = owned.answered();
        self.ports.ledger.replied(self.lane, answered.epoch, answered.next).await?;
        self.commit(answered).await;
        // Only now: if the step is dropped before, the next one tells the log.
        owned.enter_stored();
        Ok(())
    }

    /// Sends replies; once they are where they are read, everything below `to` is answered.
    async fn answer(
        &self,
        owned: &mut Owned,
        outcomes: impl Iterator<Item = (RequestRecord, Outcome)> + Send,
        to: Position,
    ) -> Result<Step, Trouble> {
        let replies: Vec<_> = outcomes.map(|(record, outcome)| reply(record, outcome)).collect();
        if !replies.is_empty() {
            self.ports.replies.send(replies).await?;
        }
        owned.enter_answered(to);
        Ok(Step::Worked)
    }
}

fn reply(record: RequestRecord, outcome: Outcome) -> (ReturnAddress, Reply) {
    let shop = record.shop().cloned();
    let request_position = Some(record.position);
    (record.return_address, Reply { id: record.id, shop, outcome, request_position })
}
