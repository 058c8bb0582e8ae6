//! Finds and mends damage, and releases causes by command.

mod evidence;
mod finding;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use catchment_domain::ports::{Repairs, StoreError};
use catchment_domain::{
    Campaign, CauseCampaign, CauseName, Chunk, ChunkOutline, ChunkRemains, Damage, Deadline,
    ImportEntry, ImportReceipt, ImportRemark, Lacking, Lane, Lanes, Mended, ReleaseResult,
    ReleaseTerms, Repair, RepairTerms, Revision, ShopId, ShopState, StateRemains, Unmendable,
    first_places, rebuild_chunk, rebuild_state, release_cause,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

pub(crate) use self::finding::revisions_of_chunks;

use self::evidence::{Evidence, LaneEvidence, outline_of};
use crate::applying::check_orphans;
use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::entity::{campaign, campaign_chunk, campaign_list, lane_state, shop, shop_state};
use crate::error::{classify, stored};
use crate::hot_path::{CountedImport, no_lane};
use crate::retry::{while_busy, while_busy_or_locked};
use crate::store::{SeaOrmStore, next_revision};

/// How many shops' evidence is held at a time. All lists are read once for each group of this size.
const KNOWN: usize = 10_000;

/// How many shops are mended in one transaction. The lane's owner waits for that transaction.
const PART: usize = 100;

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

    async fn mend_counts(
        &self,
        campaign: Revision,
        terms: &RepairTerms,
    ) -> Result<Repair, StoreError> {
        while_busy(|| self.try_mend_counts(campaign, terms)).await
    }

    async fn mend_states(
        &self,
        shops: &[ShopId],
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let mut by_lane: Vec<(Lane, ShopId)> =
            shops.iter().map(|id| (self.lanes().lane_of(id), id.clone())).collect();
        by_lane.sort_unstable();
        let mut repairs: HashMap<ShopId, Repair> = HashMap::with_capacity(shops.len());
        for known in by_lane.chunks(KNOWN) {
            let ids: Vec<ShopId> = known.iter().map(|(_, id)| id.clone()).collect();
            let evidence = Evidence::plan(self, &ids).await?;
            let mut ids = &ids[..];
            for of_lane in known.chunk_by(|one, next| one.0 == next.0) {
                let (here, rest) = ids.split_at(of_lane.len());
                ids = rest;
                let Some((lane, _)) = of_lane.first() else { continue };
                let evidence = evidence.of_lane(self, *lane, here).await?;
                for part in here.chunks(PART) {
                    let mended =
                        while_busy(|| self.try_mend_states(*lane, part, &evidence, terms)).await?;
                    repairs.extend(part.iter().cloned().zip(mended));
                }
            }
        }
        let repair = |id| repairs.get(id).copied().unwrap_or(Repair::NotNeeded);
        Ok(shops.iter().map(repair).collect())
    }

    async fn release(
        &self,
        shop: &ShopId,
        terms: ReleaseTerms,
    ) -> Result<ReleaseResult, StoreError> {
        while_busy_or_locked(|| self.try_release(shop, terms)).await
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
        let Some(mut ledger) = Ledger::lock(connection, revision, self.lanes()).await? else {
            let why = Unmendable::OfCampaign(revision);
            return Ok(vec![Repair::Impossible(why); numbers.len()]);
        };
        self.check_lanes(connection, None).await?;
        let mut repairs = Vec::with_capacity(numbers.len());
        for number in numbers {
            let repair = ledger.mend(*number);
            if let Repair::Mended(_) = repair
                && let Some(chunk) = ledger.chunks.get(number)
            {
                replace_chunk(connection, revision, chunk).await?;
            }
            repairs.push(repair);
        }
        if repairs.iter().any(|repair| matches!(repair, Repair::Mended(_))) && !terms.dry_run {
            let counted = ledger.counted();
            campaign_rows::update(connection, &counted).await?;
            campaign_rows::note_end(connection, &counted, self.clock()).await?;
            transaction.commit().await?;
        }
        Ok(repairs)
    }

    async fn try_mend_counts(
        &self,
        revision: Revision,
        terms: &RepairTerms,
    ) -> Result<Repair, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let Some(ledger) = Ledger::lock(connection, revision, self.lanes()).await? else {
            return Ok(Repair::Impossible(Unmendable::OfCampaign(revision)));
        };
        let before: Vec<Chunk> = ledger.chunks.values().cloned().collect();
        let mut after = before.clone();
        // If some chunks cannot be read, their shops count as open, and no chunk is ended again.
        let counted = match ledger.unknown() {
            0 => ledger.campaign.clone().fitted(&mut after),
            _ => ledger.counted(),
        };
        if counted.has_counts_of(&ledger.campaign) && after == before {
            return Ok(Repair::NotNeeded);
        }
        if !terms.dry_run {
            campaign_rows::update_chunks(connection, revision, &before, &after).await?;
            campaign_rows::update(connection, &counted).await?;
            campaign_rows::note_end(connection, &counted, self.clock()).await?;
            transaction.commit().await?;
        }
        let (open, unreleased) = (counted.state.open(), counted.unreleased);
        Ok(Repair::Mended(Mended::Counts { open, unreleased }))
    }

    /// Mends shops of a lane in one transaction that holds the lane's row. Reads each shop again,
    /// and leaves it unchanged if it can be read now.
    async fn try_mend_states(
        &self,
        lane: Lane,
        shops: &[ShopId],
        evidence: &LaneEvidence,
        terms: &RepairTerms,
    ) -> Result<Vec<Repair>, StoreError> {
        let path = self.dialect.hot_path;
        let (transaction, counted) = self.begin_import(lane).await?;
        let connection = transaction.connection()?;
        let mark = mark(connection, lane).await?;
        let (mut repairs, mut mended) = (Vec::with_capacity(shops.len()), Vec::new());
        for id in shops {
            let Some(remains) = damaged_state(connection, lane, id).await? else {
                repairs.push(Repair::NotNeeded);
                continue;
            };
            let traces = evidence.traces(id, mark);
            let rebuilt = traces.and_then(|traces| rebuild_state(remains, traces, terms, mark));
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
        let states: Vec<(&ShopId, &ShopState)> =
            mended.iter().map(|(id, state, _)| (*id, state)).collect();
        path.store_states(connection, lane, &states).await?;
        let entries = mended.iter().map(|(id, _, standing)| {
            let shop = (*id).clone();
            ImportEntry { shop, standing: *standing, remark: None }
        });
        self.leave_receipt(connection, (lane, counted), entries.collect()).await?;
        transaction.commit().await?;
        Ok(repairs)
    }

    /// Releases a cause in one transaction that holds the lane's row.
    async fn try_release(
        &self,
        shop: &ShopId,
        terms: ReleaseTerms,
    ) -> Result<ReleaseResult, StoreError> {
        let (path, lane) = (self.dialect.hot_path, self.lanes().lane_of(shop));
        let (transaction, counted) = self.begin_import(lane).await?;
        let connection = transaction.connection()?;
        let states = path.load_states(connection, lane, std::slice::from_ref(shop)).await?;
        let Some(mut state) = states.into_iter().next().flatten() else {
            check_orphans(connection, lane, std::iter::once(shop)).await?;
            return Ok(ReleaseResult::UnknownShop);
        };
        let campaign = match terms.cause {
            CauseName::Campaign(campaign) => cause_campaign(connection, campaign).await?,
            CauseName::Kind(_) => CauseCampaign::Unknown,
        };
        let Some(standing) = release_cause(&mut state, terms, campaign) else {
            return Ok(ReleaseResult::NotInForce);
        };
        path.store_states(connection, lane, &[(shop, &state)]).await?;
        let remark = Some(ImportRemark::Released(terms.cause));
        let entry = ImportEntry { shop: shop.clone(), standing, remark };
        self.leave_receipt(connection, (lane, counted), vec![entry]).await?;
        transaction.commit().await?;
        Ok(ReleaseResult::Done(standing))
    }

    /// Stores a receipt of the changes to a lane's shops, like that of an import.
    async fn leave_receipt(
        &self,
        connection: &OwnConnection,
        (lane, counted): (Lane, CountedImport),
        entries: Vec<ImportEntry>,
    ) -> Result<(), StoreError> {
        let receipt = ImportReceipt {
            lane,
            number: counted.number,
            revision: next_revision(connection).await?,
            at: counted.now,
            entries,
        };
        self.keep_import(connection, &receipt).await
    }
}

