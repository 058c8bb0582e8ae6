//! Another number of lanes: the list of a campaign and its ledger, divided anew.

use std::collections::BTreeMap;

use crate::chunk::{CHUNK_SHOPS, Chunk, Detail, ShopList, Slot};
use crate::correlation::Attempt;
use crate::lane::{Lane, Lanes};
use crate::shop::{ShopId, ShopIdError};

/// A shop of a campaign with its outcomes.
struct Listed<'a> {
    lane: Lane,
    sent: Option<Attempt>,
    id: &'a str,
    activation: Slot,
    release: Slot,
    /// Where it stood: the place of its chunk among all chunks, and its place in the chunk.
    from: (usize, usize),
}

/// Why slots were closed, by where their shop stood.
type Details<'a> = BTreeMap<(usize, usize), Vec<&'a Detail>>;

/// Divides the list of a campaign and its ledger among another number of lanes. `chunks` and `lists`
/// are all of the campaign's, in their order, and fit each other
/// ([`check_campaign`](crate::check_campaign) says so).
///
/// 1. Every shop keeps its outcomes, and why they are what they are.
/// 2. A chunk holds shops of one lane, at most [`CHUNK_SHOPS`].
/// 3. A chunk holds shops whose activations may have been sent in the same newest attempt, as before.
///    So the end of the campaign releases the same shops: those that may have been asked.
/// 4. The list goes by lane, then by that attempt (those that were certainly never sent come first),
///    then by id.
/// 5. Chunks are numbered from 0 without a gap, and each begins where the one before it ends.
///
/// # Errors
///
/// When the list holds what is no id of a shop.
pub fn relane(
    chunks: &[Chunk],
    lists: &[ShopList],
    lanes: Lanes,
) -> Result<(Vec<Chunk>, Vec<ShopList>), ShopIdError> {
    let (mut shops, mut details) = (Vec::new(), Details::new());
    for (number, (chunk, list)) in chunks.iter().zip(lists).enumerate() {
        let slots = chunk.activations().iter().zip(chunk.releases());
        for (place, (id, (activation, release))) in list.iter().zip(slots).enumerate() {
            let lane = lanes.lane_of(&id.parse::<ShopId>()?);
            let (activation, release) = (*activation, *release);
            let from = (number, place);
            shops.push(Listed { lane, sent: chunk.sent, id, activation, release, from });
        }
        for detail in chunk.details() {
            details.entry((number, detail.place.into())).or_default().push(detail);
        }
    }
    shops.sort_unstable_by_key(|shop| (shop.lane, shop.sent, shop.id));
    let (mut after, mut after_lists, mut first) = (Vec::new(), Vec::new(), 0);
    for alike in shops.chunk_by(|one, next| (one.lane, one.sent) == (next.lane, next.sent)) {
        for part in alike.chunks(CHUNK_SHOPS) {
            // INVARIANT: a campaign has at most 2^28 shops, so its chunks are fewer.
            let number = u32::try_from(after.len()).unwrap_or(u32::MAX);
            let chunk = chunk_of(part, &details, (number, first));
            first = chunk.end();
            after.push(chunk);
            let mut list = ShopList::default();
            for shop in part {
                list.push_id(shop.id);
            }
            after_lists.push(list);
        }
    }
    Ok((after, after_lists))
}

/// The ledger of shops of one lane that were sent alike.
fn chunk_of(part: &[Listed<'_>], known: &Details<'_>, (number, first): (u32, u32)) -> Chunk {
    let (lane, sent) = part.first().map_or((Lane(0), None), |shop| (shop.lane, shop.sent));
    let mut details = Vec::new();
    // INVARIANT: a chunk has at most 2,000 shops.
    for (place, shop) in (0_u16..).zip(part) {
        let of_shop = known.get(&shop.from).into_iter().flatten();
        details.extend(of_shop.map(|detail| Detail { place, ..Detail::clone(detail) }));
    }
    let activations = part.iter().map(|shop| shop.activation).collect();
    let releases = part.iter().map(|shop| shop.release).collect();
    Chunk::restore((number, lane, first), sent, activations, releases, details)
}
