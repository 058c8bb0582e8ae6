//! Campaigns with their chunks and lists, in and out.

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Campaign, CampaignState, Chunk, Damage, Found, ReplyLane, Revision, ShopList, Slot, Status,
    StoredItem, Timestamp,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::damaged::{campaign_of, list_of, outcomes_of, read_each, read_row};
use crate::entity::{campaign, campaign_chunk, campaign_list};
use crate::error::{classify, stored};
use crate::retry::check_written;

/// One campaign.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Option<Campaign>, StoreError> {
    let model = campaign::Entity::find_by_id(stored(revision.0)).one(connection).await;
    model.map_err(classify)?.map(Campaign::try_from).transpose()
}

/// All campaigns that may still change, by revision, and those that took their places; also the
/// reply lanes of damaged ones that may still change.
pub(crate) async fn unfinished(
    connection: &impl ConnectionTrait,
) -> Result<(BTreeMap<Revision, Campaign>, BTreeSet<ReplyLane>), StoreError> {
    let unfinished = campaign::Entity::find()
        .filter(campaign::Column::State.ne(CampaignState::Ended.as_str()))
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

/// The campaigns of a query, by revision.
async fn read_campaigns(
    connection: &impl ConnectionTrait,
    query: Select<campaign::Entity>,
) -> Result<Found<BTreeMap<Revision, Campaign>>, StoreError> {
    let query = query.build(connection.get_database_backend());
    let Found { found, damaged } = read_each(connection, query, campaign_of, read_campaign).await?;
    let found = found.into_iter().map(|campaign| (campaign.name.revision, campaign)).collect();
    Ok(Found { found, damaged })
}

/// All campaigns, or those of a condition, the oldest first.
pub(crate) async fn all(
    connection: &impl ConnectionTrait,
    condition: Condition,
) -> Result<Found<Vec<Campaign>>, StoreError> {
    let query = campaign::Entity::find().filter(condition);
    let query = query.order_by_asc(campaign::Column::Revision);
    let Found { found, damaged } = read_campaigns(connection, query).await?;
    Ok(Found { found: found.into_values().collect(), damaged })
}

/// Whether a campaign's time is over, or it was replaced and its successor, which is one of
/// these, is through.
pub(crate) fn is_to_be_ended(
    campaign: &Campaign,
    campaigns: &BTreeMap<Revision, Campaign>,
    now: Timestamp,
) -> bool {
    let successor = campaign.replaced_by.and_then(|by| campaigns.get(&by));
    let is_replaced = successor.is_some_and(Campaign::is_through);
    !campaign.state.is_ending_or_ended() && (is_replaced || campaign.is_over(now))
}

/// Locks those campaigns that are there, the oldest first, and returns them.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    revisions: &BTreeSet<Revision>,
    lock: LockType,
) -> Result<Found<BTreeMap<Revision, Campaign>>, StoreError> {
    let revisions = revisions.iter().map(|revision| stored(revision.0));
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

/// What was found, where nothing of it is damaged.
pub(crate) fn undamaged<T>(found: Found<T>) -> Result<T, StoreError> {
    match found.damaged.into_iter().next() {
        None => Ok(found.found),
        Some(Damage { what, .. }) => Err(StoreError::BadData { what }),
    }
}

/// Writes a campaign that is there.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    campaign: &Campaign,
) -> Result<(), StoreError> {
    campaign::active(campaign).update(connection).await.map(drop).map_err(classify)
}

/// All chunks of a campaign, in their order.
pub(crate) async fn chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let query = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .order_by_asc(campaign_chunk::Column::Number)
        .build(connection.get_database_backend());
    read_each(connection, query, outcomes_of, |model| Chunk::try_from(&model)).await
}

/// Locks those of a campaign's chunks that have these numbers, and returns them in their order.
pub(crate) async fn lock_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Found<Vec<Chunk>>, StoreError> {
    let query = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_chunk::Column::Number.is_in(numbers.iter().copied()))
        .order_by_asc(campaign_chunk::Column::Number)
        .lock_exclusive()
        .build(connection.get_database_backend());
    read_each(connection, query, outcomes_of, |model| Chunk::try_from(&model)).await
}

/// Names those rows of chunks that are not there.
pub(crate) fn name_missing<T>(
    found: &mut Found<Vec<T>>,
    numbers: &[u32],
    (number_of, item): (impl Fn(&T) -> u32, impl Fn(u32) -> StoredItem),
) {
    for number in numbers {
        let is_known = found.found.iter().any(|value| number_of(value) == *number)
            || found.damaged.iter().any(|damage| damage.item == item(*number));
        if !is_known {
            found.damaged.push(missing(item(*number)));
        }
    }
}

/// An item of which there is no row.
pub(crate) fn missing(item: StoredItem) -> Damage {
    Damage { what: format!("{item}: there is no row"), item }
}

/// Writes those chunks that are not as they were.
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

/// Writes a chunk that is there.
pub(crate) async fn update_chunk(
    connection: &impl ConnectionTrait,
    revision: Revision,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    let updated = campaign_chunk::update(revision, chunk).exec(connection).await;
    check_written("campaign_chunk", updated.map_err(classify)?.rows_affected, 1)
}

/// The shops of those of a campaign's chunks that have these numbers.
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
    Ok(lists)
}

/// The shops of chunks, by their numbers.
pub(crate) async fn read_lists(
    connection: &impl ConnectionTrait,
    query: Select<campaign_list::Entity>,
) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
    let query = query.build(connection.get_database_backend());
    let read = |model: campaign_list::Model| Ok((model.number()?, ShopList::try_from(&model)?));
    read_each(connection, query, list_of, read).await
}

/// The shops at which a campaign's activation took effect, as far as that can be read.
pub(crate) async fn affected(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<HashSet<String>, StoreError> {
    let mut affected = HashSet::new();
    for chunk in chunks(connection, revision).await?.found {
        let took_effect =
            |slot: &Slot| matches!(slot, Slot::Closed(Status::Applied | Status::Unchanged));
        for (_, list) in lists(connection, revision, &[chunk.number]).await?.found {
            let shops = list.iter().zip(chunk.activations());
            let shops = shops.filter(|(_, slot)| took_effect(slot));
            affected.extend(shops.map(|(id, _)| id.to_owned()));
        }
    }
    Ok(affected)
}
