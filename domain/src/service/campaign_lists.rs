//! The lists of campaigns, as far as they are in memory. All of it can be read again.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::ShopList;
use crate::correlation::Ticket;
use crate::outcome::Reply;
use crate::ports::{Answer, ChunkSummary};
use crate::revision::Revision;

/// The lists of campaigns whose replies may still come.
#[derive(Default)]
pub(crate) struct CampaignLists {
    campaigns: BTreeMap<Revision, CampaignList>,
}

/// A campaign's chunks, and the shops of those that are in use.
#[derive(Default)]
struct CampaignList {
    chunks: Vec<ChunkSummary>,
    shops: BTreeMap<u32, ShopList>,
    /// The chunks whose shops cannot be read, so that they are not read for each reply.
    damaged: BTreeSet<u32>,
}

impl CampaignLists {
    /// How many campaigns' lists are kept, beyond those that are under way.
    const MAX: usize = 64;

    pub(crate) fn knows(&self, revision: Revision) -> bool {
        self.campaigns.contains_key(&revision)
    }

    /// Keeps the chunks of a campaign; none for one that is not there, so that it is not
    /// looked up for each of its replies. Too many push one out that is not `needed`.
    pub(crate) fn keep(
        &mut self,
        revision: Revision,
        chunks: Vec<ChunkSummary>,
        needed: impl Fn(&Revision) -> bool,
    ) {
        if Self::MAX <= self.campaigns.len()
            && let Some(oldest) = self.campaigns.keys().copied().find(|known| !needed(known))
        {
            self.campaigns.remove(&oldest);
        }
        self.campaigns.insert(revision, CampaignList { chunks, ..CampaignList::default() });
    }

    pub(crate) fn shops(&self, revision: Revision, number: u32) -> Option<&ShopList> {
        self.campaigns.get(&revision)?.shops.get(&number)
    }

    pub(crate) fn keep_shops(&mut self, revision: Revision, lists: Vec<(u32, ShopList)>) {
        if let Some(list) = self.campaigns.get_mut(&revision) {
            list.shops.extend(lists);
        }
    }

    /// Whether the shops of a chunk could not be read.
    pub(crate) fn is_damaged(&self, revision: Revision, number: u32) -> bool {
        self.campaigns.get(&revision).is_some_and(|list| list.damaged.contains(&number))
    }

    /// The shops of a chunk cannot be read.
    pub(crate) fn damaged(&mut self, revision: Revision, number: u32) {
        if let Some(list) = self.campaigns.get_mut(&revision) {
            list.damaged.insert(number);
        }
    }

    /// What could not be read is read again when it is needed.
    pub(crate) fn try_again(&mut self) {
        self.campaigns.values_mut().for_each(|list| list.damaged.clear());
    }

    /// Drops a list that is not expected to be needed any more.
    pub(crate) fn drop_shops(&mut self, revision: Revision, number: u32) {
        if let Some(list) = self.campaigns.get_mut(&revision) {
            list.shops.remove(&number);
        }
    }

    /// The number of the chunk that holds a place of a campaign's list.
    pub(crate) fn chunk_of(&self, ticket: Ticket) -> Option<u32> {
        let chunks = &self.campaigns.get(&ticket.revision)?.chunks;
        let behind = chunks.partition_point(|chunk| chunk.first <= ticket.index);
        let chunk = chunks.get(behind.checked_sub(1)?)?;
        (ticket.index - chunk.first < chunk.shops).then_some(chunk.number)
    }

    /// The answer that a reply gives, where it is for the shop at that place of the list.
    pub(crate) fn answer(&self, ticket: Ticket, chunk: u32, reply: Reply) -> Option<Answer> {
        let list = self.campaigns.get(&ticket.revision)?;
        let first = list.chunks.iter().find(|summary| summary.number == chunk)?.first;
        let place = ticket.index.checked_sub(first)? as usize;
        let shop = reply.shop?;
        list.shops.get(&chunk)?.is(place, &shop).then_some(Answer {
            chunk,
            ticket,
            outcome: reply.outcome,
            request_position: reply.request_position,
        })
    }
}
