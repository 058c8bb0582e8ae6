//! The requester's half: sends the requests of campaigns and records their outcomes.
//!
//! The order of steps is: store that a chunk may be sent, send it; store outcomes together
//! with the position of the replies. So a crash between any two of them loses nothing: what
//! has no outcome is sent again, and causes make that harmless.
//!
//! Each request lane is sent to by calls of its own. They go on while replies are read and
//! recorded, and while the requester waits; they stand still while it looks up campaigns, renews
//! its lease or stores what it is about to send. So neither a lane that takes no requests nor a
//! lane that does not answer holds up the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::campaign::Campaign;
use crate::correlation::Ticket;
use crate::damage::{Damage, Found};
use crate::lane::{Lane, Position, ReplyLane};
use crate::mismatch::{AnyLane, LaneProblem, Mismatch};
use crate::ports::{
    Answer, CampaignLedger, ChannelError, Clock, CommitLog, Holder, Lease, LogError, ReplyLanes,
    ReplyLog, ReplyRecord, RequestChannel, Restores, StoreError,
};
use crate::restore::check_lanes;
use crate::revision::Revision;
use crate::service::leased::{Leased, Outgoing, Part};
use crate::service::pacing::{Failures, Trouble, is_due};
use crate::service::send_calls::SendCalls;
use crate::service::sending::Sending;
use crate::service::{Obstacle, ServiceError, Step};
use crate::time::Timestamp;
use crate::window::WindowLimits;

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
    /// Where the request lanes stand.
    pub lanes: Arc<dyn Restores>,
    /// What the consumers have committed to the log of requests.
    pub commits: Arc<dyn CommitLog>,
    /// Where requests go.
    pub requests: Arc<dyn RequestChannel>,
    /// Where replies come from.
    pub replies: Arc<dyn ReplyLog>,
    /// For pacing.
    pub clock: Arc<dyn Clock>,
}

/// How often a requester does what, and how much of it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequesterTerms {
    /// How long a lease is in force; it is renewed after a third of that.
    pub lease: Duration,
    /// How often campaigns are looked up.
    pub look: Duration,
    /// The silence of a lane after which open requests are sent again.
    pub resend: Duration,
    /// How many requests of a reply lane may be under way.
    pub limits: WindowLimits,
}

/// Runs the campaigns of one reply lane while it has the lease.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct LaneRequester {
    context: LaneContext,
    leased: Option<Leased>,
    calls: SendCalls,
    failures: Failures,
}

/// What does not change with the lease.
struct LaneContext {
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
        let context = LaneContext { lane, holder, ports, terms, stopping: false };
        let (calls, failures) = (SendCalls::default(), Failures::default());
        Self { context, leased: None, calls, failures }
    }

    /// Gets or renews the lease, looks for campaigns, records replies, and sends while there
    /// is room in the window.
    ///
    /// Where requests cannot be sent in some lane, every step says so until they can; the others
    /// go on.
    ///
    /// # Errors
    ///
    /// When a human must look; the lane's campaigns stand still until then.
    pub async fn step(&mut self) -> Result<Step, ServiceError> {
        let done = match &mut self.leased {
            // A lease alone is no success: what failed by it before may fail again.
            None => return self.lease().await,
            Some(leased) => {
                if leased.begin_step() {
                    self.calls.clear();
                }
                let done = self.context.run(leased, &mut self.calls).await;
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
                    self.calls.clear();
                }
                self.pause(trouble)
            }
        }
    }

    async fn lease(&mut self) -> Result<Step, ServiceError> {
        match self.context.lease().await {
            Ok(Some(leased)) => {
                self.leased = Some(leased);
                Ok(Step::Worked)
            }
            Ok(None) => {
                let after = self.context.terms.lease / 3;
                Ok(Step::Pause { after, obstacle: Obstacle::LeasedByAnother })
            }
            Err(trouble) => self.pause(trouble),
        }
    }

    /// How to go on after a failure: never so late that the lease would run out meanwhile.
    fn pause(&mut self, trouble: Trouble) -> Result<Step, ServiceError> {
        let longest = self.context.terms.lease / 3;
        Ok(match self.failures.next_step(trouble)? {
            Step::Pause { after, obstacle } => Step::Pause { after: after.min(longest), obstacle },
            step => step,
        })
    }

    /// Goes on with what is being sent, and returns once there may be a reply or more to send.
    pub async fn wait(&mut self) {
        if let Some(leased) = &self.leased {
            let reply = self.context.ports.replies.wait(self.context.lane, leased.lease.position);
            self.calls.until_one_ends_or(reply).await;
        }
    }

    /// From now on only records what is under way.
    pub const fn stop_sending(&mut self) {
        self.context.stopping = true;
    }

    /// Whether it has the lease, as far as is known.
    #[must_use]
    pub const fn has_lease(&self) -> bool {
        self.leased.is_some()
    }

    /// How many requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.leased.as_ref().map_or(0, |leased| leased.window.under_way())
    }

    /// Whether a campaign of the lane has open slots, as far as is known, other than such as are
    /// damaged.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.leased.as_ref().is_none_or(|leased| {
            leased.looked_at.is_none() || leased.sending.values().any(|s| !s.is_set_aside())
        })
    }

    /// What is damaged of the lane's campaigns, as far as is known. It is left out, and tried
    /// again after a while.
    pub fn damaged(&self) -> impl Iterator<Item = &Damage> {
        self.leased.iter().flat_map(|leased| leased.damages.iter())
    }

    /// Whether anything is damaged of the lane's campaigns, as far as is known.
    #[must_use]
    pub fn has_damage(&self) -> bool {
        self.leased.as_ref().is_some_and(|leased| !leased.damages.is_empty())
    }

    /// Gives the lease back, so that the next requester need not wait until it runs out.
    ///
    /// # Errors
    ///
    /// When the store could not be told: then the next one waits.
    pub async fn surrender(&mut self) -> Result<(), StoreError> {
        self.calls.clear();
        match self.leased.take() {
            Some(leased) => self.context.ports.reply_lanes.surrender(&leased.lease).await,
            None => Ok(()),
        }
    }
}

