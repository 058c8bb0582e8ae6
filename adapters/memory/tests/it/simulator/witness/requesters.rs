//! What the witness knows of the reply lanes: I7 for requesters.

use catchment_domain::ports::{Holder, Lease};
use catchment_domain::{Epoch, Position, ReplyLane};

use super::Witness;
use crate::simulator::coverage::Met;

/// One reply lane.
#[derive(Default)]
pub(super) struct ReplyLaneView {
    epoch: Epoch,
    holder: Option<Holder>,
    /// What is stored as read; `None` before the first lease in this log.
    position: Option<Position>,
}

impl ReplyLaneView {
    pub(super) const fn begin_anew(&mut self) {
        self.position = None;
    }
}

impl Witness {
    fn reply_lane(&mut self, lane: ReplyLane) -> &mut ReplyLaneView {
        &mut self.reply_lanes[usize::from(lane.0)]
    }

    /// Where the next reply is read; `None` before the first lease in this log.
    pub(crate) fn read_up_to(&self, lane: ReplyLane) -> Option<Position> {
        self.reply_lanes[usize::from(lane.0)].position
    }

    pub(crate) fn leased(&mut self, lease: &Lease) {
        self.note(|| format!("  leased {lease:?}"));
        self.mix(&[7, u64::from(lease.lane.0), lease.epoch.0, lease.position.0]);
        let view = self.reply_lane(lease.lane);
        let newer = view.epoch < lease.epoch;
        let adopted = view.holder.is_some_and(|holder| holder != lease.holder);
        let stored = *view.position.get_or_insert(lease.position);
        view.epoch = view.epoch.max(lease.epoch);
        view.holder = Some(lease.holder);
        if adopted {
            self.coverage.met(Met::Adoption);
        }
        self.check(newer, "I7", || format!("a lease without a newer epoch: {lease:?}"));
        self.check(stored == lease.position, "I4", || {
            format!("the lane was read up to {stored}, and is leased as {lease:?}")
        });
    }

    /// Something was stored by the right of a lease.
    pub(crate) fn wrote_by_lease(&mut self, call: &str, lease: &Lease) {
        self.note(|| format!("  {call} by epoch {} of reply lane {}", lease.epoch.0, lease.lane));
        self.mix(&[8, u64::from(lease.lane.0), lease.epoch.0]);
        let newest = self.reply_lane(lease.lane).epoch;
        self.check(lease.epoch == newest, "I7", || {
            let (lane, epoch) = (lease.lane, lease.epoch.0);
            format!("reply lane {lane}: {call} by epoch {epoch} after epoch {}", newest.0)
        });
        if call == "surrender" {
            self.reply_lane(lease.lane).holder = None;
        }
    }

    /// Outcomes and the lane's position were stored.
    pub(crate) fn recorded(&mut self, lease: &Lease, to: Position) {
        self.wrote_by_lease("record", lease);
        let position = &mut self.reply_lane(lease.lane).position;
        *position = (*position).max(Some(to));
    }

    pub(crate) fn replies_released(&mut self, lane: ReplyLane, next: Position) {
        let stored = self.reply_lane(lane).position;
        self.check(Some(next) <= stored, "I6", || {
            format!("reply lane {lane}: released up to {next}, read up to {stored:?}")
        });
    }
}
