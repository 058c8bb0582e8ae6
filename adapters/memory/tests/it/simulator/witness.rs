//! The witness: sees what is really stored and sent, whatever the processes believe, and says
//! which invariant is broken in the moment in which it is.

mod answers;
mod effects;
mod lanes;
mod releases;
mod requesters;
mod shops;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::{
    Attempt, CampaignRef, Lanes, Outcome, Phase, Reply, Request, RequestId, ReturnAddress,
    Revision, ShopId, Slot,
};

use crate::simulator::coverage::{Coverage, Met};
use crate::simulator::gate::Gate;
use crate::simulator::params::Params;

pub(crate) use lanes::Judged;
use lanes::LaneView;
pub(crate) use releases::causes;
use requesters::ReplyLaneView;
pub(crate) use shops::{Cause, ShopView};
use wanted::Wanted;

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

/// What the ledger said of a shop: in which attempt, while its campaign was ending or not.
pub(crate) type Entry = (Attempt, bool, Slot);

pub(crate) struct Witness {
    pub(crate) coverage: Coverage,
    /// How shops find their lanes.
    places: Lanes,
    pub(crate) lanes: Vec<LaneView>,
    reply_lanes: Vec<ReplyLaneView>,
    pub(crate) shops: BTreeMap<ShopId, ShopView>,
    /// Every campaign that was stored, and what it wants.
    campaigns: BTreeMap<CampaignRef, Wanted>,
    /// The shops to which requesters were about to send an activation, with its campaign.
    asked: BTreeSet<(Revision, ShopId)>,
    /// The campaigns that cannot be read.
    damaged: BTreeSet<Revision>,
    /// The newest revision that was given out.
    pub(crate) newest: Revision,
    /// Every outcome that was sent, by request.
    pub(crate) replies: BTreeMap<RequestId, Vec<Outcome>>,
    /// Every request that was given to a channel, whether it came or not.
    pub(crate) sent: Vec<(Request, ReturnAddress)>,
    /// Replies, for copies.
    pub(crate) answers: Vec<(ReturnAddress, Reply)>,
    /// The campaigns' ledger as it was seen last.
    pub(crate) ledger: BTreeMap<(Revision, Phase, u32), Entry>,
    /// Replies were lost with their lane or their log before anybody read them.
    pub(crate) replies_lost: bool,
    /// The campaigns that lost answers: a requester read the answers while the campaign's row could
    /// not be read, so they did not count.
    pub(crate) left_out: BTreeSet<Revision>,
    broken: Option<Broken>,
    digest: u64,
    trace: Option<Vec<String>>,
}

impl Witness {
    pub(crate) fn new(places: Lanes, params: &Params, traced: bool) -> Self {
        Self {
            places,
            coverage: Coverage::default(),
            lanes: params.lanes.iter().map(|_| LaneView::default()).collect(),
            reply_lanes: (0..params.reply_lanes).map(|_| ReplyLaneView::default()).collect(),
            shops: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            asked: BTreeSet::new(),
            damaged: BTreeSet::new(),
            newest: Revision::NONE,
            replies: BTreeMap::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            ledger: BTreeMap::new(),
            replies_lost: false,
            left_out: BTreeSet::new(),
            broken: None,
            digest: 0xcbf2_9ce4_8422_2325,
            trace: traced.then(Vec::new),
        }
    }

    /// Says that an invariant does not hold. The first to be broken counts.
    pub(crate) fn broken(&mut self, invariant: &'static str, what: String) {
        self.note(|| format!("BROKEN {invariant}: {what}"));
        self.broken.get_or_insert(Broken { invariant, what });
    }

    pub(crate) fn check(
        &mut self,
        holds: bool,
        invariant: &'static str,
        what: impl FnOnce() -> String,
    ) {
        if !holds {
            self.broken(invariant, what());
        }
    }

    pub(crate) fn verdict(&self) -> Option<Broken> {
        self.broken.clone()
    }

    /// Writes a line of the trace, where there is one.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    pub(crate) fn trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Takes an event into the digest by which two runs are compared.
    pub(crate) fn mix(&mut self, event: &[u64]) {
        for number in event {
            self.digest = (self.digest ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn fenced(&mut self, gate: &Gate) {
        if gate.is_thawed() {
            self.coverage.met(Met::FencedZombie);
        }
    }

    /// A log in memory went with its processes.
    pub(crate) fn log_begins_anew(&mut self) {
        self.coverage.met(Met::PassingRestart);
        self.replies_lost = true;
        self.lanes.iter_mut().for_each(LaneView::begin_anew);
        self.reply_lanes.iter_mut().for_each(ReplyLaneView::begin_anew);
    }
}