impl LaneContext {
    /// Leases the lane, unless another has it.
    async fn lease(&self) -> Result<Option<Leased>, Trouble> {
        let now = self.ports.clock.now();
        self.check_partition()?;
        let log = self.ports.replies.identity();
        let end = self.ports.replies.end(self.lane).await;
        let end = end.map_err(|error| self.unread(error))?;
        self.check_log().await?;
        let reply_lanes = &self.ports.reply_lanes;
        let lease = reply_lanes.lease(self.lane, self.holder, (log, end), self.terms.lease).await?;
        let Some(lease) = lease else { return Ok(None) };
        self.check_age(&lease).await?;
        Ok(Some(Leased::new(lease, end, self.terms.limits, now)))
    }

    /// Checks that the lane has a partition, also while it is leased: the topic may be made again
    /// with fewer ones.
    fn check_partition(&self) -> Result<(), Trouble> {
        let partitions = self.ports.replies.lanes();
        if partitions <= self.lane.0 {
            let mismatch = Mismatch::NoPartition { partitions };
            let problem = LaneProblem::of_replies(self.lane, mismatch);
            return Err(Trouble::Fatal(ServiceError::Lane(problem)));
        }
        Ok(())
    }

    fn unread(&self, error: LogError) -> Trouble {
        Trouble::of_log(AnyLane::Replies(self.lane), error)
    }

    /// Checks that the database is not older than the request log, and has not left it. In a restored
    /// database the requester would record old replies, which tell of shops in a database that is
    /// gone.
    ///
    /// The check comes after the lease. If the database is restored later, or was restored and its
    /// consumers have not told the log enough, [`CampaignLedger::record`] leaves out what the
    /// database did not apply.
    async fn check_age(&self, lease: &Lease) -> Result<(), Trouble> {
        let RequesterPorts { lanes, commits, reply_lanes, .. } = &self.ports;
        let committed = commits.committed().await;
        let committed = committed.map_err(|error| self.unread(error))?;
        let older = check_lanes(&lanes.lanes().await?, (commits.identity(), &committed));
        let checked = match older {
            Err(older) => Err(Trouble::Fatal(ServiceError::Older(older))),
            // The database may have been moved between the first check and the lease.
            Ok(()) => self.check_log().await,
        };
        if checked.is_err() {
            // If the lease cannot be given back, it runs out.
            let _ = reply_lanes.surrender(lease).await;
        }
        checked
    }

