//! What a requester keeps in memory of a campaign that it runs. All of it can be read again.

use std::collections::{BTreeMap, VecDeque};

use crate::campaign::{Campaign, CampaignState};
use crate::chunk::{Chunk, ShopList, Slot, sending_order};
use crate::correlation::{Attempt, Phase, Ticket};
use crate::outcome::Reply;
use crate::ports::{Answer, ChunkSummary};
use crate::request::{Change, Request};
use crate::revision::Revision;
use crate::time::Timestamp;

/// The most chunks that are taken at once, so that no call of a port grows without bound.
const MAX_TAKEN: usize = 256;

/// A chunk to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) number: u32,
    /// About how many requests it makes.
    open: u32,
}

/// A campaign under way.
pub(crate) struct Sending {
    pub(crate) campaign: Campaign,
    /// Chunks to be sent, in their order.
    queue: VecDeque<Due>,
    /// Chunks that were sent, and how many of their slots are open.
    pub(crate) under_way: BTreeMap<u32, u32>,
    /// When it was last sent or answered.
    pub(crate) moved_at: Timestamp,
}

impl Sending {
    /// A campaign whose open chunks are all to be sent.
    ///
    /// Every other campaign goes through its list backwards, so that two that start together
    /// do not queue at the same shops.
    pub(crate) fn new(campaign: Campaign, chunks: &[ChunkSummary], now: Timestamp) -> Self {
        let open: BTreeMap<u32, &ChunkSummary> =
            chunks.iter().filter(|c| 0 < c.open).map(|c| (c.number, c)).collect();
        let lanes: Vec<_> = open.values().map(|c| (c.number, c.lane)).collect();
        let backwards = campaign.name.revision.0.is_multiple_of(2);
        let order = sending_order(&lanes, backwards).into_iter();
        let queue =
            order.filter_map(|n| Some(Due { number: n, open: open.get(&n)?.open })).collect();
        Self { campaign, queue, under_way: BTreeMap::new(), moved_at: now }
    }

    /// The phase and attempt that are sent now.
    pub(crate) const fn part(&self) -> (Phase, Attempt) {
        let phase = match self.campaign.state {
            CampaignState::Sending { .. } | CampaignState::Settled => Phase::Activation,
            CampaignState::Ending { .. } | CampaignState::Ended => Phase::Release,
        };
        (phase, self.campaign.attempt)
    }

    /// Whether `other` is the same campaign in the same phase and attempt.
    pub(crate) fn is_still(&self, other: &Campaign) -> bool {
        let campaign = &self.campaign;
        campaign.state.is_ending_or_ended() == other.state.is_ending_or_ended()
            && campaign.attempt == other.attempt
            && campaign.may_send_activations() == other.may_send_activations()
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.under_way.values().sum()
    }

    /// Whether a chunk may be sent now. A campaign that was replaced waits for its end.
    pub(crate) fn may_send(&self) -> bool {
        let allowed = self.part().0 == Phase::Release || self.campaign.may_send_activations();
        allowed && !self.queue.is_empty()
    }

    /// Takes chunks for about `room` requests from the queue; at least one.
    pub(crate) fn take(&mut self, room: u32) -> Vec<Due> {
        let (mut taken, mut requests) = (Vec::new(), 0);
        while (taken.is_empty() || requests < room && taken.len() < MAX_TAKEN)
            && let Some(due) = self.queue.pop_front()
        {
            requests += due.open;
            taken.push(due);
        }
        taken
    }

    /// Puts chunks back that could not be sent.
    pub(crate) fn put_back(&mut self, chunks: &[Due]) {
        for due in chunks.iter().rev() {
            self.under_way.remove(&due.number);
            self.queue.push_front(*due);
        }
    }

    /// Takes everything that is open for sent anew: a request or its reply may be lost, and
    /// must not hold its place in the window for ever.
    pub(crate) fn send_again(&mut self, now: Timestamp) {
        self.moved_at = now;
        let under_way = std::mem::take(&mut self.under_way);
        let open = under_way.into_iter().filter(|(_, open)| 0 < *open);
        let open: Vec<Due> = open.map(|(number, open)| Due { number, open }).collect();
        self.put_back(&open);
    }

