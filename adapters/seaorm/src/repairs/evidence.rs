//! Reads what the ledgers of campaigns and the receipts of a lane prove about shops.
//!
//! Reading needs no lock. A shop whose causes cannot be read rejects its requests, so ledgers and
//! receipts prove the same about it until it is mended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use catchment_domain::ports::{ShopRepository as _, StoreError};
use catchment_domain::{
    Campaign, ChunkOutline, ChunkRemains, Deadline, ImportReceipt, Lane, Revision, ShopId, Slot,
    Ticket, Trace, Unmendable, first_places, is_lane_listed, may_have_left_a_cause,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter,
    QueryResult, QuerySelect, QueryTrait,
};

use crate::campaign_rows;
use crate::entity::{campaign_chunk, campaign_list};
use crate::error::{classify, stored};
use crate::repairs::finding::revisions_of_chunks;
use crate::store::SeaOrmStore;

/// What is known of a campaign without its outcomes.
struct Outline {
    /// The campaign, if it can be read.
    campaign: Option<Arc<Campaign>>,
    chunks: BTreeMap<u32, ChunkOutline>,
}

impl Outline {
    fn is_listed(&self, lane: Lane) -> bool {
        let shops = self.campaign.as_ref().map(|campaign| campaign.shops);
        is_lane_listed(shops, &self.chunks, lane)
    }
}

/// The place of a shop in the list of a campaign.
#[derive(Clone, Copy)]
struct Place {
    revision: Revision,
    number: u32,
    in_chunk: usize,
    /// `None` if the place of the chunk's first shop is unknown.
    in_list: Option<u32>,
}

/// The places of some shops in the lists of all campaigns.
pub(super) struct Evidence {
    outlines: BTreeMap<Revision, Outline>,
    places: HashMap<ShopId, Vec<Place>>,
}

impl Evidence {
    /// Reads all campaigns and lists once.
    pub(super) async fn plan(store: &SeaOrmStore, shops: &[ShopId]) -> Result<Self, StoreError> {
        let mut outlines = outlines(store).await?;
        let mut places: HashMap<ShopId, Vec<Place>> = HashMap::new();
        let wanted: HashMap<&str, &ShopId> = shops.iter().map(|id| (id.as_str(), id)).collect();
        for (revision, outline) in &mut outlines {
            let of_campaign = campaign_list::Column::Revision.eq(stored(revision.0));
            let lists = campaign_list::Entity::find().filter(of_campaign);
            // A list that cannot be read is reported separately as damage.
            let lists = campaign_rows::read_lists(&store.readers, lists).await?.found;
            for (number, list) in &lists {
                let chunk = outline.chunks.entry(*number).or_default();
                *chunk = chunk.with_list(list, store.lanes());
            }
            let firsts = first_places(&outline.chunks);
            for (number, list) in &lists {
                let first = firsts.get(number);
                for (in_chunk, id) in list.iter().enumerate() {
                    let Some(shop) = wanted.get(id) else { continue };
                    let in_list = u32::try_from(in_chunk).ok();
                    let in_list = in_list.and_then(|place| first?.checked_add(place));
                    let place = Place { revision: *revision, number: *number, in_chunk, in_list };
                    places.entry(ShopId::clone(shop)).or_default().push(place);
                }
            }
        }
        Ok(Self { outlines, places })
    }