    /// Checks that the database was not moved away from the request log. A requester that was frozen
    /// over the move would lease a lane in the reply topic of before, and no requester could take
    /// this lane afterwards.
    async fn check_log(&self) -> Result<(), Trouble> {
        let RequesterPorts { lanes, commits, .. } = &self.ports;
        if lanes.has_left(commits.identity()).await? {
            // A move leaves the log in every lane.
            let problem = LaneProblem::of(Lane(0), Mismatch::LeftLog);
            return Err(Trouble::Fatal(ServiceError::Lane(problem)));
        }
        Ok(())
    }

    async fn run(&self, leased: &mut Leased, calls: &mut SendCalls) -> Result<Step, Trouble> {
        self.check_partition()?;
        let now = self.ports.clock.now();
        if is_due(Some(leased.renewed_at), self.terms.lease / 3, now) {
            self.ports.reply_lanes.renew(&leased.lease, self.terms.lease).await?;
            leased.renewed_at = now;
        }
        leased.window.pass_time(now);
        if is_due(leased.looked_at, self.terms.look, now) {
            self.look(leased, now).await?;
            leased.send_late_again(self.terms.resend, calls, now);
        }
        let sent = self.send(leased, calls, now).await;
        // The requests travel while the replies to those before are recorded.
        let received = calls.beside(self.receive(leased, now)).await;
        let has_ended = Self::end_calls(leased, calls, now)?;
        let (has_sent, has_recorded) = (sent?, received?);
        leased.is_caught_up |= !has_recorded || leased.end <= leased.lease.position;
        let has_worked = has_sent || has_recorded || has_ended;
        Ok(match calls.obstacle() {
            Some(obstacle) => {
                let after = if has_worked { Duration::ZERO } else { self.terms.look };
                Step::Pause { after, obstacle }
            }
            None if has_worked => Step::Worked,
            None => Step::Idle,
        })
    }

