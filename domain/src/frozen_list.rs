//! The list of a campaign's shops, as it is frozen when the campaign begins.

use crate::campaign::CampaignError;
use crate::chunk::{CHUNK_SHOPS, Chunk, ShopList};
use crate::correlation::MAX_SHOPS;
use crate::lane::Lane;
use crate::shop::ShopId;

/// The shops of a new campaign, in the order of lane and id.
///
/// They are divided into chunks: a chunk holds shops of one lane, at most [`CHUNK_SHOPS`].
#[derive(Clone, Debug, Default)]
pub struct FrozenList(Vec<(Lane, ShopList)>);

impl FrozenList {
    /// Adds a shop. Shops must come in the order of lane and id.
    pub fn push(&mut self, lane: Lane, shop: &ShopId) {
        match self.0.last_mut() {
            Some((current, list)) if *current == lane && list.len() < CHUNK_SHOPS => {
                list.push(shop);
            }
            _ => {
                let mut list = ShopList::default();
                list.push(shop);
                self.0.push((lane, list));
            }
        }
    }

    /// How many shops the campaign has.
    ///
    /// # Errors
    ///
    /// When there is none, or there are too many.
    pub fn count(&self) -> Result<u32, CampaignError> {
        let shops: usize = self.0.iter().map(|(_, list)| list.len()).sum();
        match u32::try_from(shops) {
            Ok(0) => Err(CampaignError::EmptyScope),
            Ok(shops) if shops <= MAX_SHOPS => Ok(shops),
            _ => Err(CampaignError::TooManyShops),
        }
    }

    /// The chunks, each with its shops. They are numbered from 0 without a gap, and each begins where
    /// the one before it ends.
    pub fn chunks(&self) -> impl Iterator<Item = (Chunk, &ShopList)> {
        let mut first = 0;
        (0..).zip(&self.0).map(move |(number, (lane, list))| {
            let chunk = Chunk::new(number, *lane, first, list.len());
            first = chunk.end();
            (chunk, list)
        })
    }
}
