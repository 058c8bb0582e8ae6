use async_trait::async_trait;
use thiserror::Error;

use crate::campaign::{Campaign, CampaignError, Command, Draft};
use crate::chunk::{Chunk, ShopList, Slot, Tally};
use crate::correlation::Phase;
use crate::damage::Found;
use crate::outcome::Code;
use crate::ports::StoreError;
use crate::revision::Revision;
use crate::shop::ShopId;

/// Why a campaign could not be stored or commanded.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The rules are against it. Nothing was changed.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many shops of a campaign have which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Of the activations.
    pub activation: Tally,
    /// Of the releases.
    pub release: Tally,
}

/// Which outcomes of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeFilter {
    /// Of this phase.
    pub phase: Phase,
    /// Of the shops whose slot is this one; `None` = of all shops.
    pub status: Option<Slot>,
}

/// What became of one shop of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopOutcome {
    /// The shop's place in the list.
    pub index: u32,
    /// The shop.
    pub shop: ShopId,
    /// What became of it.
    pub slot: Slot,
    /// Why, where that is not plain success.
    pub code: Option<Code>,
    /// More than the code's own message.
    pub message: Option<Box<str>>,
}

impl ShopOutcome {
    /// The outcomes of a chunk's shops that a filter names, from place `from` of the campaign's list
    /// on.
    pub fn of_chunk(
        chunk: &Chunk,
        list: &ShopList,
        OutcomeFilter { phase, status }: OutcomeFilter,
        from: u32,
    ) -> impl Iterator<Item = Self> {
        let slots = chunk.slots(phase).iter().enumerate().zip(chunk.first..);
        let slots = slots.filter(move |((_, slot), index)| {
            from <= *index && status.is_none_or(|status| **slot == status)
        });
        slots.filter_map(move |((place, slot), index)| {
            let detail = chunk.detail(phase, place);
            Some(Self {
                index,
                // INVARIANT: a list holds ids of shops alone.
                shop: list.get(place)?.parse().ok()?,
                slot: *slot,
                code: detail.map(|detail| detail.code),
                message: detail.and_then(|detail| detail.message.clone()),
            })
        })
    }
}

/// The campaigns, for those who start and follow them.
///
/// # Promises
///
/// - `add_freezes_the_list`: the campaign and its list are stored together, the shops of the
///   scope by lane and id; shops that come later are not in it.
/// - `add_splits_the_list_into_chunks`: each of one lane, and of no more than
///   [`CHUNK_SHOPS`](crate::CHUNK_SHOPS).
/// - `add_keeps_unknown_ids`: a scope of ids alone holds those of no shop too.
/// - `add_empty_scope_is_refused`: and takes nothing.
/// - `add_deadline_lies_above_the_mark`: a deadline lies above everything that any lane treated
///   as passed, whatever the clock says; that of a retry too.
/// - `add_counts_whole_milliseconds`: a time-out is cut to whole milliseconds and at least one,
///   in what is returned as in what is stored.
/// - `add_replaces_once`: a campaign is replaced by one other, and only while it is not ending.
/// - `command_goes_by_the_rules`: commands do what [`Campaign::command`] says, and nothing
///   where it refuses.
/// - `list_pages_are_complete`: pages hold each campaign once, the oldest first, and name each
///   damaged campaign once. A page with fewer campaigns than the limit is the last page.
/// - `outcomes_are_complete`: pages hold each shop of the list once, in its order.
/// - `outcomes_are_filtered`: with a filter, pages hold the shops that it wants. A page with fewer
///   shops than the limit is the last page.
/// - `damage_is_named_and_left_out`: `list`, `tallies` and `outcomes` hold everything else. A
///   damaged campaign, or one with damaged outcomes, is not commanded.
#[async_trait]
pub trait CampaignRepository: Send + Sync + 'static {
    /// Stores a campaign with its frozen list.
    async fn add(&self, draft: &Draft) -> Result<Campaign, CommandError>;

    /// One campaign.
    async fn get(&self, revision: Revision) -> Result<Option<Campaign>, StoreError>;

    /// Up to `limit` campaigns that are younger than `behind`, the oldest first.
    async fn list(
        &self,
        behind: Option<Revision>,
        limit: usize,
    ) -> Result<Found<Vec<Campaign>>, StoreError>;

    /// Does what an operator wants.
    async fn command(&self, revision: Revision, command: Command)
    -> Result<Campaign, CommandError>;

    /// How many shops have which outcome.
    async fn tallies(&self, revision: Revision) -> Result<Found<Tallies>, StoreError>;

    /// Up to `limit` outcomes from place `from` of the list on, in its order.
    async fn outcomes(
        &self,
        revision: Revision,
        filter: OutcomeFilter,
        from: u32,
        limit: usize,
    ) -> Result<Found<Vec<ShopOutcome>>, StoreError>;
}
