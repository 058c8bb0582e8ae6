//! Whether what is stored of a campaign fits together.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::Campaign;
use crate::chunk::{Chunk, ShopList, lost_chunks};
use crate::damage::{Damage, Found, StoredItem};
use crate::repair::listing::{ChunkOutline, first_places};
use crate::revision::Revision;

/// Returns all damage of a campaign with these chunks and lists: items that could not be read, and
/// items that do not fit the others.
///
/// 1. Each chunk has a list and outcomes, also the chunks that [`lost_chunks`] names.
/// 2. Both hold the same number of shops.
/// 3. A chunk stands in the campaign's list where the one before it ends.
/// 4. Where all of that holds, the chunks have as many shops as the campaign.
/// 5. Where that holds, too, campaign and chunks are as [`Campaign::fitted`] leaves them: no chunk
///    is from before the campaign's end, and the campaign's counts are those of its chunks.
#[must_use]
pub fn check_campaign(
    revision: Revision,
    campaign: Option<&Campaign>,
    chunks: Found<Vec<Chunk>>,
    lists: Found<Vec<(u32, ShopList)>>,
) -> Vec<Damage> {
    let numbers = |damages: &[Damage]| -> BTreeSet<u32> {
        damages.iter().filter_map(|damage| Some(damage.item.chunk()?.1)).collect()
    };
    let (bad_chunks, bad_lists) = (numbers(&chunks.damaged), numbers(&lists.damaged));
    let (chunks, mut damages) = (chunks.found, chunks.damaged);
    damages.extend(lists.damaged);
    let mut outlines = outlines(&chunks, &lists.found);
    for number in bad_chunks.iter().chain(&bad_lists) {
        outlines.entry(*number).or_default();
    }
    let firsts = first_places(&outlines);
    let end = |(number, outline): (&u32, &ChunkOutline)| {
        let first = outline.first.or_else(|| firsts.get(number).copied());
        let shops = outline.listed.or(outline.shops);
        (*number, first.zip(shops).map(|(first, shops)| first.saturating_add(shops)))
    };
    let ends = outlines.iter().map(end).collect();
    let gone = campaign.map(|campaign| lost_chunks(campaign.shops, &ends)).unwrap_or_default();
    let numbers: BTreeSet<u32> = outlines.keys().copied().chain(gone).collect();
    for number in numbers {
        let outline = outlines.get(&number).copied().unwrap_or_default();
        let (list, outcomes) =
            (StoredItem::List(revision, number), StoredItem::Outcomes(revision, number));
        if outline.listed.is_none() && !bad_lists.contains(&number) {
            damages.push(Damage::no_row(list.clone()));
        }
        if outline.shops.is_none() && !bad_chunks.contains(&number) {
            damages.push(Damage::no_row(outcomes.clone()));
        }
        if let (Some(shops), Some(of)) = (outline.listed, outline.shops)
            && shops != of
        {
            damages.push(misfit(list, format_args!("{shops} shops, and outcomes of {of}")));
        }
    }
    damages.extend(misplaced_chunks(revision, &outlines));
    if let Some(campaign) = campaign
        && damages.is_empty()
    {
        damages.extend(check_counts(campaign, &chunks));
    }
    damages
}

/// The damage of each chunk whose stored place is not where the chunk before it ends.
#[must_use]
pub fn misplaced_chunks(revision: Revision, chunks: &BTreeMap<u32, ChunkOutline>) -> Vec<Damage> {
    let firsts = first_places(chunks);
    let placed = chunks.iter().filter_map(|(number, chunk)| Some((*number, chunk.first?)));
    let misplaced = placed.filter(|(number, _)| !firsts.contains_key(number));
    let damage = |(number, first)| {
        let what = format_args!("stands at {first}, and not where the chunk before it ends");
        misfit(StoredItem::Outcomes(revision, number), what)
    };
    misplaced.map(damage).collect()
}

/// What chunks and lists tell that can be read.
fn outlines(chunks: &[Chunk], lists: &[(u32, ShopList)]) -> BTreeMap<u32, ChunkOutline> {
    let mut outlines: BTreeMap<u32, ChunkOutline> = BTreeMap::new();
    for (number, list) in lists {
        outlines.entry(*number).or_default().listed = u32::try_from(list.len()).ok();
    }
    for chunk in chunks {
        let outline = outlines.entry(chunk.number).or_default();
        outline.shops = u32::try_from(chunk.len()).ok();
        outline.first = Some(chunk.first);
    }
    outlines
}

/// Compares the counts of a campaign with its chunks, which can all be read.
fn check_counts(campaign: &Campaign, chunks: &[Chunk]) -> Option<Damage> {
    let revision = campaign.name.revision;
    let shops: usize = chunks.iter().map(Chunk::len).sum();
    if shops != campaign.shops as usize {
        let what = format_args!("{shops} of {} shops are in its chunks", campaign.shops);
        return Some(misfit(StoredItem::Campaign(revision), what));
    }
    let mut fitted = chunks.to_vec();
    let counted = campaign.clone().fitted(&mut fitted);
    let older = chunks.iter().zip(&fitted).filter(|(chunk, fitted)| chunk != fitted).count();
    if 0 < older {
        let state = campaign.state;
        let what = format_args!("{state}, and {older} of its chunks are from before its end");
        return Some(misfit(StoredItem::Counts(revision), what));
    }
    if counted.has_counts_of(campaign) {
        return None;
    }
    let what = format_args!(
        "{}, {} open and {} not released; by its chunks {}, {} open and {} not released",
        campaign.state,
        campaign.state.open(),
        campaign.unreleased,
        counted.state,
        counted.state.open(),
        counted.unreleased,
    );
    Some(misfit(StoredItem::Counts(revision), what))
}

fn misfit(item: StoredItem, what: std::fmt::Arguments<'_>) -> Damage {
    Damage { what: format!("{item}: {what}"), item }
}
