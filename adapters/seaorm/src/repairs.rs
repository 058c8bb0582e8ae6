//! What is damaged, and mending it.

mod evidence;
mod finding;

use std::collections::BTreeMap;

use async_trait::async_trait;
use catchment_domain::ports::{Repairs, StoreError};
use catchment_domain::{
    Campaign, Chunk, ChunkRemains, Damage, Found, ImportEntry, ImportReceipt, Lane, Mended, Repair,
    RepairTerms, Revision, ShopId, ShopList, ShopState, StateRemains, Unmendable, rebuild_chunk,
    rebuild_state,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use self::evidence::Evidence;
use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::entity::{campaign_chunk, campaign_list, shop, shop_state};
use crate::error::{classify, stored};
use crate::retry::while_busy;
use crate::store::{SeaOrmStore, next_revision};

#[async_trait]
impl Repairs for SeaOrmStore {
    async fn find(&self) -> Result<Vec<Damage>, StoreError> {
        self.find_damage().await
    }

    async fn mend_outcomes(
        &self,
        campaign: Revision,
        chunks: &[u32],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        while_busy(|| self.try_mend_outcomes(campaign, chunks, terms)).await
    }

    async fn mend_states(
        &self,
        lane: Lane,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        while_busy(|| self.try_mend_states(lane, shops, terms)).await
    }
}

impl SeaOrmStore {
    async fn try_mend_outcomes(
        &self,
        revision: Revision,
        numbers: &[u32],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let campaign = campaign_rows::lock_one(connection, revision, LockType::Update).await?;
        let Some(campaign) = campaign.found else {
            let why = Unmendable::OfCampaign(revision);
            return Ok(vec![Repair::Impossible(why); numbers.len()]);
        };
        let mut ledger = Ledger::lock(connection, campaign).await?;
        let mut repairs = Vec::with_capacity(numbers.len());
        for number in numbers {
            let repair = ledger.mend(*number, self.lanes());
            if let Repair::Mended(_) = repair
                && let Some(chunk) = ledger.chunks.get(number)
            {
                replace_chunk(connection, revision, chunk).await?;
            }
            repairs.push(repair);
        }
        if repairs.iter().any(|repair| matches!(repair, Repair::Mended(_))) && !terms.dry_run {
            campaign_rows::update(connection, &ledger.counted()).await?;
            transaction.commit().await?;
        }
        Ok(repairs)
    }

    async fn try_mend_states(
        &self,
        lane: Lane,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let path = self.dialect.hot_path;
        let mut evidence = Evidence::plan(self, lane, shops).await?;
        let (transaction, counted) = path.begin_import(self, lane).await?;
        let connection = transaction.connection()?;
        let mark = evidence.complete(connection).await?;
        let (mut repairs, mut mended) = (Vec::with_capacity(shops.len()), Vec::new());
        for id in shops {
            let Some(remains) = damaged_state(connection, lane, id).await? else {
                repairs.push(Repair::NotNeeded);
                continue;
            };
            let rebuilt =
                evidence.traces(id).and_then(|traces| rebuild_state(remains, traces, terms, mark));
            repairs.push(match rebuilt {
                Err(why) => Repair::Impossible(why),
                Ok((state, standing)) => {
                    let (causes, is_base_lost) = (state.active.len(), remains.base.is_none());
                    mended.push((id, state, standing));
                    Repair::Mended(Mended::State { causes, standing, is_base_lost })
                }
            });
        }
        if mended.is_empty() || terms.dry_run {
            return Ok(repairs);
        }
        for (id, ..) in &mended {
            let key = (i32::from(lane.0), id.as_str().to_owned());
            let deleted = shop_state::Entity::delete_by_id(key).exec(connection).await;
            deleted.map_err(classify)?;
        }
        mended.sort_by_key(|(id, ..)| *id);
        let states: Vec<(&ShopId, &ShopState)> =
            mended.iter().map(|(id, state, _)| (*id, state)).collect();
        path.store_states(connection, lane, &states).await?;
        let entries = mended
            .iter()
            .map(|(id, _, standing)| ImportEntry { shop: (*id).clone(), standing: *standing });
        let receipt = ImportReceipt {
            lane,
            number: counted.number,
            revision: next_revision(connection).await?,
            at: counted.now,
            entries: entries.collect(),
        };
        self.keep_import(connection, &receipt).await?;
        transaction.commit().await?;
        Ok(repairs)
    }
}

/// What can be read of what is in force at a shop; `None` where all of it can, or where there is
/// no such shop.
async fn damaged_state(
    connection: &OwnConnection,
    lane: Lane,
    id: &ShopId,
) -> Result<Option<StateRemains>, StoreError> {
    let key = (i32::from(lane.0), id.as_str().to_owned());
    let query = shop_state::Entity::find_by_id(key.clone());
    let query = query.build(connection.get_database_backend());
    let Some(row) = connection.query_one_raw(query).await.map_err(classify)? else {
        let shop = shop::Entity::find_by_id(key).one(connection).await.map_err(classify)?;
        return Ok(shop.map(|_| StateRemains::default()));
    };
    let Ok(model) = shop_state::Model::from_query_result(&row, "") else {
        return Ok(Some(StateRemains::default()));
    };
    let remains = model.remains();
    Ok(ShopState::try_from(model).is_err().then_some(remains))
}

/// Writes a chunk in the place of what cannot be read of it.
async fn replace_chunk(
    connection: &OwnConnection,
    revision: Revision,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    let key = (stored(revision.0), i64::from(chunk.number));
    let deleted = campaign_chunk::Entity::delete_by_id(key).exec(connection).await;
    deleted.map_err(classify)?;
    let row = campaign_chunk::active(revision, chunk);
    let added = campaign_chunk::Entity::insert(row).exec_without_returning(connection).await;
    added.map(drop).map_err(classify)
}

/// A campaign with all of its chunks, locked.
struct Ledger {
    campaign: Campaign,
    chunks: BTreeMap<u32, Chunk>,
    /// What is stored of those that cannot be read.
    damaged: BTreeMap<u32, campaign_chunk::Model>,
    lists: BTreeMap<u32, ShopList>,
}

impl Ledger {
    async fn lock(connection: &OwnConnection, campaign: Campaign) -> Result<Self, StoreError> {
        let revision = campaign.name.revision;
        let of_campaign = campaign_chunk::Column::Revision.eq(stored(revision.0));
        let query = campaign_chunk::Entity::find()
            .filter(of_campaign)
            .order_by_asc(campaign_chunk::Column::Number)
            .lock_exclusive()
            .build(connection.get_database_backend());
        let (mut chunks, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for row in connection.query_all_raw(query).await.map_err(classify)? {
            // A row of which not even the types are right holds nothing that could be used.
            let Ok(model) = campaign_chunk::Model::from_query_result(&row, "") else { continue };
            let Ok(number) = u32::try_from(model.number) else { continue };
            match Chunk::try_from(&model) {
                Ok(chunk) => drop(chunks.insert(number, chunk)),
                Err(_) => drop(damaged.insert(number, model)),
            }
        }
        let of_campaign = campaign_list::Column::Revision.eq(stored(revision.0));
        let Found { found: lists, .. } = campaign_rows::read_lists(
            connection,
            campaign_list::Entity::find().filter(of_campaign),
        )
        .await?;
        Ok(Self { campaign, chunks, damaged, lists: lists.into_iter().collect() })
    }

    /// Mends a chunk in memory.
    fn mend(&mut self, number: u32, lanes: catchment_domain::Lanes) -> Repair {
        if self.chunks.contains_key(&number) {
            return Repair::NotNeeded;
        }
        let model = self.damaged.get(&number);
        let list = self.lists.get(&number);
        let first_shop = list.and_then(|list| list.get(0)?.parse().ok());
        let (Some(list), Some(first_shop)) = (list, first_shop) else {
            return Repair::Impossible(Unmendable::OfList);
        };
        let Some(first) = self.first(number) else {
            return Repair::Impossible(Unmendable::OfList);
        };
        let lane = lanes.lane_of(&first_shop);
        let remains = model.map_or_else(ChunkRemains::default, |model| model.remains(list.len()));
        let chunk = rebuild_chunk(&self.campaign, (number, lane, first), list.len(), remains);
        let open = chunk.open();
        self.chunks.insert(number, chunk);
        Repair::Mended(Mended::Outcomes { open })
    }

    /// The place of a chunk's first shop in the campaign's list.
    fn first(&self, number: u32) -> Option<u32> {
        let shops = (0..number).map(|before| match self.chunks.get(&before) {
            Some(chunk) => Some(chunk.len()),
            None => self.lists.get(&before).map(ShopList::len),
        });
        u32::try_from(shops.sum::<Option<usize>>()?).ok()
    }

    /// The campaign, counted anew. What still cannot be read counts as open.
    fn counted(&self) -> Campaign {
        let mut chunks: Vec<Chunk> = self.chunks.values().cloned().collect();
        let known: usize = chunks.iter().map(Chunk::len).sum();
        let unknown = (self.campaign.shops as usize).saturating_sub(known);
        chunks.push(Chunk::new(u32::MAX, Lane(0), 0, unknown));
        self.campaign.clone().mended(&chunks)
    }
}
