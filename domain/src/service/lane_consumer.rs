//! The consumer's half: applies the requests of one lane and answers them.
//!
//! The order of deeds is: decide and store, reply, and only then say that it is answered. So a
//! crash between any two of them loses nothing: what was stored is answered from its receipt.

use std::sync::Arc;

use crate::batch::{Batch, Receipt, judge_batch};
use crate::lane::{Epoch, Lane, Lanes, Position};
use crate::outcome::{Code, Outcome, Reply};
use crate::ports::{
    ChannelError, Claim, LogError, ReplyChannel, RequestLog, ShopLedger, StoreError,
};
use crate::request::{Invalid, RequestRecord, ReturnAddress};
use crate::service::{ServiceError, Step, pause_after};
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
    /// The most requests of the next batch: fewer while bad data is looked for.
    limit: usize,
    failures: u32,
}

/// Where the lane stands, for its owner.
struct Owned {
    epoch: Epoch,
    applied_next: Position,
    /// Everything below is answered.
    replied_next: Position,
    /// Everything below is stored as answered.
    stored_replied: Position,
}

/// Why a step did not succeed.
enum Trouble {
    /// Forget what is held, and claim again.
    Fenced,
    /// Try again.
    Unavailable,
    /// Leave out what carries it.
    BadData(String),
    /// A human must look.
    Fatal(ServiceError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced => Self::Fenced,
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::BadData { what } => Self::BadData(what),
            StoreError::Refused { what } => Self::Fatal(ServiceError::Refused { what }),
        }
    }
}

impl From<ChannelError> for Trouble {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Unknown(_) => Self::Unavailable,
            ChannelError::Closed => Self::Fatal(ServiceError::Closed),
        }
    }
}

impl LaneConsumer {
    /// A consumer that owns nothing yet.
    #[must_use]
    pub fn new(lane: Lane, ports: ConsumerPorts, rules: Arc<Rules>) -> Self {
        let limit = rules.batch;
        Self { lane, ports, rules, owned: None, limit, failures: 0 }
    }

