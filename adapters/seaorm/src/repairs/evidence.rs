//! What the ledgers of campaigns and the receipts of a lane tell of shops.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Campaign, ChunkRemains, Deadline, Lane, Receipt, Revision, ShopId, Slot, Ticket, Trace,
    Unmendable,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::entity::{campaign, campaign_chunk, campaign_list, lane_state, receipt};
use crate::error::{classify, stored};
use crate::hot_path::no_lane;
use crate::store::SeaOrmStore;

/// How many receipts are held at a time.
const PAGE: u64 = 100;

/// Where a shop stands in the list of a campaign.
#[derive(Clone, Copy)]
struct Place {
    revision: Revision,
    number: u32,
    in_chunk: usize,
    in_list: u32,
}

/// What is known of some shops of a lane.
pub(super) struct Evidence {
    lane: Lane,
    places: BTreeMap<ShopId, Vec<Place>>,
    traces: BTreeMap<ShopId, Result<Vec<Trace>, Unmendable>>,
}

impl Evidence {
    /// Looks up where the shops stand. Lists do not change, so this needs no lock.
    pub(super) async fn plan(
        store: &SeaOrmStore,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<Self, StoreError> {
        let mut places: BTreeMap<ShopId, Vec<Place>> =
            shops.iter().map(|shop| (shop.clone(), Vec::new())).collect();
        let wanted: HashMap<&str, &ShopId> = shops.iter().map(|id| (id.as_str(), id)).collect();
        let revisions: Vec<i64> = campaign_list::Entity::find()
            .select_only()
            .column(campaign_list::Column::Revision)
            .distinct()
            .order_by_asc(campaign_list::Column::Revision)
            .into_tuple()
            .all(&store.readers)
            .await
            .map_err(classify)?;
        for revision in revisions {
            let of_campaign = campaign_list::Column::Revision.eq(revision);
            let lists = campaign_list::Entity::find().filter(of_campaign);
            let lists = campaign_rows::read_lists(&store.readers, lists).await?;
            // A list that cannot be read is named by itself; its shops have no place here.
            let lengths: BTreeMap<u32, usize> =
                lists.found.iter().map(|(number, list)| (*number, list.len())).collect();
            let firsts = firsts(store, revision, &lengths).await?;
            for (number, list) in &lists.found {
                let Some(first) = firsts.get(number) else { continue };
                for (in_chunk, id) in list.iter().enumerate() {
                    let shop = wanted.get(id);
                    if let Some(places) = shop.and_then(|shop| places.get_mut(*shop)) {
                        let in_list = first + u32::try_from(in_chunk).unwrap_or(u32::MAX);
                        let revision = Revision(revision.cast_unsigned());
                        places.push(Place { revision, number: *number, in_chunk, in_list });
                    }
                }
            }
        }
        Ok(Self { lane, places, traces: BTreeMap::new() })
    }

    /// Reads what ledgers and receipts tell now. Returns the highest deadline that the lane treated
    /// as passed.
    pub(super) async fn complete(
        &mut self,
        connection: &OwnConnection,
    ) -> Result<Deadline, StoreError> {
        let mut ledgers = Ledgers::default();
        for (shop, places) in &self.places {
            let mut traces = Vec::with_capacity(places.len());
            let mut why = None;
            for place in places {
                match ledgers.trace(connection, *place).await? {
                    Ok(trace) => traces.push(trace),
                    Err(error) => why = Some(error),
                }
            }
            self.traces.insert(shop.clone(), why.map_or(Ok(traces), Err));
        }
        self.read_receipts(connection).await?;
        let lane = lane_state::Entity::find_by_id(i32::from(self.lane.0)).one(connection).await;
        let lane = lane.map_err(classify)?.ok_or_else(|| no_lane(self.lane))?;
        Ok(lane_state::mark(lane.expired_up_to))
    }

    /// What is known of a shop.
    pub(super) fn traces(&self, shop: &ShopId) -> Result<&[Trace], Unmendable> {
        match self.traces.get(shop) {
            Some(Ok(traces)) => Ok(traces),
            Some(Err(why)) => Err(*why),
            None => Ok(&[]),
        }
    }

    /// Shows the receipts of the lane, those of logs that are gone too, to what they may tell
    /// of. A receipt that cannot be read tells nothing.
    async fn read_receipts(&mut self, connection: &OwnConnection) -> Result<(), StoreError> {
        let traces = self.traces.values_mut().filter_map(|traces| traces.as_mut().ok()).flatten();
        let mut by_key: HashMap<(Revision, u32), Vec<&mut Trace>> = HashMap::new();
        for trace in traces {
            by_key.entry(trace.key()).or_default().push(trace);
        }
        let of_lane = receipt::Column::Lane.eq(i32::from(self.lane.0));
        let mut pages = receipt::Entity::find()
            .filter(of_lane)
            .cursor_by((receipt::Column::Epoch, receipt::Column::FromPosition));
        loop {
            let models = pages.first(PAGE).all(connection).await.map_err(classify)?;
            let Some(last) = models.last() else { return Ok(()) };
            pages.after((last.epoch, last.from_position));
            for model in models {
                let Ok((_, receipt)) = <(Lane, Receipt)>::try_from(model) else { continue };
                for entry in &receipt.entries {
                    let Some(ticket) = Ticket::read(entry.id) else { continue };
                    let traces = by_key.get_mut(&(ticket.revision, ticket.index));
                    traces.into_iter().flatten().for_each(|trace| trace.see(entry));
                }
            }
        }
    }
}

/// The place of each chunk's first shop in a campaign's list. Where a chunk does not tell, those
/// before it do.
async fn firsts(
    store: &SeaOrmStore,
    revision: i64,
    lengths: &BTreeMap<u32, usize>,
) -> Result<BTreeMap<u32, u32>, StoreError> {
    let known: Vec<(i64, i64)> = campaign_chunk::Entity::find()
        .select_only()
        .column(campaign_chunk::Column::Number)
        .column(campaign_chunk::Column::First)
        .filter(campaign_chunk::Column::Revision.eq(revision))
        .into_tuple()
        .all(&store.readers)
        .await
        .map_err(classify)?;
    let known: BTreeMap<i64, i64> = known.into_iter().collect();
    let mut firsts = BTreeMap::new();
    let mut next: Option<u32> = Some(0);
    for (place, (number, length)) in (0..).zip(lengths) {
        let told = known.get(&i64::from(*number)).and_then(|first| u32::try_from(*first).ok());
        let first = told.or(next.filter(|_| place == *number));
        firsts.extend(first.map(|first| (*number, first)));
        next = first.zip(u32::try_from(*length).ok()).and_then(|(a, b)| a.checked_add(b));
    }
    Ok(firsts)
}

/// The ledgers of campaigns, as far as they were read. The shops of a lane share their chunks.
#[derive(Default)]
struct Ledgers {
    campaigns: HashMap<Revision, Option<Campaign>>,
    chunks: HashMap<(Revision, u32), ChunkRemains>,
}

impl Ledgers {
    /// What a campaign's ledger says of a shop.
    async fn trace(
        &mut self,
        connection: &OwnConnection,
        Place { revision, number, in_chunk, in_list }: Place,
    ) -> Result<Result<Trace, Unmendable>, StoreError> {
        let campaign = match self.campaigns.entry(revision) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let wanted = campaign::Column::Revision.eq(stored(revision.0));
                let found = campaign_rows::all(connection, Condition::all().add(wanted));
                unknown.insert(found.await?.found.pop())
            }
        };
        let Some(campaign) = campaign else {
            return Ok(Err(Unmendable::OfCampaign(revision)));
        };
        let remains = match self.chunks.entry((revision, number)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(remains(connection, revision, number).await?),
        };
        let slot = |slots: &[Option<Slot>]| slots.get(in_chunk).copied().flatten();
        let (activation, release) = (slot(&remains.activations), slot(&remains.releases));
        Ok(Ok(Trace::new(campaign.clone(), in_list, activation, release)))
    }
}

/// What can be read of a chunk.
async fn remains(
    connection: &OwnConnection,
    revision: Revision,
    number: u32,
) -> Result<ChunkRemains, StoreError> {
    let key = (stored(revision.0), i64::from(number));
    let query = campaign_chunk::Entity::find_by_id(key).build(connection.get_database_backend());
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let model = row.and_then(|row| campaign_chunk::Model::from_query_result(&row, "").ok());
    let remains =
        model.map(|model| model.remains(usize::try_from(model.shops).unwrap_or_default()));
    Ok(remains.unwrap_or_default())
}
