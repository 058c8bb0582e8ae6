//! A campaign as it is stored: its frozen list and the ledger of its outcomes, in chunks.

use std::collections::BTreeSet;

use catchment_domain::{
    CHUNK_SHOPS, Campaign, Chunk, Deadline, ShopCursor, ShopList, Slot, Status, Tally,
};

use super::Tables;

/// A campaign with its list and ledger.
pub(super) struct StoredCampaign {
    pub(super) campaign: Campaign,
    /// The shops of each chunk.
    pub(super) lists: Vec<ShopList>,
    pub(super) chunks: Vec<Chunk>,
}

impl StoredCampaign {
    /// A campaign over these shops, which stand in the order of lane and id.
    pub(super) fn new(campaign: Campaign, shops: &[ShopCursor]) -> Self {
        let mut first = 0;
        let (mut lists, mut chunks) = (Vec::new(), Vec::new());
        for lane in shops.chunk_by(|one, next| one.lane == next.lane) {
            for part in lane.chunks(CHUNK_SHOPS) {
                let Some(shop) = part.first() else { continue };
                // INVARIANT: a campaign has at most 2^28 shops, so its chunks are fewer.
                let number = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
                chunks.push(Chunk::new(number, shop.lane, first, part.len()));
                lists.push(part.iter().map(|shop| shop.id.clone()).collect());
                first += u32::try_from(part.len()).unwrap_or(u32::MAX);
            }
        }
        Self { campaign, lists, chunks }
    }

    pub(super) fn chunk(&self, number: u32) -> Option<(&ShopList, &Chunk)> {
        let number = number as usize;
        Some((self.lists.get(number)?, self.chunks.get(number)?))
    }

    /// Ends it for what is left, except at the shops that `took_over` names.
    pub(super) fn end(&mut self, took_over: &BTreeSet<String>) {
        let Self { campaign, lists, chunks } = self;
        let is_replaced = |chunk: &Chunk, place: usize| {
            let list = lists.get(chunk.number as usize);
            list.and_then(|list| list.get(place)).is_some_and(|shop| took_over.contains(shop))
        };
        *campaign = campaign.clone().end(chunks, is_replaced);
    }

    /// The shops where its activation took effect.
    pub(super) fn effective(&self) -> BTreeSet<String> {
        let slots = self.chunks.iter().flat_map(|chunk| chunk.activations().iter());
        let shops = self.lists.iter().flat_map(ShopList::iter);
        let effective =
            |slot: &Slot| matches!(slot, Slot::Closed(Status::Applied | Status::Unchanged));
        shops.zip(slots).filter(|(_, slot)| effective(slot)).map(|(shop, _)| shop.into()).collect()
    }

    pub(super) fn tally<'a>(&'a self, slots: impl Fn(&'a Chunk) -> &'a [Slot]) -> Tally {
        let mut tally = Tally::default();
        self.chunks.iter().for_each(|chunk| tally.add(slots(chunk)));
        tally
    }
}

impl Tables {
    /// The highest deadline that any lane treated as passed.
    pub(super) fn mark(&self) -> Deadline {
        self.lanes.values().map(|lane| lane.expired_up_to).max().unwrap_or(Deadline::MIN)
    }
}
