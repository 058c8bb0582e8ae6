//! Reads and writes campaigns, their chunks and their lists.

use catchment_domain::ports::{ChunkSummary, StoreError};
use catchment_domain::{
    Campaign, CampaignState, Chunk, ChunkOutline, Damage, Found, ReplyLane, Revision, ShopList,
    StoredItem, Timestamp, lost_chunks, misplaced_chunks,
};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::damaged::{campaign_of, list_of, outcomes_of, read_each, read_page, read_row};
use crate::entity::{campaign, campaign_chunk, campaign_deleted, campaign_list};
use crate::error::{Row, classify, stored};
use crate::retry::check_written;

/// Reads one campaign.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Option<Campaign>, StoreError> {
    let model = campaign::Entity::find_by_id(stored(revision.0)).one(connection).await;
    model.map_err(classify)?.map(Campaign::try_from).transpose()
}

/// Reads all campaigns that may still change, and their successors, by revision. Also returns the
/// reply lanes of damaged campaigns that may still change.
pub(crate) async fn unfinished(
    connection: &impl ConnectionTrait,
) -> Result<(BTreeMap<Revision, Campaign>, BTreeSet<ReplyLane>), StoreError> {
    let unfinished = campaign::Entity::find()
        .filter(campaign::is_unfinished())
        .build(connection.get_database_backend());
    let rows = connection.query_all_raw(unfinished).await.map_err(classify)?;
    let (mut campaigns, mut of_damaged) = (BTreeMap::new(), BTreeSet::new());
    for row in rows {
        if let Ok(campaign) = read_row(&row, campaign_of, read_campaign)? {
            campaigns.insert(campaign.name.revision, campaign);
        } else {
            let lane: Option<i32> = row.try_get("", "reply_lane").unwrap_or_default();
            let lane = lane.and_then(|lane| u16::try_from(lane).ok());
            of_damaged.extend(lane.map(ReplyLane));
        }
    }
    let successors = campaigns.values().filter_map(|campaign: &Campaign| campaign.replaced_by);
    let unknown: Vec<i64> =
        successors.filter(|by| !campaigns.contains_key(by)).map(|by| stored(by.0)).collect();
    let successors = campaign::Entity::find().filter(campaign::Column::Revision.is_in(unknown));
    campaigns.extend(read_campaigns(connection, successors).await?.found);
    Ok((campaigns, of_damaged))
}

fn read_campaign(model: campaign::Model) -> Result<Campaign, StoreError> {
    Campaign::try_from(model)
}

/// Reads the campaigns of a query, by revision.
async fn read_campaigns(
    connection: &impl ConnectionTrait,
    query: Select<campaign::Entity>,
) -> Result<Found<BTreeMap<Revision, Campaign>>, StoreError> {
    let query = query.build(connection.get_database_backend());
    let Found { found, damaged } = read_each(connection, query, campaign_of, read_campaign).await?;
    let found = found.into_iter().map(|campaign| (campaign.name.revision, campaign)).collect();
    Ok(Found { found, damaged })
}

/// Reads the campaigns that meet a condition, the oldest first.
pub(crate) async fn all(
    connection: &impl ConnectionTrait,
    condition: Condition,
) -> Result<Found<Vec<Campaign>>, StoreError> {
    let query = campaign::Entity::find().filter(condition);
    let query = query.order_by_asc(campaign::Column::Revision);
    let Found { found, damaged } = read_campaigns(connection, query).await?;
    Ok(Found { found: found.into_values().collect(), damaged })
}

/// Reads up to `limit` campaigns that are younger than `behind`, the oldest first.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    behind: Option<Revision>,
    limit: usize,
) -> Result<Found<Vec<Campaign>>, StoreError> {
    let (all, key) = (campaign::Entity::find(), campaign::Column::Revision);
    let behind = behind.map(|behind| stored(behind.0));
    read_page(connection, (&all, key), (behind, limit), campaign_of, read_campaign).await
}

/// Returns whether a campaign has to end. `campaigns` may hold its successor.
pub(crate) fn is_to_be_ended(
    campaign: &Campaign,
    campaigns: &BTreeMap<Revision, Campaign>,
    now: Timestamp,
) -> bool {
    let successor = campaign.replaced_by.and_then(|by| campaigns.get(&by));
    campaign.is_to_be_ended(successor, now)
}

