//! The requester's half: sends the requests of campaigns and records their outcomes.
//!
//! The order of deeds is: store that a chunk may be sent, send it; store outcomes together
//! with the position of the replies. So a crash between any two of them loses nothing: what
//! has no outcome is sent again, and causes make that harmless.

use std::sync::Arc;
use std::time::Duration;

use crate::campaign::Campaign;
use crate::correlation::Ticket;
use crate::lane::{Position, ReplyLane};
use crate::ports::{
    Answer, CampaignLedger, Clock, Holder, LogError, ReplyLanes, ReplyLog, ReplyRecord,
    RequestChannel, StoreError,
};
use crate::request::Request;
use crate::revision::Revision;
use crate::service::both::both;
use crate::service::leased::Leased;
use crate::service::pacing::{Failures, Trouble, is_due};
use crate::service::sending::{Due, Sending};
use crate::service::{Obstacle, ServiceError, Step};
use crate::time::Timestamp;

/// The most replies that are recorded at once.
const REPLIES: usize = 8_192;

/// What a requester works on.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct RequesterPorts {
    /// Who reads which reply lane.
    pub reply_lanes: Arc<dyn ReplyLanes>,
    /// The campaigns.
    pub ledger: Arc<dyn CampaignLedger>,
    /// Where requests go.
    pub requests: Arc<dyn RequestChannel>,
    /// Where replies come from.
    pub replies: Arc<dyn ReplyLog>,
    /// For pacing.
    pub clock: Arc<dyn Clock>,
}

/// How often a requester does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequesterTerms {
    /// How long a lease is in force; it is renewed after a third of that.
    pub lease: Duration,
    /// How often campaigns are looked up.
    pub look: Duration,
    /// The silence after which open requests are sent again.
    pub resend: Duration,
}

/// Runs the campaigns of one reply lane while it has the lease.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct LaneRequester {
    desk: Desk,
    leased: Option<Leased>,
    failures: Failures,
}

/// Where it works: what does not change with the lease.
struct Desk {
    lane: ReplyLane,
    holder: Holder,
    ports: RequesterPorts,
    terms: RequesterTerms,
    stopping: bool,
}

impl LaneRequester {
    /// A requester without a lease yet.
    #[must_use]
    pub fn new(
        lane: ReplyLane,
        holder: Holder,
        ports: RequesterPorts,
        terms: RequesterTerms,
    ) -> Self {
        let desk = Desk { lane, holder, ports, terms, stopping: false };
        Self { desk, leased: None, failures: Failures::default() }
    }

    /// Gets or renews the lease, looks for campaigns, records replies, and sends while there
    /// is room in the window.
    ///
    /// # Errors
    ///
    /// When a human must look; the lane's campaigns stand still until then.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let done = match &mut self.leased {
            // A lease alone is no success: what failed by it before may fail again.
            None => return self.lease().await,
            Some(leased) => {
                leased.begin_step();
                let done = self.desk.run(leased).await;
                leased.end_step();
                done
            }
        };
        match done {
            Ok(step) => {
                self.failures.forget();
                Ok(step)
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Fenced) {
                    self.leased = None;
                }
                self.pause(trouble)
            }
        }
    }

    async fn lease(&mut self) -> Result<Step, ServiceError> {
        match self.desk.lease().await {
            Ok(Some(leased)) => {
                self.leased = Some(leased);
                Ok(Step::Worked)
            }
            Ok(None) => {
                let after = self.desk.terms.lease / 3;
                Ok(Step::Pause { after, obstacle: Obstacle::LeasedByAnother })
            }
            Err(trouble) => self.pause(trouble),
        }
    }

    /// How to go on after a failure: never so late that the lease would run out meanwhile.
    fn pause(&mut self, trouble: Trouble) -> Result<Step, ServiceError> {
        let longest = self.desk.terms.lease / 3;
        Ok(match self.failures.next_step(trouble)? {
            Step::Pause { after, obstacle } => Step::Pause { after: after.min(longest), obstacle },
            step => step,
        })
    }

    /// Returns once there may be a reply.
    pub async fn wait(&self) {
        if let Some(leased) = &self.leased {
            self.desk.ports.replies.wait(self.desk.lane, leased.lease.position).await;
        }
    }

    /// From now on only records what is under way.
    pub const fn stop_sending(&mut self) {
        self.desk.stopping = true;
    }

    /// Whether it has the lease, as far as is known.
    #[must_use]
    pub const fn has_lease(&self) -> bool {
        self.leased.is_some()
    }

    /// How many requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.leased.as_ref().map_or(0, Leased::in_flight)
    }

    /// Whether a campaign of the lane has open slots, as far as is known.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.leased.as_ref().is_none_or(|l| l.looked_at.is_none() || !l.sending.is_empty())
    }

    /// Gives the lease back, so that the next requester need not wait until it runs out.
    ///
    /// # Errors
    ///
    /// When the store could not be told: then the next one waits.
    pub async fn surrender(&mut self) -> Result<(), StoreError> {
        match self.leased.take() {
            Some(leased) => self.desk.ports.reply_lanes.surrender(&leased.lease).await,
            None => Ok(()),
        }
    }
}

