//! Which shops the chunks of a campaign hold, as far as that is known.

use std::collections::BTreeMap;

use crate::campaign::{Campaign, CampaignState};
use crate::chunk::ShopList;
use crate::lane::{Lane, Lanes};
use crate::time::Deadline;

/// What can be read of a chunk beside its shops and their outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkOutline {
    /// The lane of its shops.
    pub lane: Option<Lane>,
    /// How many shops its list holds.
    pub listed: Option<u32>,
    /// How many shops its outcomes are of.
    pub shops: Option<u32>,
    /// The place of its first shop in the campaign's list, as it was stored.
    pub first: Option<u32>,
}

impl ChunkOutline {
    /// Adds the lane and the number of shops of the chunk's list.
    #[must_use]
    pub fn with_list(self, list: &ShopList, lanes: Lanes) -> Self {
        let shop = list.get(0).and_then(|id| id.parse().ok());
        let lane = shop.map(|shop| lanes.lane_of(&shop)).or(self.lane);
        Self { lane, listed: u32::try_from(list.len()).ok(), ..self }
    }

    /// How many shops it holds; `None` if neither list nor outcomes are known, or if they differ.
    fn count(self) -> Option<u32> {
        agreed([self.listed, self.shops])
    }

    /// Whether its list can be read, and lacks no shop as far as that is known.
    fn is_listed(self) -> bool {
        self.listed.is_some() && self.listed == self.count()
    }
}

/// The value on which all known values agree; `None` if they differ or none is known.
fn agreed(told: impl IntoIterator<Item = Option<u32>>) -> Option<u32> {
    let mut told = told.into_iter().flatten();
    let first = told.next()?;
    told.all(|other| other == first).then_some(first)
}

/// The place of each chunk's first shop in the campaign's list, by the number of the chunk. Up to
/// three sources give it:
///
/// 1. The stored place, where it can be read.
/// 2. The chunk before it, by its own place and how many shops it holds. Chunk 0 stands at 0.
/// 3. Where the stored place cannot be read, the chunk behind it, by the place stored there and
///    how many shops this one holds.
///
/// If the sources differ, or there is none, the place is unknown.
#[must_use]
pub fn first_places(chunks: &BTreeMap<u32, ChunkOutline>) -> BTreeMap<u32, u32> {
    let mut firsts = BTreeMap::new();
    let mut next = Some((0, 0));
    for (number, chunk) in chunks {
        let before = next.filter(|(next, _)| next == number).map(|(_, place)| place);
        let behind = number.checked_add(1).and_then(|behind| chunks.get(&behind)?.first);
        let behind = behind.zip(chunk.count()).and_then(|(end, count)| end.checked_sub(count));
        let behind = behind.filter(|_| chunk.first.is_none());
        let first = agreed([chunk.first, before, behind]);
        firsts.extend(first.map(|first| (*number, first)));
        let end = first.zip(chunk.count()).and_then(|(first, count)| first.checked_add(count));
        next = number.checked_add(1).zip(end);
    }
    firsts
}

/// Whether all shops of a campaign in a lane are known. Then a shop of that lane that no list names
/// is not a shop of the campaign. `shops` is the number of its shops in all lanes.
///
/// 1. No chunk is lost: their numbers have no gap, and they hold as many shops as the campaign
///    has, where that can be read.
/// 2. The list of every chunk in this lane, or in a lane that is not known, can be read and has
///    as many shops as there are outcomes.
#[must_use]
pub fn is_lane_listed(
    shops: Option<u32>,
    chunks: &BTreeMap<u32, ChunkOutline>,
    lane: Lane,
) -> bool {
    let has_no_gap = (0..).zip(chunks.keys()).all(|(expected, number)| expected == *number);
    let mut counts = chunks.values().map(|chunk| chunk.count());
    let count = counts.try_fold(0_u32, |sum, count| sum.checked_add(count?));
    let may_be_here = |chunk: &&ChunkOutline| chunk.lane.is_none_or(|other| other == lane);
    has_no_gap
        && shops.is_none_or(|shops| count == Some(shops))
        && chunks.values().filter(may_be_here).all(|chunk| chunk.is_listed())
}

/// Whether a campaign may have left an active or released cause at a shop that may be in one of its
/// unknown lists. `mark` is the highest deadline that the shop's lane treated as passed.
///
/// It has left none where
///
/// 1. it has ended, and every release was answered well,
/// 2. its deadline is not above `mark`, so that released causes are not needed any more, and
/// 3. it replaced no other campaign, whose release its activation would have been.
#[must_use]
pub fn may_have_left_a_cause(campaign: &Campaign, mark: Deadline) -> bool {
    let is_released = campaign.state == CampaignState::Ended && campaign.unreleased == 0;
    !is_released || mark < campaign.deadline || campaign.replaces.is_some()
}