    /// Reads what receipts and ledgers prove about shops of a lane.
    pub(super) async fn of_lane(
        &self,
        store: &SeaOrmStore,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<LaneEvidence, StoreError> {
        let unlisted = self.outlines.iter().filter(|(_, outline)| !outline.is_listed(lane));
        let unlisted = unlisted.map(|(revision, it)| (*revision, it.campaign.clone())).collect();
        let mut known = HashMap::with_capacity(shops.len());
        for shop in shops {
            let places = self.places.get(shop).map(Vec::as_slice).unwrap_or_default();
            let known_at = |place: &Place| self.trace(*place, shop).map(|trace| (*place, trace));
            let traces = places.iter().map(known_at);
            known.insert(shop.clone(), traces.collect::<Result<Vec<_>, Unmendable>>());
        }
        read_receipts(store, lane, &mut known).await?;
        read_imports(store, lane, &mut known).await?;
        read_outcomes(store, &mut known).await?;
        let without_place = |traces: Vec<(Place, Trace)>| -> Vec<Trace> {
            traces.into_iter().map(|(_, trace)| trace).collect()
        };
        let traces = known.into_iter().map(|(shop, traces)| (shop, traces.map(without_place)));
        Ok(LaneEvidence { unlisted, traces: traces.collect() })
    }

    fn trace(&self, place: Place, shop: &ShopId) -> Result<Trace, Unmendable> {
        let campaign = self.outlines.get(&place.revision).and_then(|it| it.campaign.clone());
        let campaign = campaign.ok_or(Unmendable::OfCampaign(place.revision))?;
        let index = place.in_list.ok_or(Unmendable::OfList(place.revision))?;
        Ok(Trace::new(campaign, index, shop))
    }
}

/// What is known of some shops of a lane.
pub(super) struct LaneEvidence {
    /// The campaigns whose shops in this lane are not all known.
    unlisted: Vec<(Revision, Option<Arc<Campaign>>)>,
    traces: HashMap<ShopId, Result<Vec<Trace>, Unmendable>>,
}

impl LaneEvidence {
    /// Returns what is known of a shop. `mark` is the highest deadline that its lane treated as
    /// passed.
    pub(super) fn traces(&self, shop: &ShopId, mark: Deadline) -> Result<&[Trace], Unmendable> {
        let may_matter = |campaign: &Option<Arc<Campaign>>| {
            campaign.as_ref().is_none_or(|campaign| may_have_left_a_cause(campaign, mark))
        };
        if let Some((revision, _)) = self.unlisted.iter().find(|(_, it)| may_matter(it)) {
            return Err(Unmendable::OfList(*revision));
        }
        match self.traces.get(shop) {
            Some(Ok(traces)) => Ok(traces),
            Some(Err(why)) => Err(*why),
            None => Ok(&[]),
        }
    }
}

/// Shops with their places, and what is known of each place.
type Known = HashMap<ShopId, Result<Vec<(Place, Trace)>, Unmendable>>;

/// Reads all campaigns and the outlines of their chunks, from the rows of the outcomes. A campaign
/// that is added meanwhile may have no chunk here: its lists, which are read later, complete it.
async fn outlines(store: &SeaOrmStore) -> Result<BTreeMap<Revision, Outline>, StoreError> {
    let unread = || Outline { campaign: None, chunks: BTreeMap::new() };
    let revisions = revisions_of_chunks(store).await?;
    let mut outlines: BTreeMap<Revision, Outline> =
        revisions.into_iter().map(|revision| (revision, unread())).collect();
    let chunks = campaign_chunk::Entity::find()
        .select_only()
        .column(campaign_chunk::Column::Revision)
        .column(campaign_chunk::Column::Number)
        .column(campaign_chunk::Column::Lane)
        .column(campaign_chunk::Column::First)
        .column(campaign_chunk::Column::Shops)
        .build(store.readers.get_database_backend());
    for row in store.readers.query_all_raw(chunks).await.map_err(classify)? {
        let Ok(revision) = row.try_get::<i64>("", "revision") else { continue };
        let Some(number) = small(&row, "number") else { continue };
        // Of a campaign that is deleted, or was added since.
        let Some(outline) = outlines.get_mut(&Revision(revision.cast_unsigned())) else { continue };
        outline.chunks.insert(number, outline_of(&row));
    }
    let campaigns = campaign_rows::all(&store.readers, Condition::all()).await?;
    for revision in campaigns.damaged.iter().filter_map(|damage| damage.item.campaign()) {
        outlines.entry(revision).or_insert_with(unread);
    }
    for campaign in campaigns.found {
        let outline = outlines.entry(campaign.name.revision).or_insert_with(unread);
        outline.campaign = Some(Arc::new(campaign));
    }
    Ok(outlines)
}

/// Reads the row of a chunk without its outcomes.
pub(super) fn outline_of(row: &QueryResult) -> ChunkOutline {
    let lane = row.try_get::<i32>("", "lane").ok().and_then(|lane| u16::try_from(lane).ok());
    ChunkOutline {
        lane: lane.map(Lane),
        listed: None,
        shops: small(row, "shops"),
        first: small(row, "first"),
    }
}

fn small(row: &QueryResult, column: &str) -> Option<u32> {
    row.try_get::<i64>("", column).ok().and_then(|number| u32::try_from(number).ok())
}

/// Adds what the lane's receipts prove to the traces of their shops. Receipts of earlier logs
/// count, too.
async fn read_receipts(
    store: &SeaOrmStore,
    lane: Lane,
    known: &mut Known,
) -> Result<(), StoreError> {
    let traces = known.values_mut().filter_map(|traces| traces.as_mut().ok()).flatten();
    let mut by_key: HashMap<(Revision, u32), Vec<&mut Trace>> = HashMap::new();
    for (_, trace) in traces {
        by_key.entry(trace.key()).or_default().push(trace);
    }
    // Receipts that cannot be read are reported separately as damage.
    store
        .visit_receipts_of(Some(lane), &mut |_, receipt| {
            for entry in &receipt.entries {
                let Some(ticket) = Ticket::read(entry.id) else { continue };
                let traces = by_key.get_mut(&(ticket.revision, ticket.index));
                traces.into_iter().flatten().for_each(|trace| trace.add_receipt(entry));
            }
        })
        .await
        .map(drop)
}

/// Adds the effects of the lane's imports and of releases by command. Receipts that cannot be read
/// are skipped.
async fn read_imports(
    store: &SeaOrmStore,
    lane: Lane,
    known: &mut Known,
) -> Result<(), StoreError> {
    let kept_from = store.kept_from(store.now(&store.readers).await?);
    let mut visit = |receipt: ImportReceipt| {
        for entry in &receipt.entries {
            let Some(Ok(traces)) = known.get_mut(&entry.shop) else { continue };
            for (_, trace) in traces {
                trace.add_import(entry, (receipt.at, kept_from));
            }
        }
    };
    store.visit_import_receipts(lane, &mut visit).await.map(drop)
}

/// Adds the outcomes in the campaigns' ledgers. The shops of a lane share chunks, so each chunk is
/// read once.
async fn read_outcomes(store: &SeaOrmStore, known: &mut Known) -> Result<(), StoreError> {
    let traces = known.values_mut().filter_map(|traces| traces.as_mut().ok()).flatten();
    let mut by_chunk: BTreeMap<(Revision, u32), Vec<(usize, &mut Trace)>> = BTreeMap::new();
    for (Place { revision, number, in_chunk, .. }, trace) in traces {
        by_chunk.entry((*revision, *number)).or_default().push((*in_chunk, trace));
    }
    for ((revision, number), traces) in by_chunk {
        let remains = remains(store, revision, number).await?;
        for (in_chunk, trace) in traces {
            let slot = |slots: &[Option<Slot>]| slots.get(in_chunk).copied().flatten();
            trace.set_slots(slot(&remains.activations), slot(&remains.releases));
        }
    }
    Ok(())
}

/// Returns what can be read of a chunk.
async fn remains(
    store: &SeaOrmStore,
    revision: Revision,
    number: u32,
) -> Result<ChunkRemains, StoreError> {
    let key = (stored(revision.0), i64::from(number));
    let query = campaign_chunk::Entity::find_by_id(key).build(store.readers.get_database_backend());
    let row = store.readers.query_one_raw(query).await.map_err(classify)?;
    let model = row.and_then(|row| campaign_chunk::Model::from_query_result(&row, "").ok());
    let remains =
        model.map(|model| model.remains(usize::try_from(model.shops).unwrap_or_default()));
    Ok(remains.unwrap_or_default())
}
