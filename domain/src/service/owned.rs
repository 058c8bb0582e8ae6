//! Where a lane stands, for the consumer that owns it.

use crate::batch::Batch;
use crate::lane::{Committed, Epoch, Lane, Position};
use crate::ports::Claim;
use crate::request::RequestRecord;

/// Where a lane stands, for its owner. The database knows all of it but the newest answers.
pub(crate) struct Owned {
    epoch: Epoch,
    applied_next: Position,
    /// Everything below is answered.
    replied_next: Position,
    /// Everything below is stored as answered.
    stored_replied: Position,
    /// There was nothing to apply the last time, either.
    is_resting: bool,
    /// The most requests of the next batch: fewer while bad data is looked for.
    pub(crate) limit: usize,
}

impl Owned {
    pub(crate) const fn new(claim: &Claim, limit: usize) -> Self {
        Self {
            epoch: claim.epoch,
            applied_next: claim.applied_next,
            replied_next: claim.replied_next,
            stored_replied: claim.replied_next,
            is_resting: false,
            limit,
        }
    }

    /// How far the database has stored the lane.
    pub(crate) const fn applied(&self) -> Committed {
        Committed { epoch: self.epoch, next: self.applied_next }
    }

    /// How far the lane is answered.
    pub(crate) const fn answered(&self) -> Committed {
        Committed { epoch: self.epoch, next: self.replied_next }
    }

    /// Whether something that was applied may lack its answer.
    pub(crate) fn lacks_answers(&self) -> bool {
        self.replied_next < self.applied_next
    }

    /// Whether more is answered than is stored as answered.
    pub(crate) fn has_unstored_answers(&self) -> bool {
        self.stored_replied < self.replied_next
    }

    /// The batch of these requests, which come next.
    pub(crate) fn batch(&self, lane: Lane, requests: Vec<RequestRecord>) -> Batch {
        Batch::new((lane, self.epoch), self.applied_next, self.replied_next, requests)
    }

    /// Takes over that a batch was applied, and with it stored how far the lane is answered, which
    /// it returns. The next batch may be larger again, up to `limit`.
    pub(crate) fn enter(&mut self, batch: &Batch, limit: usize) -> Committed {
        self.applied_next = batch.to();
        self.stored_replied = batch.replied;
        self.is_resting = false;
        self.limit = (self.limit * 2).min(limit);
        Committed { epoch: self.epoch, next: self.stored_replied }
    }

    /// Everything below `to` is answered.
    pub(crate) const fn enter_answered(&mut self, to: Position) {
        self.replied_next = to;
    }

    /// How far the lane is answered is stored.
    pub(crate) const fn enter_stored(&mut self) {
        self.stored_replied = self.replied_next;
    }

    /// There is nothing to apply. Returns whether it was so the last time, too.
    pub(crate) const fn begin_rest(&mut self) -> bool {
        std::mem::replace(&mut self.is_resting, true)
    }
}
