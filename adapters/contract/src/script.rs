//! A consumer on a log that is written down beforehand, with faults where the script says.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catchment_domain::ports::{
    ChannelError, Claim, Decide, LogError, ReplyChannel, RequestLog, ShopLedger, StoreError,
    Stretch, VisitReceipt,
};
use catchment_domain::service::{ConsumerPorts, LaneConsumer, Rules, ServiceError, Step};
use catchment_domain::{
    Batch, Committed, Damage, Epoch, Lane, LogIdentity, Position, Receipt, Reply, RequestId,
    RequestRecord, ReturnAddress,
};

use crate::Store;
use crate::scene::{lasting_log, policy};

/// More steps than any script takes.
const MANY_STEPS: usize = 1_000;

/// A log of one lane, and what was answered to it.
pub(crate) struct Script {
    pub(crate) records: Vec<RequestRecord>,
    /// Which of the records belong to others.
    pub(crate) foreign: BTreeSet<Position>,
    pub(crate) replies: Mutex<Vec<Reply>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    pub(crate) committed: Mutex<Option<Committed>>,
}

/// What goes wrong with the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database cannot be reached.
    StoreUnavailable,
    /// The batch is stored, and the answer to the commit is lost.
    AnswerLost,
    /// The batch is stored, and its replies cannot be sent.
    RepliesUnsent,
    /// The replies are sent, and the answer to that is lost.
    RepliesUnknown,
}

impl Script {
    pub(crate) fn new(records: Vec<RequestRecord>, faults: &[Fault]) -> Arc<Self> {
        Self::shared(records, &[], faults)
    }

    /// A log that is shared with others.
    pub(crate) fn shared(
        records: Vec<RequestRecord>,
        foreign: &[Position],
        faults: &[Fault],
    ) -> Arc<Self> {
        let faults = Mutex::new(faults.iter().copied().collect());
        let foreign = foreign.iter().copied().collect();
        let (replies, committed) = (Mutex::default(), Mutex::default());
        Arc::new(Self { records, foreign, replies, faults, committed })
    }

    /// Whether this fault is the next, which it is then no more.
    fn meets(&self, fault: Fault) -> bool {
        let mut faults = self.faults.lock().unwrap();
        faults.pop_front_if(|next| *next == fault).is_some()
    }

    fn check_end(&self, from: Position) -> Result<(), LogError> {
        let end = self.records.last().map_or(Position(0), |record| record.position.next());
        if end < from { Err(LogError::Beyond { from, end }) } else { Ok(()) }
    }

    pub(crate) fn replies(&self) -> Vec<Reply> {
        self.replies.lock().unwrap().clone()
    }

    /// A consumer of the script on a store, with batches of at most `batch`.
    pub(crate) fn consumer(self: &Arc<Self>, store: &Store, batch: usize) -> LaneConsumer {
        let ledger = Faulty { inner: Arc::clone(&store.ledger), script: Arc::clone(self) };
        let ports = ConsumerPorts {
            ledger: Arc::new(ledger),
            log: Arc::<Self>::clone(self),
            replies: Arc::<Self>::clone(self),
        };
        let rules = Rules { policy: policy(), lanes: store.shops.lanes(), batch };
        LaneConsumer::new(Lane(0), ports, Arc::new(rules))
    }
}

/// Lets a consumer work until it has nothing to do twice in a row: it stores how far its lane is
/// answered only the second time.
pub(crate) async fn run(consumer: &mut LaneConsumer) -> Result<(), ServiceError> {
    let mut was_idle = false;
    for _ in 0..MANY_STEPS {
        let is_idle = matches!(consumer.step().await?, Step::Idle);
        if is_idle && was_idle {
            return Ok(());
        }
        was_idle = is_idle;
    }
    panic!("the consumer does not come to rest");
}

/// Lets a consumer work until something goes wrong, or there is nothing to do.
pub(crate) async fn run_until_trouble(consumer: &mut LaneConsumer) {
    while matches!(consumer.step().await.unwrap(), Step::Worked) {}
}

#[async_trait]
impl RequestLog for Script {
    fn identity(&self) -> LogIdentity {
        lasting_log(1)
    }

    async fn read(&self, _: Lane, from: Position, max: usize) -> Result<Stretch, LogError> {
        self.check_end(from)?;
        let behind = self.records.iter().filter(|record| from <= record.position);
        let mut stretch = Stretch::of(behind.take(max).cloned().collect());
        stretch.requests.retain(|record| !self.foreign.contains(&record.position));
        Ok(stretch)
    }

    async fn last_before(
        &self,
        _: Lane,
        position: Position,
    ) -> Result<Option<RequestId>, LogError> {
        self.check_end(position)?;
        let before = self.records.iter().filter(|record| record.position < position);
        Ok(before.max_by_key(|record| record.position).map(|record| record.id))
    }

    async fn wait(&self, _: Lane, _: Position) {}

    async fn commit(&self, _: Lane, committed: Committed) {
        *self.committed.lock().unwrap() = Some(committed);
    }

    async fn committed(&self, _: Lane) -> Result<Option<Committed>, LogError> {
        Ok(*self.committed.lock().unwrap())
    }
}

#[async_trait]
impl ReplyChannel for Script {
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError> {
        if self.meets(Fault::RepliesUnsent) {
            return Err(ChannelError::Unknown("the script says so".into()));
        }
        self.replies.lock().unwrap().extend(replies.into_iter().map(|(_, reply)| reply));
        if self.meets(Fault::RepliesUnknown) {
            return Err(ChannelError::Unknown("the script says so".into()));
        }
        Ok(())
    }
}

/// A ledger with the faults of a script.
struct Faulty {
    inner: Arc<dyn ShopLedger>,
    script: Arc<Script>,
}

#[async_trait]
impl ShopLedger for Faulty {
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        self.inner.claim(lane, log, committed).await
    }

    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError> {
        if self.script.meets(Fault::StoreUnavailable) {
            return Err(StoreError::Unavailable("the script says so".into()));
        }
        let receipt = self.inner.apply(batch, decide).await?;
        if self.script.meets(Fault::AnswerLost) { Err(StoreError::Fenced) } else { Ok(receipt) }
    }

    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.inner.receipts(lane, from, to).await
    }

    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError> {
        self.inner.visit_receipts(visit).await
    }

    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError> {
        self.inner.replied(lane, epoch, next).await
    }
}