    /// Claims the lane, answers what an owner before left unanswered, or applies and answers
    /// one batch: whichever comes first.
    ///
    /// # Errors
    ///
    /// When a human must look; the lane stands still until then.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let done = match &self.owned {
            None => self.claim().await,
            Some(owned) if owned.replied_next < owned.applied_next => self.rebuild().await,
            Some(_) => self.consume().await,
        };
        match done {
            Ok(step) => Ok(step),
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::BadData(what)) => Err(ServiceError::Refused { what }),
            Err(Trouble::Unavailable) => Ok(self.pause()),
            Err(Trouble::Fenced) => {
                self.owned = None;
                Ok(self.pause())
            }
        }
    }

    /// Returns once the log may have something for this consumer.
    pub async fn wait(&self) {
        if let Some(owned) = &self.owned {
            self.ports.log.wait(self.lane, owned.applied_next).await;
        }
    }

    fn pause(&mut self) -> Step {
        self.failures = self.failures.saturating_add(1);
        pause_after(self.failures)
    }

    async fn claim(&mut self) -> Result<Step, Trouble> {
        let claim = self.ports.ledger.claim(self.lane, self.ports.log.identity()).await?;
        self.check_log(&claim).await?;
        self.owned = Some(Owned {
            epoch: claim.epoch,
            applied_next: claim.applied_next,
            replied_next: claim.replied_next,
            stored_replied: claim.replied_next,
        });
        Ok(Step::Worked)
    }

    /// The record before the lane's position must be the one that was applied last, so that a
    /// log that was made again, or an older database, is noticed.
    async fn check_log(&self, claim: &Claim) -> Result<(), Trouble> {
        let position = claim.applied_next;
        let last = self.ports.log.last_before(self.lane, position).await;
        match last.map_err(|error| self.log_trouble(error))? {
            Some(id) if claim.last_id.is_some_and(|expected| expected != id) => {
                Err(Trouble::Fatal(ServiceError::ForeignLog { lane: self.lane, position }))
            }
            _ => Ok(()),
        }
    }

    fn log_trouble(&self, error: LogError) -> Trouble {
        match error {
            LogError::Unavailable(_) => Trouble::Unavailable,
            source @ (LogError::Truncated { .. } | LogError::Beyond { .. }) => {
                Trouble::Fatal(ServiceError::Log { lane: self.lane.0, source })
            }
        }
    }

    async fn read(&self, from: Position) -> Result<Vec<RequestRecord>, Trouble> {
        let read = self.ports.log.read(self.lane, from, self.limit).await;
        read.map_err(|error| self.log_trouble(error))
    }

    /// Answers requests that were applied, but perhaps not answered, from their receipts.
    async fn rebuild(&mut self) -> Result<Step, Trouble> {
        let Some(Owned { applied_next, replied_next: from, .. }) = self.owned else {
            return Ok(Step::Worked);
        };
        let mut records = self.read(from).await?;
        records.retain(|record| record.position < applied_next);
        let to = records.last().map_or(applied_next, |record| record.position.next());
        let receipts = self.ports.ledger.receipts(self.lane, from, to).await?;
        let mut entries = receipts.into_iter().flat_map(|receipt| receipt.entries);
        let mut replies = Vec::with_capacity(records.len());
        for record in records {
            // Entries and records stand in the order of the lane.
            match entries.find(|entry| entry.position == record.position) {
                Some(entry) if entry.id == record.id => {
                    replies.push(reply(record, entry.outcome));
                }
                _ => {
                    let position = record.position;
                    let error = ServiceError::ForeignLog { lane: self.lane, position };
                    return Err(Trouble::Fatal(error));
                }
            }
        }
        self.answer(replies, to).await?;
        Ok(Step::Worked)
    }

    /// Applies and answers the next batch.
    async fn consume(&mut self) -> Result<Step, Trouble> {
        let Some(owned) = &self.owned else { return Ok(Step::Worked) };
        let records = self.read(owned.applied_next).await?;
        if records.is_empty() {
            return self.rest().await;
        }
        let Some((batch, receipt)) = self.apply(records).await? else {
            return Ok(Step::Worked);
        };
        self.failures = 0;
        self.limit = (self.limit * 2).min(self.rules.batch);
        let (answered, to) = (batch.replied, batch.to());
        if let Some(owned) = &mut self.owned {
            owned.applied_next = to;
            owned.stored_replied = answered;
        }
        self.ports.log.release(self.lane, answered).await;
        let outcomes = receipt.entries.into_iter().map(|entry| entry.outcome);
        let replies =
            batch.into_records().into_iter().zip(outcomes).map(|(r, o)| reply(r, o)).collect();
        self.answer(replies, to).await?;
        Ok(Step::Worked)
    }

    /// Applies these records; `None` where bad data must first be looked for in a smaller
    /// batch. Bad data in a batch of one is that request's: it is rejected.
    async fn apply(
        &mut self,
        records: Vec<RequestRecord>,
    ) -> Result<Option<(Batch, Receipt)>, Trouble> {
        let batch = self.batch(records);
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
        let mut records = batch.into_records();
        for record in &mut records {
            let shop = record.shop().cloned();
            let message = what.clone().into();
            record.request = Err(Invalid { code: Code::BadData, message, shop });
        }
        let batch = self.batch(records);
        let receipt = self.store(&batch).await?;
        Ok(Some((batch, receipt)))
    }

    fn batch(&self, records: Vec<RequestRecord>) -> Batch {
        let (epoch, from, replied) = match &self.owned {
            Some(owned) => (owned.epoch, owned.applied_next, owned.replied_next),
            None => (Epoch::default(), Position::default(), Position::default()),
        };
        Batch::new((self.lane, epoch), from, replied, records)
    }

    async fn store(&self, batch: &Batch) -> Result<Receipt, StoreError> {
        let Rules { policy, lanes, .. } = &*self.rules;
        let decide = |batch: &Batch, loaded: &mut _| judge_batch(batch, loaded, policy, *lanes);
        self.ports.ledger.apply(batch, &decide).await
    }

    /// With nothing to apply: stores how far the lane is answered.
    async fn rest(&mut self) -> Result<Step, Trouble> {
        let Some(owned) = &mut self.owned else { return Ok(Step::Worked) };
        if owned.replied_next == owned.stored_replied {
            return Ok(Step::Idle);
        }
        self.ports.ledger.replied(self.lane, owned.epoch, owned.replied_next).await?;
        owned.stored_replied = owned.replied_next;
        self.ports.log.release(self.lane, owned.stored_replied).await;
        Ok(Step::Worked)
    }

    /// Sends replies; once they are where they are read, everything below `to` is answered.
    async fn answer(
        &mut self,
        replies: Vec<(ReturnAddress, Reply)>,
        to: Position,
    ) -> Result<(), Trouble> {
        self.ports.replies.send(replies).await?;
        if let Some(owned) = &mut self.owned {
            owned.replied_next = to;
        }
        Ok(())
    }
}

fn reply(record: RequestRecord, outcome: Outcome) -> (ReturnAddress, Reply) {
    let shop = record.shop().cloned();
    (record.return_address, Reply { id: record.id, shop, outcome })
}
