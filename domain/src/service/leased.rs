//! What a requester holds while it has the lease of its reply lane: nothing that could not be
//! read again.

use std::collections::BTreeMap;

use crate::lane::Position;
use crate::ports::{ChunkSummary, Lease, Recorded};
use crate::revision::Revision;
use crate::service::sending::{Books, Due, Sending};
use crate::time::Timestamp;
use crate::window::Window;

/// The room in the window that is worth a transaction: a chunk's.
const ROOM: u32 = 2_000;

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
    pub(crate) books: Books,
    /// The campaign that sent last.
    pub(crate) turn: Revision,
    /// A step began, and did not end yet.
    in_step: bool,
}

impl Leased {
    pub(crate) fn new(lease: Lease, end: Position, now: Timestamp) -> Self {
        Self {
            lease,
            end,
            is_caught_up: end <= lease.position,
            renewed_at: now,
            looked_at: None,
            window: Window::new(now),
            sending: BTreeMap::new(),
            books: Books::default(),
            turn: Revision::NONE,
            in_step: false,
        }
    }

    /// Begins a step. Where the one before was dropped on its way, nobody knows what of it was
    /// done: the campaigns are taken up anew, as after a crash.
    pub(crate) fn begin_step(&mut self) {
        if std::mem::replace(&mut self.in_step, true) {
            self.sending.clear();
            self.looked_at = None;
        }
    }

    pub(crate) const fn end_step(&mut self) {
        self.in_step = false;
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.sending.values().map(Sending::in_flight).sum()
    }

    /// The next chunks to be sent, where there is room: those of the campaign whose turn it is.
    pub(crate) fn next(&mut self) -> Option<(Revision, Vec<Due>)> {
        let in_flight = self.in_flight();
        let room = self.window.size().saturating_sub(in_flight);
        if room < ROOM && 0 < in_flight {
            return None;
        }
        let ready = || self.sending.iter().filter(|(_, sending)| sending.may_send());
        let campaigns = u32::try_from(ready().count()).unwrap_or(u32::MAX).max(1);
        let (revision, _) =
            ready().find(|(revision, _)| self.turn < **revision).or_else(|| ready().next())?;
        let revision = *revision;
        self.turn = revision;
        let chunks = self.sending.get_mut(&revision)?.take(room / campaigns);
        Some((revision, chunks))
    }

    pub(crate) fn keep(&mut self, revision: Revision, chunks: Vec<ChunkSummary>) {
        let Self { books, sending, .. } = self;
        books.keep(revision, chunks, |known| sending.contains_key(known));
    }

    pub(crate) fn put_back(&mut self, revision: Revision, chunks: &[Due]) {
        if let Some(sending) = self.sending.get_mut(&revision) {
            sending.put_back(chunks);
        }
    }

    /// Takes over what recording did.
    pub(crate) fn enter(&mut self, recorded: Recorded, now: Timestamp) {
        self.window.answered(recorded.counted, now);
        for (revision, number, open) in recorded.open {
            if let Some(sending) = self.sending.get_mut(&revision)
                && let Some(under_way) = sending.under_way.get_mut(&number)
                // Replies that come twice are no sign that the open ones are on their way.
                && *under_way != open
            {
                *under_way = open;
                sending.moved_at = now;
            }
            if open == 0 {
                self.books.drop_shops(revision, number);
            }
        }
        for campaign in recorded.campaigns {
            let revision = campaign.name.revision;
            if campaign.state.open() == 0 {
                self.sending.remove(&revision);
            }
        }
    }
}