/// Locks the existing ones of these campaigns, the oldest first, and returns them. The row of one
/// whose number is out of range is found, too, and is damaged.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    revisions: &BTreeSet<Revision>,
    lock: LockType,
) -> Result<Found<BTreeMap<Revision, Campaign>>, StoreError> {
    let revisions = revisions.iter().map(|revision| revision.0.cast_signed());
    let query = campaign::Entity::find()
        .filter(campaign::Column::Revision.is_in(revisions))
        .order_by_asc(campaign::Column::Revision)
        .lock(lock);
    read_campaigns(connection, query).await
}

/// Locks one campaign, and returns it.
pub(crate) async fn lock_one(
    connection: &impl ConnectionTrait,
    revision: Revision,
    how: LockType,
) -> Result<Found<Option<Campaign>>, StoreError> {
    let Found { mut found, damaged } = lock(connection, &[revision].into(), how).await?;
    Ok(Found { found: found.remove(&revision), damaged })
}

/// Returns what was found, or fails if anything is damaged.
pub(crate) fn undamaged<T>(found: Found<T>) -> Result<T, StoreError> {
    match found.damaged.into_iter().next() {
        None => Ok(found.found),
        Some(damage) => Err(damage.into()),
    }
}

/// Updates the row of a campaign.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    campaign: &Campaign,
) -> Result<(), StoreError> {
    campaign::active(campaign).update(connection).await.map(drop).map_err(classify)
}

/// Stores when a campaign ended, unless it has not ended or that is stored already. `clock` is the
/// database's.
pub(crate) async fn note_end(
    connection: &impl ConnectionTrait,
    campaign: &Campaign,
    clock: Expr,
) -> Result<(), StoreError> {
    if campaign.state != CampaignState::Ended {
        return Ok(());
    }
    let noted = campaign::Entity::update_many()
        .col_expr(campaign::Column::EndedAt, clock)
        .filter(campaign::Column::Revision.eq(stored(campaign.name.revision.0)))
        .filter(campaign::Column::EndedAt.is_null());
    noted.exec(connection).await.map(drop).map_err(classify)
}

/// Reads the number of a campaign's shops, or returns `None` if it does not exist or cannot be
/// read.
///
/// Call this before reading the campaign's chunks. A campaign that is stored between both reads
/// then has no number of shops yet, so none of its chunks counts as lost.
pub(crate) async fn shops(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Option<u32>, StoreError> {
    let query = campaign::Entity::find_by_id(stored(revision.0))
        .select_only()
        .column(campaign::Column::Shops)
        .build(connection.get_database_backend());
    let Some(row) = connection.query_one_raw(query).await.map_err(classify)? else {
        return Ok(None);
    };
    let number = row.try_get("", "shops").map_err(classify);
    let row = Row { table: "campaign", key: &format_args!("revision {revision}") };
    match number.and_then(|number| campaign::shops(&row, number)) {
        Err(StoreError::BadData { .. }) => Ok(None),
        shops => shops.map(Some),
    }
}

/// Reads all chunks of a campaign with this many shops, in order. A chunk without a row counts as
/// damaged. If the number of shops is unknown, missing rows are not noticed.
pub(crate) async fn all_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    shops: Option<u32>,
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let mut chunks = chunks(connection, revision).await?;
    name_lost(&mut chunks, revision, shops, |chunk| (chunk.number, chunk.end()));
    unless_deleted(connection, revision, shops.is_some(), chunks).await
}

/// Returns what was read of a campaign, or nothing if the campaign was deleted meanwhile. If the
/// campaign had no row before the read, its row was lost, and what was read is returned.
async fn unless_deleted<T: Default>(
    connection: &impl ConnectionTrait,
    revision: Revision,
    was_there: bool,
    read: Found<T>,
) -> Result<Found<T>, StoreError> {
    if was_there && !read.damaged.is_empty() && !is_there(connection, revision).await? {
        return Ok(Found::default());
    }
    Ok(read)
}

