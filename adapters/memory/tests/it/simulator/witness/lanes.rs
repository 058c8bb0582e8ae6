//! What the witness knows of the lanes of requests: I2, I3, I6 and I7.

use catchment_domain::ports::Claim;
use catchment_domain::{
    Batch, Deadline, Epoch, Lane, LaneTime, Outcome, Position, Receipt, Reply, Request, RequestId,
    RequestRecord, ReturnAddress, Revision, ShopState,
};

use super::Witness;
use crate::simulator::coverage::Met;
use crate::simulator::wires::{Disguise, Wires};

/// A request, and what judging it did.
pub(crate) struct Judged {
    pub(crate) record: RequestRecord,
    /// The lane's time before.
    pub(crate) time: LaneTime,
    /// Its shop before and after; `None` where there is none.
    pub(crate) before: Option<ShopState>,
    pub(crate) after: Option<ShopState>,
    /// Whether the request's campaign was ended at that time.
    pub(crate) is_over: bool,
    /// The newest revision that was given out at that time.
    pub(crate) newest: Revision,
    pub(crate) outcome: Outcome,
}

/// One lane.
pub(crate) struct LaneView {
    /// The requests that were brought into the lane.
    pub(crate) log: Vec<(Position, RequestId)>,
    /// Everything that was, records of others too.
    records: Vec<(Position, RequestId)>,
    /// What was applied, with its outcome.
    pub(crate) applied: Vec<(Position, RequestId, Outcome)>,
    pub(crate) applied_next: Position,
    pub(crate) replied_next: Position,
    /// How many of `applied` are known to have been answered.
    answered: usize,
    pub(crate) epoch: Epoch,
    /// The highest deadline that was treated as passed.
    pub(super) expired: Deadline,
}

impl Default for LaneView {
    fn default() -> Self {
        Self {
            log: Vec::new(),
            records: Vec::new(),
            applied: Vec::new(),
            applied_next: Position(0),
            replied_next: Position(0),
            answered: 0,
            epoch: Epoch(0),
            expired: Deadline::MIN,
        }
    }
}

impl LaneView {
    pub(super) fn begin_anew(&mut self) {
        *self = Self { epoch: self.epoch, expired: self.expired, ..Self::default() };
    }

    /// Everything that was brought in was applied or passed over, and answered, and that is
    /// stored.
    pub(crate) fn is_at_rest(&self) -> bool {
        let end = self.records.last().map_or(Position(0), |(position, _)| position.next());
        self.log.len() == self.applied.len()
            && self.applied_next == end
            && self.applied_next == self.replied_next
    }

    /// The last record that was applied or passed over.
    fn last_id(&self) -> Option<RequestId> {
        let behind = self.records.partition_point(|(position, _)| *position < self.applied_next);
        self.records[..behind].last().map(|(_, id)| *id)
    }
}

impl Witness {
    fn lane(&mut self, lane: Lane) -> &mut LaneView {
        &mut self.lanes[usize::from(lane.0)]
    }

    /// A request was given to a channel: it may come whenever, and more than once.
    pub(crate) fn sent(&mut self, request: &Request, address: &ReturnAddress) {
        self.sent.push((request.clone(), address.clone()));
    }

    /// A request was brought into its lane. Returns its position there.
    pub(crate) fn delivered(
        &mut self,
        (wires, lane): (&Wires, Lane),
        request: &Request,
    ) -> Position {
        let position = wires.outer(self.lane(lane).records.len() as u64);
        self.note(|| format!("  log {lane}/{position}: {} {:?}", request.shop, request.change));
        self.mix(&[2, u64::from(lane.0), position.0, low(request.id)]);
        let view = self.lane(lane);
        view.records.push((position, request.id));
        if Disguise::of(request.id) != Some(Disguise::Foreign) {
            view.log.push((position, request.id));
        }
        position
    }

