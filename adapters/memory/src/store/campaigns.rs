//! A stored campaign: its frozen list and the ledger of its outcomes, in chunks.

use std::collections::BTreeSet;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Campaign, Chunk, Damage, Deadline, FrozenList, ShopList, Slot, StoredItem, Tally, Timestamp,
};

use super::Tables;

/// A campaign with its list and ledger.
#[derive(Clone)]
pub(super) struct StoredCampaign {
    pub(super) campaign: Campaign,
    /// Since when it has ended.
    pub(super) ended_at: Option<Timestamp>,
    /// The shops of each chunk.
    pub(super) lists: Vec<ShopList>,
    pub(super) chunks: Vec<Chunk>,
    /// Whether the campaign cannot be read.
    pub(super) is_spoiled: bool,
    /// The chunks whose outcomes cannot be read.
    pub(super) spoiled: BTreeSet<u32>,
    /// The chunks without a row of outcomes. Each is in `spoiled`, too.
    pub(super) lost: BTreeSet<u32>,
    /// The chunks whose shops cannot be read.
    pub(super) spoiled_lists: BTreeSet<u32>,
}

/// Returns the damage of an unreadable item.
pub(super) fn damage(item: StoredItem) -> Damage {
    Damage { what: format!("{item} cannot be read"), item }
}

impl StoredCampaign {
    /// Makes a campaign for these shops.
    pub(super) fn new(campaign: Campaign, list: &FrozenList) -> Self {
        let (chunks, lists) = list.chunks().map(|(chunk, list)| (chunk, list.clone())).unzip();
        Self {
            campaign,
            ended_at: None,
            lists,
            chunks,
            is_spoiled: false,
            spoiled: BTreeSet::new(),
            lost: BTreeSet::new(),
            spoiled_lists: BTreeSet::new(),
        }
    }

    /// Returns the campaign, if it can be read.
    pub(super) fn read(&self) -> Result<&Campaign, Damage> {
        let item = StoredItem::Campaign(self.campaign.name.revision);
        if self.is_spoiled { Err(damage(item)) } else { Ok(&self.campaign) }
    }

    /// Returns the shops of a chunk, if they can be read, or `None` if the chunk does not exist.
    pub(super) fn list(&self, number: u32) -> Option<Result<&ShopList, Damage>> {
        let list = self.lists.get(number as usize)?;
        let item = StoredItem::List(self.campaign.name.revision, number);
        Some(if self.spoiled_lists.contains(&number) { Err(damage(item)) } else { Ok(list) })
    }

    /// Returns the outcomes of a chunk, if they can be read.
    pub(super) fn outcomes<'a>(&self, chunk: &'a Chunk) -> Result<&'a Chunk, Damage> {
        let item = StoredItem::Outcomes(self.campaign.name.revision, chunk.number);
        if self.spoiled.contains(&chunk.number) { Err(damage(item)) } else { Ok(chunk) }
    }

    /// Returns the chunk for readers that need only its outline, unless its row is lost.
    pub(super) fn outline<'a>(&self, chunk: &'a Chunk) -> Result<&'a Chunk, Damage> {
        if self.lost.contains(&chunk.number) { self.outcomes(chunk) } else { Ok(chunk) }
    }

    /// Fails if the campaign, or the outcomes of any chunk, cannot be read.
    pub(super) fn whole(&self) -> Result<&Campaign, StoreError> {
        match self.damaged().next() {
            None => Ok(&self.campaign),
            Some(damage) => Err(damage.into()),
        }
    }

    /// Returns the damage of the campaign and of the outcomes of its chunks.
    pub(super) fn damaged(&self) -> impl Iterator<Item = Damage> {
        let chunks = self.chunks.iter().filter_map(|chunk| self.outcomes(chunk).err());
        self.read().err().into_iter().chain(chunks)
    }

    /// Ends the campaign, and releases its shops except those in `took_over`.
    pub(super) fn end(&mut self, took_over: &BTreeSet<String>) {
        let Self { campaign, lists, chunks, .. } = self;
        let is_replaced = |chunk: &Chunk, place: usize| {
            let list = lists.get(chunk.number as usize);
            list.and_then(|list| list.get(place)).is_some_and(|shop| took_over.contains(shop))
        };
        *campaign = campaign.clone().end(chunks, is_replaced);
    }

    /// Returns the shops at which the campaign's activation took effect.
    pub(super) fn effective(&self) -> BTreeSet<String> {
        let slots = self.chunks.iter().flat_map(|chunk| chunk.activations().iter());
        let shops = self.lists.iter().flat_map(ShopList::iter);
        let effective = shops.zip(slots).filter(|(_, slot)| slot.took_effect());
        effective.map(|(shop, _)| shop.into()).collect()
    }

    pub(super) fn tally<'a>(&'a self, slots: impl Fn(&'a Chunk) -> &'a [Slot]) -> Tally {
        let mut tally = Tally::default();
        let chunks = self.chunks.iter().filter(|chunk| self.outcomes(chunk).is_ok());
        chunks.for_each(|chunk| tally.add(slots(chunk)));
        tally
    }
}

impl Tables {
    /// Returns the highest deadline that any lane treated as passed.
    pub(super) fn mark(&self) -> Deadline {
        self.lanes.values().map(|lane| lane.expired_up_to).max().unwrap_or(Deadline::MIN)
    }
}