    /// Looks up which campaigns there are and how they stand.
    async fn look(&self, leased: &mut Leased, now: Timestamp) -> Result<(), Trouble> {
        let Found { found: campaigns, damaged } = self.ports.ledger.open(&leased.lease).await?;
        leased.looked_at = Some(now);
        let open: BTreeSet<Revision> = campaigns.iter().map(|c| c.name.revision).collect();
        leased.forget_others(&open);
        leased.damages.looked(damaged, &open);
        if leased.damages.is_search_due(now) {
            leased.damages.found(self.ports.ledger.damaged(self.lane).await?, now);
        }
        for revision in leased.try_damaged_again(now) {
            let chunks = self.ports.ledger.chunks(revision).await?;
            leased.find_lost(revision, chunks.found, now);
        }
        for campaign in campaigns {
            let revision = campaign.name.revision;
            match leased.sending.get_mut(&revision) {
                Some(sending) if sending.is_still(&campaign) => sending.campaign = campaign,
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
        let Found { found: chunks, damaged } = self.ports.ledger.chunks(revision).await?;
        leased.forget(revision);
        leased.damages.forget(revision);
        let lost = damaged.iter().filter_map(|damage| Some(damage.item.chunk()?.1)).collect();
        leased.sending.insert(revision, Sending::new(campaign, &chunks, lost, now));
        leased.keep(revision, chunks);
        for damage in damaged {
            leased.meet(damage);
        }
        Ok(())
    }

    /// Records the replies that came. Returns whether there were any.
    async fn receive(&self, leased: &mut Leased, now: Timestamp) -> Result<bool, Trouble> {
        let position = leased.lease.position;
        let records = match self.ports.replies.read(self.lane, position, REPLIES).await {
            Ok(records) => records,
            // The lane goes on, and the loss is logged.
            Err(lost @ LogError::Truncated { first, .. }) => {
                self.record(leased, first, &[], now).await?;
                leased.send_all_again(now);
                return Err(Trouble::RepliesLost(self.lane, lost));
            }
            // What comes from now on stands before the position. What stood there was recorded.
            Err(lost @ LogError::Beyond { end, .. }) => {
                self.ports.reply_lanes.go_back(&leased.lease, end).await?;
                leased.lease.position = end;
                leased.send_all_again(now);
                return Err(Trouble::RepliesLost(self.lane, lost));
            }
            Err(error) => return Err(self.unread(error)),
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
            if !leased.lists.knows(revision) {
                let chunks = self.ports.ledger.chunks(revision).await?;
                leased.keep(revision, chunks.found);
            }
            let Some(number) = leased.lists.chunk_of(ticket) else { continue };
            self.open_lists(leased, revision, &[number]).await?;
            let answer = leased.lists.answer(ticket, number, reply);
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
        let lists = &leased.lists;
        let is_missing = |number: &u32| {
            lists.shops(revision, *number).is_none() && !lists.is_damaged(revision, *number)
        };
        let missing: Vec<u32> = numbers.iter().copied().filter(is_missing).collect();
        if !missing.is_empty() {
            let Found { found, damaged } = self.ports.ledger.lists(revision, &missing).await?;
            leased.lists.keep_shops(revision, found);
            for damage in damaged {
                if let Some((revision, number)) = damage.item.chunk() {
                    leased.lists.damaged(revision, number);
                }
                leased.meet(damage);
            }
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

    /// Chooses what is sent now, stores that it may be sent, and begins to send it: each lane by
    /// a call of its own. Nothing is sent before what was answered before the lease was recorded.
    /// Returns whether anything was chosen.
    async fn send(
        &self,
        leased: &mut Leased,
        calls: &mut SendCalls,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        if self.stopping || !leased.is_caught_up {
            return Ok(false);
        }
        let parts = leased.choose(|lane| calls.is_free(lane, now), now);
        let mut of_campaign: BTreeMap<Revision, Vec<Part>> = BTreeMap::new();
        for part in &parts {
            of_campaign.entry(part.revision).or_default().push(*part);
        }
        let (mut outgoing, mut failure) = (BTreeMap::new(), None);
        for (revision, parts) in of_campaign {
            if failure.is_none() {
                let marked = self.mark(leased, revision, &parts, &mut outgoing, now).await;
                failure = marked.err();
            }
            if failure.is_some() {
                leased.put_back(&parts);
            }
        }
        for (lane, Outgoing { requests, chunks }) in outgoing {
            let channel = Arc::clone(&self.ports.requests);
            let address = self.ports.replies.address(self.lane);
            let call = async move { channel.send(requests, &address).await };
            calls.begin(lane, chunks, Box::pin(call));
        }
        failure.map_or(Ok(!parts.is_empty()), Err)
    }

    /// Stores that the chunks of a campaign's parts may have been sent, and makes their requests.
    /// Damaged ones are set aside; one whose shops cannot be read is not marked, for it is not
    /// sent.
    async fn mark(
        &self,
        leased: &mut Leased,
        revision: Revision,
        parts: &[Part],
        outgoing: &mut BTreeMap<Lane, Outgoing>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let numbers: Vec<u32> = parts.iter().map(|part| part.due.number).collect();
        self.open_lists(leased, revision, &numbers).await?;
        let Some(sending) = leased.sending.get(&revision) else { return Ok(()) };
        let is_listed = |number: &u32| leased.lists.shops(revision, *number).is_some();
        let listed: Vec<u32> = numbers.into_iter().filter(is_listed).collect();
        if listed.is_empty() {
            for part in parts {
                leased.set_aside(part);
            }
            return Ok(());
        }
        let (lease, part) = (&leased.lease, sending.part());
        let marked = self.ports.ledger.mark_sent(lease, revision, part, &listed).await?;
        let Found { found: chunks, damaged } = marked;
        if chunks.is_empty() && damaged.iter().all(|damage| damage.item.chunk().is_none()) {
            // The campaign moved on: look it up again before anything else is sent.
            leased.forget(revision);
            leased.looked_at = None;
            return Ok(());
        }
        let is_marked = |part: &&Part| chunks.iter().any(|c| c.number == part.due.number);
        let (marked, aside): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(is_marked);
        for part in aside {
            leased.set_aside(part);
        }
        for damage in damaged {
            leased.meet(damage);
        }
        let marked: Vec<Part> = marked.into_iter().copied().collect();
        leased.begin(&marked, &chunks, outgoing, now);
        Ok(())
    }

    /// Takes account of the calls that have returned. Returns whether there were any.
    fn end_calls(
        leased: &mut Leased,
        calls: &mut SendCalls,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let ended = calls.take_ended();
        let has_ended = !ended.is_empty();
        for call in ended {
            match call.result {
                Ok(()) => {
                    calls.succeeded(call.lane);
                    leased.arrived(call.lane, &call.chunks, now);
                }
                Err(ChannelError::Closed) => return Err(Trouble::Fatal(ServiceError::Closed)),
                Err(error @ ChannelError::Unknown(_)) => {
                    calls.failed(call.lane, error, now);
                    leased.send_chunks_again(&call.chunks);
                }
            }
        }
        Ok(has_ended)
    }
}