/// Reads the campaign of a cause, as far as checks of its requests need it. If only other columns
/// are damaged, the row still has the deadline.
async fn cause_campaign(
    connection: &OwnConnection,
    revision: Revision,
) -> Result<CauseCampaign, StoreError> {
    let query = campaign::Entity::find_by_id(stored(revision.0));
    let query = query.build(connection.get_database_backend());
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let Some(row) = row else { return Ok(CauseCampaign::Unknown) };
    let deadline = campaign::Terms::from_query_result(&row, "");
    let deadline = deadline.ok().and_then(|terms| terms.deadline().ok());
    Ok(deadline.map_or(CauseCampaign::Damaged, CauseCampaign::Deadline))
}

/// Returns the highest deadline that a lane treated as passed. If it cannot be read, returns the
/// lowest deadline of all, so that every released cause is kept.
async fn mark(connection: &OwnConnection, lane: Lane) -> Result<Deadline, StoreError> {
    let query = lane_state::Entity::find_by_id(i32::from(lane.0))
        .select_only()
        .column(lane_state::Column::ExpiredUpTo)
        .build(connection.get_database_backend());
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let row = row.ok_or_else(|| no_lane(lane))?;
    Ok(lane_state::mark(row.try_get("", "expired_up_to").unwrap_or_default()))
}