    /// The requests that stand in a lane and were not applied.
    pub(crate) fn waiting(&self, lane: Lane) -> impl Iterator<Item = RequestId> + '_ {
        let view = &self.lanes[usize::from(lane.0)];
        view.log.iter().skip(view.applied.len()).map(|(_, id)| *id)
    }

    pub(crate) fn claimed(&mut self, lane: Lane, claim: &Claim) {
        self.note(|| format!("  lane {lane} claimed: {claim:?}"));
        self.mix(&[3, u64::from(lane.0), claim.epoch.0]);
        let view = self.lane(lane);
        let last = view.last_id();
        let newer = view.epoch < claim.epoch;
        let same = (claim.applied_next, claim.replied_next, claim.last_id)
            == (view.applied_next, view.replied_next, last);
        let what = (view.applied_next, view.replied_next, last);
        view.epoch = view.epoch.max(claim.epoch);
        self.check(newer, "I7", || format!("a claim of lane {lane} without a newer epoch"));
        self.check(same, "I6", || format!("lane {lane} stands at {what:?}, and says {claim:?}"));
        let in_order = claim.replied_next <= claim.applied_next;
        self.check(in_order, "I6", || format!("lane {lane}: more answered than applied"));
    }

    /// A batch was stored.
    pub(crate) fn applied(&mut self, batch: &Batch, judged: &[Judged], receipt: &Receipt) {
        self.coverage.met(Met::Batch);
        if batch.shops().len() < batch.records().iter().filter(|r| r.request.is_ok()).count() {
            self.coverage.met(Met::SharedShop);
        }
        if batch.records().is_empty() {
            self.coverage.met(Met::Foreign);
        }
        let lane = batch.lane;
        let view = self.lane(lane);
        let (newest, next) = (view.epoch, view.applied_next);
        self.check(batch.epoch == newest, "I7", || {
            format!("lane {lane}: epoch {} applied after epoch {}", batch.epoch.0, newest.0)
        });
        let entries = receipt.entries.iter().map(|e| (e.position, e.id, &e.outcome));
        let same = entries.eq(judged.iter().map(|j| (j.record.position, j.record.id, &j.outcome)));
        self.check(same, "I3", || format!("lane {lane}: the receipt of {next} is not its batch"));
        for judged in judged {
            self.applied_one(lane, judged);
        }
        self.check(batch.from == next, "I6", || {
            format!("lane {lane} stood at {next}, and a batch from {} was applied", batch.from)
        });
        let view = self.lane(lane);
        view.applied_next = batch.to();
        let passed = view.log.get(view.applied.len()).is_none_or(|(next, _)| batch.to() <= *next);
        self.check(passed, "I3", || {
            format!("lane {lane}: a request before {} was passed over", batch.to())
        });
        self.replied(lane, batch.epoch, batch.replied);
    }

    fn applied_one(&mut self, lane: Lane, judged: &Judged) {
        let Judged { record: RequestRecord { position, id, .. }, outcome, .. } = judged;
        self.note(|| format!("  applied {lane}/{position}: {}", brief(judged)));
        self.mix(&[4, u64::from(lane.0), position.0, low(*id), outcome.status as u64]);
        let view = self.lane(lane);
        let before = view.applied.last().map(|(position, _, _)| *position);
        let again = view.applied.iter().any(|(applied, _, _)| applied == position);
        let expected = view.log.get(view.applied.len()).copied();
        view.applied.push((*position, *id, outcome.clone()));
        self.check(!again, "I1", || format!("lane {lane}: {position} was applied twice"));
        self.check(before.is_none_or(|before| before < *position), "I2", || {
            format!("lane {lane}: {position} was applied after {before:?}")
        });
        self.check(expected == Some((*position, *id)), "I6", || {
            format!("lane {lane}: {position} was applied where {expected:?} stands")
        });
        self.judged(lane, judged);
    }

    /// Everything below `next` counts as answered: then each of it must have been.
    pub(crate) fn replied(&mut self, lane: Lane, epoch: Epoch, next: Position) {
        self.mix(&[5, u64::from(lane.0), next.0]);
        let Self { lanes, replies, .. } = self;
        let view = &mut lanes[usize::from(lane.0)];
        let mut unanswered = None;
        while let Some((position, id, outcome)) = view.applied.get(view.answered)
            && *position < next
        {
            if !replies.get(id).is_some_and(|sent| sent.contains(outcome)) {
                unanswered = Some(*position);
            }
            view.answered += 1;
        }
        let (newest, applied) = (view.epoch, view.applied_next);
        view.replied_next = view.replied_next.max(next);
        self.check(epoch == newest, "I7", || {
            format!("lane {lane}: epoch {} answered after epoch {}", epoch.0, newest.0)
        });
        self.check(next <= applied, "I6", || {
            format!("lane {lane}: answered up to {next}, applied up to {applied}")
        });
        self.check(unanswered.is_none(), "I4", || {
            format!("lane {lane}: {unanswered:?} counts as answered, and was not")
        });
    }

    /// The log was told that nobody needs the records below `next`.
    pub(crate) fn released(&mut self, lane: Lane, next: Position) {
        let stored = self.lane(lane).replied_next;
        self.check(next <= stored, "I6", || {
            format!("lane {lane}: released up to {next}, answered up to {stored}")
        });
    }

    pub(crate) fn answered(&mut self, (address, reply): (ReturnAddress, Reply)) {
        self.note(|| format!("  reply {} {:?}", reply.id, reply.outcome.status));
        self.mix(&[6, low(reply.id), reply.outcome.status as u64]);
        self.replies.entry(reply.id).or_default().push(reply.outcome.clone());
        self.answers.push((address, reply));
    }
}

fn brief(judged: &Judged) -> String {
    let Judged { record, time, outcome, .. } = judged;
    let request = match &record.request {
        Ok(request) => format!("{} {:?}", request.shop, request.change),
        Err(invalid) => format!("{invalid:?}"),
    };
    let repeat = if outcome.repeat { " again" } else { "" };
    format!("{:?}{repeat} {:?} at {time:?}: {request}", outcome.status, outcome.code)
}

pub(super) fn low(id: RequestId) -> u64 {
    let bits = id.0.as_u128();
    u64::try_from(bits & u128::from(u64::MAX)).unwrap() ^ u64::try_from(bits >> 64).unwrap()
}