/// Returns whether a campaign has a row, readable or not.
pub(crate) async fn is_there(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<bool, StoreError> {
    let row: Option<i64> = campaign::Entity::find_by_id(stored(revision.0))
        .select_only()
        .column(campaign::Column::Revision)
        .into_tuple()
        .one(connection)
        .await
        .map_err(classify)?;
    Ok(row.is_some())
}

/// The chunks of a campaign, unless it is deleted, and they are being cleared away.
fn of_campaign(revision: Revision) -> Condition {
    let deleted = campaign_deleted::Entity::find()
        .select_only()
        .column(campaign_deleted::Column::Revision)
        .into_query();
    Condition::all()
        .add(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .add(campaign_chunk::Column::Revision.not_in_subquery(deleted))
}

/// Reads the chunks of a campaign that have a row, in order.
pub(crate) async fn chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let query = campaign_chunk::Entity::find()
        .filter(of_campaign(revision))
        .order_by_asc(campaign_chunk::Column::Number);
    read_chunks(connection, query).await
}

/// Reads all chunks of a campaign without their slots, like [`all_chunks`].
pub(crate) async fn summaries(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
    let shops = shops(connection, revision).await?;
    let query = campaign_chunk::Entity::find()
        .select_only()
        .columns([
            campaign_chunk::Column::Revision,
            campaign_chunk::Column::Number,
            campaign_chunk::Column::Lane,
            campaign_chunk::Column::First,
            campaign_chunk::Column::Shops,
            campaign_chunk::Column::Open,
        ])
        .filter(of_campaign(revision))
        .order_by_asc(campaign_chunk::Column::Number)
        .build(connection.get_database_backend());
    let read = |row: campaign_chunk::SummaryRow| ChunkSummary::try_from(row);
    let mut summaries = read_each(connection, query, outcomes_of, read).await?;
    set_misplaced_aside(&mut summaries, revision);
    name_lost(&mut summaries, revision, shops, |chunk| (chunk.number, chunk.end()));
    unless_deleted(connection, revision, shops.is_some(), summaries).await
}

/// Reads the chunks of a campaign with these numbers, in order. A chunk without a row counts as
/// damaged, unless the campaign was deleted meanwhile.
pub(crate) async fn some_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let chunks = read_some_chunks(connection, revision, numbers, |query| query).await?;
    unless_deleted(connection, revision, true, chunks).await
}

/// Does the same as [`some_chunks`] for a locked campaign, and locks the chunks.
pub(crate) async fn lock_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Found<Vec<Chunk>>, StoreError> {
    read_some_chunks(connection, revision, numbers, QuerySelect::lock_exclusive).await
}

async fn read_some_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
    lock: impl FnOnce(Select<campaign_chunk::Entity>) -> Select<campaign_chunk::Entity> + Send,
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let query = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_chunk::Column::Number.is_in(numbers.iter().copied()))
        .order_by_asc(campaign_chunk::Column::Number);
    let mut chunks = read_chunks(connection, lock(query)).await?;
    let item = |number| StoredItem::Outcomes(revision, number);
    name_missing(&mut chunks, numbers, (|chunk: &Chunk| chunk.number, item));
    Ok(chunks)
}

async fn read_chunks(
    connection: &impl ConnectionTrait,
    query: Select<campaign_chunk::Entity>,
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let query = query.build(connection.get_database_backend());
    read_each(connection, query, outcomes_of, |model| Chunk::try_from(&model)).await
}

/// Moves a chunk to the damaged ones if its stored place is not where the chunk before it ends.
/// Otherwise answers to that chunk would count for another chunk.
fn set_misplaced_aside(chunks: &mut Found<Vec<ChunkSummary>>, revision: Revision) {
    let unread = chunks.damaged.iter().filter_map(|damage| damage.item.chunk());
    let unread = unread.map(|(_, number)| (number, ChunkOutline::default()));
    let mut outlines: BTreeMap<u32, ChunkOutline> = unread.collect();
    outlines.extend(chunks.found.iter().map(|chunk| {
        let (first, shops) = (Some(chunk.first), Some(chunk.shops));
        (chunk.number, ChunkOutline { first, shops, ..ChunkOutline::default() })
    }));
    let misplaced = misplaced_chunks(revision, &outlines);
    let is_misplaced = |chunk: &ChunkSummary| {
        let item = StoredItem::Outcomes(revision, chunk.number);
        misplaced.iter().any(|damage| damage.item == item)
    };
    chunks.found.retain(|chunk| !is_misplaced(chunk));
    chunks.damaged.extend(misplaced);
}