/// Returns what can be read of a shop's damaged state. Returns `None` if the state is not damaged,
/// or if the shop does not exist.
async fn damaged_state(
    connection: &OwnConnection,
    lane: Lane,
    id: &ShopId,
) -> Result<Option<StateRemains>, StoreError> {
    let key = (i32::from(lane.0), id.as_str().to_owned());
    let query = shop_state::Entity::find_by_id(key.clone());
    let query = query.build(connection.get_database_backend());
    let Some(row) = connection.query_one_raw(query).await.map_err(classify)? else {
        let shop = shop::Entity::find_by_id(key).build(connection.get_database_backend());
        let shop = connection.query_one_raw(shop).await.map_err(classify)?;
        return Ok(shop.map(|_| StateRemains::default()));
    };
    let Ok(model) = shop_state::Model::from_query_result(&row, "") else {
        return Ok(Some(StateRemains::default()));
    };
    let remains = model.remains();
    Ok(ShopState::try_from(model).is_err().then_some(remains))
}

/// Replaces the row of a chunk, which may be missing.
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

/// A campaign with all its chunks, locked.
struct Ledger {
    campaign: Campaign,
    chunks: BTreeMap<u32, Chunk>,
    /// The rows of the chunks that cannot be read.
    damaged: BTreeMap<u32, campaign_chunk::Model>,
    outlines: BTreeMap<u32, ChunkOutline>,
}

impl Ledger {
    /// Locks a campaign and its chunks. Returns `None` if the campaign does not exist or cannot be
    /// read.
    async fn lock(
        connection: &OwnConnection,
        revision: Revision,
        lanes: Lanes,
    ) -> Result<Option<Self>, StoreError> {
        let campaign = campaign_rows::lock_one(connection, revision, LockType::Update).await?;
        let Some(campaign) = campaign.found else { return Ok(None) };
        let of_campaign = campaign_chunk::Column::Revision.eq(stored(revision.0));
        let query = campaign_chunk::Entity::find()
            .filter(of_campaign)
            .order_by_asc(campaign_chunk::Column::Number)
            .lock_exclusive()
            .build(connection.get_database_backend());
        let (mut chunks, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        let mut outlines: BTreeMap<u32, ChunkOutline> = BTreeMap::new();
        for row in connection.query_all_raw(query).await.map_err(classify)? {
            let number = row.try_get::<i64>("", "number").ok();
            let Some(number) = number.and_then(|number| u32::try_from(number).ok()) else {
                continue;
            };
            outlines.insert(number, outline_of(&row));
            // A row with a wrong column type holds no usable outcomes.
            let Ok(model) = campaign_chunk::Model::from_query_result(&row, "") else { continue };
            match Chunk::try_from(&model) {
                Ok(chunk) => drop(chunks.insert(number, chunk)),
                Err(_) => drop(damaged.insert(number, model)),
            }
        }
        let of_campaign = campaign_list::Column::Revision.eq(stored(revision.0));
        let lists = campaign_list::Entity::find().filter(of_campaign);
        for (number, list) in campaign_rows::read_lists(connection, lists).await?.found {
            let outline = outlines.entry(number).or_default();
            *outline = outline.with_list(&list, lanes);
        }
        Ok(Some(Self { campaign, chunks, damaged, outlines }))
    }

    /// Mends a chunk in memory.
    fn mend(&mut self, number: u32) -> Repair {
        let impossible = Repair::Impossible(Unmendable::OfList(self.campaign.name.revision));
        let Some(first) = first_places(&self.outlines).get(&number).copied() else {
            return impossible;
        };
        if self.chunks.contains_key(&number) {
            return Repair::NotNeeded;
        }
        let outline = self.outlines.get(&number).copied().unwrap_or_default();
        let (Some(shops), Some(lane)) = (outline.listed, outline.lane) else {
            return impossible;
        };
        let shops = shops as usize;
        let model = self.damaged.get(&number);
        let remains = model.map_or_else(ChunkRemains::default, |model| model.remains(shops));
        let chunk = rebuild_chunk(&self.campaign, (number, lane, first), shops, remains);
        let open = chunk.open();
        self.chunks.insert(number, chunk);
        Repair::Mended(Mended::Outcomes { open })
    }

    /// Returns how many shops are in no readable chunk.
    fn unknown(&self) -> u32 {
        let known: usize = self.chunks.values().map(Chunk::len).sum();
        self.campaign.shops.saturating_sub(u32::try_from(known).unwrap_or(u32::MAX))
    }

    /// Returns the campaign with new counts. Chunks that still cannot be read count as open.
    fn counted(&self) -> Campaign {
        let chunks: Vec<Chunk> = self.chunks.values().cloned().collect();
        let known = self.campaign.clone().mended(&chunks);
        let before = Lacking { open: 0, unreleased: 0 };
        known.recorded(before, Lacking { open: self.unknown(), ..before })
    }
}
