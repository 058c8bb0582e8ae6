//! What a requester holds while it has the lease of its reply lane: nothing that could not be
//! read again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::chunk::Chunk;
use crate::damage::Damage;
use crate::lane::{Lane, Position};
use crate::ports::{ChunkSummary, Lease, Recorded};
use crate::request::Request;
use crate::revision::Revision;
use crate::service::campaign_lists::CampaignLists;
use crate::service::damages::Damages;
use crate::service::pacing::is_due;
use crate::service::send_calls::{SendCalls, SentChunk};
use crate::service::sending::{Due, Sending};
use crate::time::Timestamp;
use crate::window::{Window, WindowLimits};

/// The most parts that are chosen at once, so that no call of a port grows without bound.
const MAX_PARTS: usize = 256;

/// What a requester knows while it has the lease.
pub(crate) struct Leased {
    pub(crate) lease: Lease,
    /// One past the newest reply when the lease began.
    pub(crate) end: Position,
    /// Everything that was answered before the lease was recorded.
    pub(crate) is_caught_up: bool,
    pub(crate) renewed_at: Timestamp,
    pub(crate) looked_at: Option<Timestamp>,
    pub(crate) window: Window,
    pub(crate) sending: BTreeMap<Revision, Sending>,
    pub(crate) lists: CampaignLists,
    pub(crate) damages: Damages,
    /// How many parts were chosen.
    turns: u64,
    /// The number of each lane's last turn: a higher one is later.
    last_turns: BTreeMap<Lane, u64>,
    /// A step began, and did not end yet.
    in_step: bool,
}

/// A chunk, or a part of it, that is to be sent now.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) revision: Revision,
    pub(crate) due: Due,
    /// The most requests that may be sent of it.
    most: u32,
}

/// The requests that one call brings into a lane, and the chunks that they are of.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) requests: Vec<Request>,
    pub(crate) chunks: Vec<SentChunk>,
}

impl Leased {
    pub(crate) fn new(lease: Lease, end: Position, limits: WindowLimits, now: Timestamp) -> Self {
        Self {
            lease,
            end,
            is_caught_up: end <= lease.position,
            renewed_at: now,
            looked_at: None,
            window: Window::new(limits, now),
            sending: BTreeMap::new(),
            lists: CampaignLists::default(),
            damages: Damages::default(),
            turns: 0,
            last_turns: BTreeMap::new(),
            in_step: false,
        }
    }

    /// Begins a step. Returns whether the one before was dropped on its way: nobody knows what
    /// of it was done, so the campaigns are taken up anew, as after a crash.
    pub(crate) fn begin_step(&mut self) -> bool {
        let was_dropped = std::mem::replace(&mut self.in_step, true);
        if was_dropped {
            self.sending.clear();
            self.window.forget_all();
            self.looked_at = None;
        }
        was_dropped
    }

    pub(crate) const fn end_step(&mut self) {
        self.in_step = false;
    }