impl Desk {
    /// Leases the lane, unless another has it.
    async fn lease(&self) -> Result<Option<Leased>, Trouble> {
        let now = self.ports.clock.now();
        let log = self.ports.replies.identity();
        let end = self.ports.replies.end(self.lane).await;
        let end = end.map_err(|error| Trouble::of_log(self.lane.0, error))?;
        let reply_lanes = &self.ports.reply_lanes;
        let lease = reply_lanes.lease(self.lane, self.holder, (log, end), self.terms.lease).await?;
        Ok(lease.map(|lease| Leased::new(lease, end, now)))
    }

    async fn run(&self, leased: &mut Leased) -> Result<Step, Trouble> {
        let now = self.ports.clock.now();
        if is_due(Some(leased.renewed_at), self.terms.lease / 3, now) {
            self.ports.reply_lanes.renew(&leased.lease, self.terms.lease).await?;
            leased.renewed_at = now;
        }
        if is_due(leased.looked_at, self.terms.look, now) {
            self.look(leased, now).await?;
        }
        let mut taken = Vec::new();
        // The requests travel while the replies to those before are recorded.
        let (sent, received) = match self.take(leased, &mut taken, now).await {
            Ok(requests) => both(self.dispatch(requests), self.receive(leased, now)).await,
            Err(trouble) => (Err(trouble), Ok(false)),
        };
        if sent.is_err() {
            for (revision, chunks) in taken.iter().rev() {
                leased.put_back(*revision, chunks);
            }
        }
        sent?;
        let recorded = received?;
        leased.is_caught_up |= !recorded || leased.end <= leased.lease.position;
        Ok(if recorded || !taken.is_empty() { Step::Worked } else { Step::Idle })
    }

    /// Looks up which campaigns there are and how they stand.
    async fn look(&self, leased: &mut Leased, now: Timestamp) -> Result<(), Trouble> {
        let campaigns = self.ports.ledger.open(&leased.lease).await?;
        leased.looked_at = Some(now);
        leased.sending.retain(|revision, _| {
            campaigns.iter().any(|campaign| campaign.name.revision == *revision)
        });
        for campaign in campaigns {
            let revision = campaign.name.revision;
            match leased.sending.get_mut(&revision) {
                Some(sending) if sending.is_still(&campaign) => {
                    sending.campaign = campaign;
                    if is_due(Some(sending.moved_at), self.terms.resend, now) {
                        sending.send_again(now);
                    }
                }
                _ => self.take_up(leased, campaign, now).await?,
            }
        }
        Ok(())
    }

    /// Begins, or begins anew, to run a campaign.
    async fn take_up(
        &self,
        leased: &mut Leased,
        campaign: Campaign,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let revision = campaign.name.revision;
        let chunks = self.ports.ledger.chunks(revision).await?;
        leased.sending.insert(revision, Sending::new(campaign, &chunks, now));
        leased.keep(revision, chunks);
        Ok(())
    }

    /// Records the replies that came. Returns whether there were any.
    async fn receive(&self, leased: &mut Leased, now: Timestamp) -> Result<bool, Trouble> {
        let position = leased.lease.position;
        let records = match self.ports.replies.read(self.lane, position, REPLIES).await {
            Ok(records) => records,
            Err(error @ LogError::Truncated { first, .. }) => {
                self.record(leased, first, &[], now).await?;
                for sending in leased.sending.values_mut() {
                    sending.send_again(now);
                }
                // Going on is all right, but nobody should overlook it.
                return Err(Trouble::Unavailable(error.into()));
            }
            Err(error) => return Err(Trouble::of_log(self.lane.0, error)),
        };
        let Some(last) = records.last() else { return Ok(false) };
        let to = last.position.next();
        let answers = self.answers(leased, records).await?;
        self.record(leased, to, &answers, now).await?;
        Ok(true)
    }