    /// The requests for the open slots of a chunk.
    pub(crate) fn requests(&self, chunk: &Chunk, shops: &ShopList) -> Vec<Request> {
        let (phase, attempt) = self.part();
        let campaign = &self.campaign;
        let change = match phase {
            Phase::Activation => Change::Activate {
                campaign: campaign.name,
                kind: campaign.kind,
                limit: campaign.limit,
                deadline: campaign.deadline,
                replaces: campaign.replaces,
            },
            Phase::Release => {
                Change::Release { campaign: campaign.name, deadline: campaign.deadline }
            }
        };
        let request = |(index, (slot, shop)): (u32, (&Slot, &str))| {
            let open = *slot == Slot::Open;
            let shop = if open { shop.parse().ok()? } else { return None };
            let (revision, nonce) = (campaign.name.revision, campaign.nonce);
            let id = Ticket { revision, phase, attempt, index, nonce }.id();
            Some(Request { id, shop, change })
        };
        (chunk.first..)
            .zip(chunk.slots(phase).iter().zip(shops.iter()))
            .filter_map(request)
            .collect()
    }
}

/// The lists of campaigns whose replies may still come.
#[derive(Default)]
pub(crate) struct Books {
    books: BTreeMap<Revision, Book>,
}

#[derive(Default)]
struct Book {
    chunks: Vec<ChunkSummary>,
    shops: BTreeMap<u32, ShopList>,
}

impl Books {
    /// How many campaigns' lists are kept, beyond those that are under way.
    const MAX: usize = 64;

    pub(crate) fn knows(&self, revision: Revision) -> bool {
        self.books.contains_key(&revision)
    }

    /// Keeps the chunks of a campaign; none for one that is not there, so that it is not
    /// looked up for each of its replies. Too many push one out that is not `needed`.
    pub(crate) fn keep(
        &mut self,
        revision: Revision,
        chunks: Vec<ChunkSummary>,
        needed: impl Fn(&Revision) -> bool,
    ) {
        if Self::MAX <= self.books.len()
            && let Some(oldest) = self.books.keys().copied().find(|known| !needed(known))
        {
            self.books.remove(&oldest);
        }
        self.books.insert(revision, Book { chunks, shops: BTreeMap::new() });
    }

    pub(crate) fn shops(&self, revision: Revision, number: u32) -> Option<&ShopList> {
        self.books.get(&revision)?.shops.get(&number)
    }

    pub(crate) fn keep_shops(&mut self, revision: Revision, lists: Vec<(u32, ShopList)>) {
        if let Some(book) = self.books.get_mut(&revision) {
            book.shops.extend(lists);
        }
    }

    /// Drops a list that is not expected to be needed any more.
    pub(crate) fn drop_shops(&mut self, revision: Revision, number: u32) {
        if let Some(book) = self.books.get_mut(&revision) {
            book.shops.remove(&number);
        }
    }

    /// The number of the chunk that holds a place of a campaign's list.
    pub(crate) fn chunk_of(&self, ticket: Ticket) -> Option<u32> {
        let chunks = &self.books.get(&ticket.revision)?.chunks;
        let behind = chunks.partition_point(|chunk| chunk.first <= ticket.index);
        let chunk = chunks.get(behind.checked_sub(1)?)?;
        (ticket.index - chunk.first < chunk.shops).then_some(chunk.number)
    }

    /// The answer that a reply gives, where it is for the shop at that place of the list.
    pub(crate) fn answer(&self, ticket: Ticket, chunk: u32, reply: Reply) -> Option<Answer> {
        let book = self.books.get(&ticket.revision)?;
        let first = book.chunks.get(chunk as usize)?.first;
        let place = ticket.index.checked_sub(first)? as usize;
        let shop = reply.shop?;
        book.shops.get(&chunk)?.is(place, &shop).then_some(Answer {
            chunk,
            ticket,
            outcome: reply.outcome,
        })
    }
}