    /// Chooses what is sent now, and takes it from its queues. The lanes take turns, those with
    /// the fewest requests under way first; within a lane the campaigns take turns.
    pub(crate) fn choose(&mut self, is_free: impl Fn(Lane) -> bool, now: Timestamp) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.sending.values().all(|sending| sending.lanes().next().is_none()) {
            return parts;
        }
        // What is chosen counts only while it is chosen: what is sent is known later.
        let mut window = self.window.clone();
        loop {
            let before = parts.len();
            for lane in self.lanes(&window, &is_free) {
                if parts.len() < MAX_PARTS
                    && let Some(part) = self.choose_in(lane, &window)
                {
                    window.sent(lane, part.most, now);
                    parts.push(part);
                }
            }
            if parts.len() == before || MAX_PARTS <= parts.len() {
                return parts;
            }
        }
    }

    /// The lanes with something to send, in the order of their turns.
    fn lanes(&self, window: &Window, is_free: impl Fn(Lane) -> bool) -> Vec<Lane> {
        let lanes: BTreeSet<Lane> = self.sending.values().flat_map(Sending::lanes).collect();
        let mut lanes: Vec<Lane> = lanes.into_iter().filter(|lane| is_free(*lane)).collect();
        let last_turn = |lane: &Lane| self.last_turns.get(lane).copied().unwrap_or_default();
        lanes.sort_by_key(|lane| (window.under_way_in(*lane), last_turn(lane)));
        lanes
    }

    /// Takes the chunk whose turn it is in a lane, or as much of it as is granted.
    fn choose_in(&mut self, lane: Lane, window: &Window) -> Option<Part> {
        let next = self.sending.values_mut().filter_map(|sending| {
            let (precedence, due) = sending.next(lane)?;
            Some((precedence, due, sending))
        });
        let (_, due, sending) = next.min_by_key(|(precedence, _, _)| *precedence)?;
        let most = window.grant(lane, due.open);
        if most == 0 {
            return None;
        }
        self.turns += 1;
        self.last_turns.insert(lane, self.turns);
        sending.take(lane, self.turns);
        Some(Part { revision: sending.campaign.name.revision, due, most })
    }

    /// Puts parts back that were chosen and not sent.
    pub(crate) fn put_back(&mut self, parts: &[Part]) {
        for part in parts.iter().rev() {
            if let Some(sending) = self.sending.get_mut(&part.revision) {
                sending.put_back(part.due);
            }
        }
    }

    /// Sets the chunk of a part aside, which is damaged.
    pub(crate) fn set_aside(&mut self, part: &Part) {
        let sending = self.sending.get_mut(&part.revision);
        if let Some((lane, requests)) = sending.and_then(|s| s.set_aside(part.due)) {
            self.window.forgotten(lane, requests);
        }
    }

    /// A chunk is damaged: what was sent of it is not waited for.
    pub(crate) fn meet(&mut self, damage: Damage) {
        let Some((revision, number)) = damage.item.chunk() else { return };
        let Some(sending) = self.sending.get_mut(&revision) else { return };
        if let Some((lane, requests)) = sending.set_sent_aside(number) {
            self.window.forgotten(lane, requests);
        }
        self.damages.meet(damage);
    }

    /// Tries damaged chunks again once their pause is over. Returns the campaigns with lost chunks:
    /// the caller reads their chunks again.
    pub(crate) fn try_damaged_again(&mut self, now: Timestamp) -> Vec<Revision> {
        if !self.damages.is_retried(now) {
            return Vec::new();
        }
        self.lists.try_again();
        self.sending.values_mut().for_each(Sending::try_again);
        let lost = self.sending.iter().filter(|(_, sending)| sending.has_lost());
        lost.map(|(revision, _)| *revision).collect()
    }

    /// The chunks of a campaign are these now: those that were lost may be there again.
    pub(crate) fn find_lost(
        &mut self,
        revision: Revision,
        chunks: Vec<ChunkSummary>,
        now: Timestamp,
    ) {
        let Some(sending) = self.sending.get_mut(&revision) else { return };
        let found = sending.find(&chunks, now);
        for number in &found {
            self.damages.mended(revision, *number);
        }
        if !found.is_empty() {
            self.keep(revision, chunks);
        }
    }

    /// Makes the requests of parts whose chunks were marked as sent, and takes them for under
    /// way.
    pub(crate) fn begin(
        &mut self,
        parts: &[Part],
        chunks: &[Chunk],
        outgoing: &mut BTreeMap<Lane, Outgoing>,
        now: Timestamp,
    ) {
        let chunks: BTreeMap<u32, &Chunk> = chunks.iter().map(|c| (c.number, c)).collect();
        for Part { revision, due, most } in parts {
            let Some(chunk) = chunks.get(&due.number) else { continue };
            let Some(sending) = self.sending.get_mut(revision) else { continue };
            let shops = self.lists.shops(*revision, due.number);
            let requests = sending.begin(*due, *most, (chunk, shops), now);
            self.damages.mended(*revision, due.number);
            if requests.is_empty() {
                self.lists.drop_shops(*revision, due.number);
                continue;
            }
            // INVARIANT: no more than were granted.
            let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
            self.window.sent(due.lane, count, now);
            let outgoing = outgoing.entry(due.lane).or_default();
            outgoing.requests.extend(requests);
            outgoing.chunks.push((*revision, due.number));
        }
    }

    pub(crate) fn keep(&mut self, revision: Revision, chunks: Vec<ChunkSummary>) {
        let Self { lists, sending, .. } = self;
        lists.keep(revision, chunks, |known| sending.contains_key(known));
    }

    /// Does not wait for a campaign any more.
    pub(crate) fn forget(&mut self, revision: Revision) {
        let Some(sending) = self.sending.remove(&revision) else { return };
        for (lane, requests) in sending.under_way() {
            self.window.forgotten(lane, requests);
        }
    }

    /// Does not wait any more for campaigns that are not among these.
    pub(crate) fn forget_others(&mut self, known: &BTreeSet<Revision>) {
        let gone = self.sending.keys().copied().filter(|revision| !known.contains(revision));
        for revision in gone.collect::<Vec<_>>() {
            self.forget(revision);
        }
    }

    /// Queues every open chunk again in the lanes where nothing of its campaign was sent or
    /// answered for so long, except chunks that are being sent.
    pub(crate) fn send_late_again(&mut self, after: Duration, calls: &SendCalls, now: Timestamp) {
        for (revision, sending) in &mut self.sending {
            let is_late = |moved_at| is_due(Some(moved_at), after, now);
            let is_being_sent = |number| calls.is_sending((*revision, number));
            for (lane, requests) in sending.send_again(is_late, is_being_sent, now) {
                self.window.forgotten(lane, requests);
            }
        }
    }

    /// Queues every open chunk again.
    pub(crate) fn send_all_again(&mut self, now: Timestamp) {
        for sending in self.sending.values_mut() {
            for (lane, requests) in sending.send_again(|_| true, |_| false, now) {
                self.window.forgotten(lane, requests);
            }
        }
    }

    /// Queues the chunks of a failed call again.
    pub(crate) fn send_chunks_again(&mut self, chunks: &[SentChunk]) {
        for (revision, number) in chunks.iter().rev() {
            let sending = self.sending.get_mut(revision);
            if let Some((lane, requests)) = sending.and_then(|s| s.send_chunk_again(*number)) {
                self.window.forgotten(lane, requests);
            }
        }
    }

    /// The requests of chunks have arrived in their lane: the answers are waited for from now on.
    pub(crate) fn arrived(&mut self, lane: Lane, chunks: &[SentChunk], now: Timestamp) {
        for (revision, _) in chunks {
            if let Some(sending) = self.sending.get_mut(revision) {
                sending.moved(lane, now);
            }
        }
    }

    /// Takes over what recording did.
    pub(crate) fn enter(&mut self, recorded: Recorded, now: Timestamp) {
        for (revision, number, open) in recorded.open {
            let sending = self.sending.get_mut(&revision);
            if let Some((lane, count)) = sending.and_then(|s| s.answered(number, open, now)) {
                self.window.answered(lane, count, now);
            }
            if open.all() == 0 {
                self.lists.drop_shops(revision, number);
                self.damages.mended(revision, number);
            }
        }
        recorded.damaged.into_iter().for_each(|damage| self.meet(damage));
        for campaign in recorded.campaigns {
            if campaign.state.open() == 0 {
                self.forget(campaign.name.revision);
            }
        }
    }
}