    /// Finds the place of each reply; those that have none are dropped.
    async fn answers(
        &self,
        leased: &mut Leased,
        records: Vec<ReplyRecord>,
    ) -> Result<Vec<(Revision, Answer)>, Trouble> {
        let mut answers = Vec::with_capacity(records.len());
        for reply in records.into_iter().filter_map(|record| record.reply) {
            let Some(ticket) = Ticket::read(reply.id) else { continue };
            let revision = ticket.revision;
            if !leased.books.knows(revision) {
                let chunks = self.ports.ledger.chunks(revision).await?;
                leased.keep(revision, chunks);
            }
            let Some(number) = leased.books.chunk_of(ticket) else { continue };
            self.open_lists(leased, revision, &[number]).await?;
            let answer = leased.books.answer(ticket, number, reply);
            answers.extend(answer.map(|answer| (revision, answer)));
        }
        Ok(answers)
    }

    /// Reads the lists of chunks that are not in memory.
    async fn open_lists(
        &self,
        leased: &mut Leased,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<(), Trouble> {
        let is_missing = |number: &u32| leased.books.shops(revision, *number).is_none();
        let missing: Vec<u32> = numbers.iter().copied().filter(is_missing).collect();
        if !missing.is_empty() {
            let lists = self.ports.ledger.lists(revision, &missing).await?;
            leased.books.keep_shops(revision, lists);
        }
        Ok(())
    }

    async fn record(
        &self,
        leased: &mut Leased,
        to: Position,
        answers: &[(Revision, Answer)],
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let recorded = self.ports.ledger.record(&leased.lease, to, answers).await?;
        leased.lease.position = to;
        leased.enter(recorded, now);
        self.ports.replies.release(self.lane, to).await;
        Ok(())
    }

    /// Takes chunks of the campaigns in turn while there is room, and returns their requests:
    /// sent in one go, for waiting for each chunk to arrive would cost a round trip a chunk.
    /// Nothing is sent before what was answered before the lease was recorded.
    async fn take(
        &self,
        leased: &mut Leased,
        taken: &mut Vec<(Revision, Vec<Due>)>,
        now: Timestamp,
    ) -> Result<Vec<Request>, Trouble> {
        let mut requests = Vec::new();
        if self.stopping || !leased.is_caught_up {
            return Ok(requests);
        }
        while let Some((revision, chunks)) = leased.next() {
            let numbers: Vec<u32> = chunks.iter().map(|due| due.number).collect();
            taken.push((revision, chunks));
            requests.extend(self.prepare(leased, revision, &numbers, now).await?);
        }
        Ok(requests)
    }

    async fn dispatch(&self, requests: Vec<Request>) -> Result<(), Trouble> {
        if requests.is_empty() {
            return Ok(());
        }
        let address = self.ports.replies.address(self.lane);
        self.ports.requests.send(requests, &address).await?;
        Ok(())
    }

    /// Stores that chunks may have been sent, and returns their requests.
    async fn prepare(
        &self,
        leased: &mut Leased,
        revision: Revision,
        numbers: &[u32],
        now: Timestamp,
    ) -> Result<Vec<Request>, Trouble> {
        let Some(sending) = leased.sending.get(&revision) else { return Ok(Vec::new()) };
        let (lease, part) = (&leased.lease, sending.part());
        let chunks = self.ports.ledger.mark_sent(lease, revision, part, numbers).await?;
        if chunks.is_empty() {
            // The campaign moved on: look it up again before anything else is sent.
            leased.sending.remove(&revision);
            leased.looked_at = None;
            return Ok(Vec::new());
        }
        self.open_lists(leased, revision, numbers).await?;
        let Leased { sending, books, .. } = leased;
        let Some(sending) = sending.get_mut(&revision) else { return Ok(Vec::new()) };
        sending.moved_at = now;
        let mut requests = Vec::new();
        for chunk in &chunks {
            sending.under_way.insert(chunk.number, chunk.open());
            let shops = books.shops(revision, chunk.number);
            requests.extend(shops.into_iter().flat_map(|shops| sending.requests(chunk, shops)));
        }
        Ok(requests)
    }
}