/// Adds each chunk of a campaign that has no row to the damaged ones. `number_and_end` returns a
/// chunk's number and the place behind its last shop.
fn name_lost<T>(
    chunks: &mut Found<Vec<T>>,
    revision: Revision,
    shops: Option<u32>,
    number_and_end: impl Fn(&T) -> (u32, u32),
) {
    let damaged = chunks.damaged.iter().filter_map(|damage| damage.item.chunk());
    let mut ends: BTreeMap<u32, Option<u32>> = damaged.map(|(_, number)| (number, None)).collect();
    ends.extend(chunks.found.iter().map(&number_and_end).map(|(number, end)| (number, Some(end))));
    let lost = shops.map(|shops| lost_chunks(shops, &ends)).unwrap_or_default();
    let items = lost.into_iter().map(|number| StoredItem::Outcomes(revision, number));
    chunks.damaged.extend(items.map(Damage::no_row));
}

/// Adds each of these numbers that has no row to the damaged ones.
fn name_missing<T>(
    found: &mut Found<Vec<T>>,
    numbers: &[u32],
    (number_of, item): (impl Fn(&T) -> u32, impl Fn(u32) -> StoredItem),
) {
    for number in numbers {
        let is_known = found.found.iter().any(|value| number_of(value) == *number)
            || found.damaged.iter().any(|damage| damage.item == item(*number));
        if !is_known {
            found.damaged.push(Damage::no_row(item(*number)));
        }
    }
}

/// How many chunks a statement adds at most.
pub(crate) const ADDED_AT_ONCE: usize = 64;

/// Adds chunks with their lists: many with each statement.
pub(crate) async fn add_chunks<'a>(
    connection: &impl ConnectionTrait,
    revision: Revision,
    added: impl Iterator<Item = (&'a Chunk, &'a ShopList)>,
) -> Result<(), StoreError> {
    let (mut chunks, mut lists) = (Vec::new(), Vec::new());
    for (chunk, list) in added {
        chunks.push(campaign_chunk::active(revision, chunk));
        lists.push(campaign_list::ActiveModel {
            revision: ActiveValue::Set(stored(revision.0)),
            number: ActiveValue::Set(chunk.number.into()),
            ids: ActiveValue::Set(campaign_list::lines(list)),
        });
    }
    let lists = campaign_list::Entity::insert_many(lists);
    lists.exec_without_returning(connection).await.map_err(classify)?;
    let chunks = campaign_chunk::Entity::insert_many(chunks);
    chunks.exec_without_returning(connection).await.map(drop).map_err(classify)
}

/// Writes the chunks that have changed.
pub(crate) async fn update_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    before: &[Chunk],
    after: &[Chunk],
) -> Result<(), StoreError> {
    for (_, changed) in before.iter().zip(after).filter(|(before, after)| before != after) {
        update_chunk(connection, revision, changed).await?;
    }
    Ok(())
}

/// Updates the row of a chunk.
pub(crate) async fn update_chunk(
    connection: &impl ConnectionTrait,
    revision: Revision,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    let updated = campaign_chunk::update(revision, chunk).exec(connection).await;
    check_written("campaign_chunk", updated.map_err(classify)?.rows_affected, 1)
}

/// Reads the lists of a campaign's chunks with these numbers. A list without a row counts as damaged,
/// unless the campaign was deleted meanwhile.
pub(crate) async fn lists(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
    let query = campaign_list::Entity::find()
        .filter(campaign_list::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_list::Column::Number.is_in(numbers.iter().copied()));
    let mut lists = read_lists(connection, query).await?;
    let item = |number| StoredItem::List(revision, number);
    name_missing(&mut lists, numbers, (|(number, _): &(u32, ShopList)| *number, item));
    unless_deleted(connection, revision, true, lists).await
}

/// Reads lists, each with the number of its chunk.
pub(crate) async fn read_lists(
    connection: &impl ConnectionTrait,
    query: Select<campaign_list::Entity>,
) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
    let query = query.build(connection.get_database_backend());
    let read = |model: campaign_list::Model| Ok((model.number()?, ShopList::try_from(&model)?));
    read_each(connection, query, list_of, read).await
}

/// Returns the shops at which a campaign's activation took effect, as far as they can be read.
pub(crate) async fn affected(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<HashSet<String>, StoreError> {
    let mut affected = HashSet::new();
    for chunk in chunks(connection, revision).await?.found {
        for (_, list) in lists(connection, revision, &[chunk.number]).await?.found {
            let shops = list.iter().zip(chunk.activations());
            let shops = shops.filter(|(_, slot)| slot.took_effect());
            affected.extend(shops.map(|(id, _)| id.to_owned()));
        }
    }
    Ok(affected)
}
