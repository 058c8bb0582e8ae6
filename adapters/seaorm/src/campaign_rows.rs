//! Campaigns with their chunks and lists, in and out.

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Campaign, CampaignState, Chunk, Revision, ShopList, Slot, Status, Timestamp,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

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

/// All campaigns that may still change, by revision, and those that took their places.
pub(crate) async fn unfinished(
    connection: &impl ConnectionTrait,
) -> Result<BTreeMap<Revision, Campaign>, StoreError> {
    let models = campaign::Entity::find()
        .filter(campaign::Column::State.ne(CampaignState::Ended.as_str()))
        .all(connection)
        .await
        .map_err(classify)?;
    let unfinished: Vec<Campaign> =
        models.into_iter().map(Campaign::try_from).collect::<Result<_, _>>()?;
    let successors: Vec<i64> =
        unfinished.iter().filter_map(|c| c.replaced_by).map(|by| stored(by.0)).collect();
    let successors = campaign::Entity::find()
        .filter(campaign::Column::Revision.is_in(successors))
        .all(connection)
        .await
        .map_err(classify)?;
    let mut campaigns = by_revision(successors)?;
    campaigns.extend(unfinished.into_iter().map(|campaign| (campaign.name.revision, campaign)));
    Ok(campaigns)
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

fn by_revision(models: Vec<campaign::Model>) -> Result<BTreeMap<Revision, Campaign>, StoreError> {
    let campaigns = models.into_iter().map(Campaign::try_from);
    campaigns.map(|campaign| campaign.map(|campaign| (campaign.name.revision, campaign))).collect()
}

/// Locks those campaigns that are there, the oldest first, and returns them.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    revisions: &BTreeSet<Revision>,
    lock: LockType,
) -> Result<BTreeMap<Revision, Campaign>, StoreError> {
    let revisions = revisions.iter().map(|revision| stored(revision.0));
    let models = campaign::Entity::find()
        .filter(campaign::Column::Revision.is_in(revisions))
        .order_by_asc(campaign::Column::Revision)
        .lock(lock)
        .all(connection)
        .await
        .map_err(classify)?;
    by_revision(models)
}

/// Locks one campaign, and returns it.
pub(crate) async fn lock_one(
    connection: &impl ConnectionTrait,
    revision: Revision,
    how: LockType,
) -> Result<Option<Campaign>, StoreError> {
    lock(connection, &[revision].into(), how).await.map(|mut found| found.remove(&revision))
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
) -> Result<Vec<Chunk>, StoreError> {
    let models = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .order_by_asc(campaign_chunk::Column::Number)
        .all(connection)
        .await
        .map_err(classify)?;
    models.iter().map(Chunk::try_from).collect()
}

/// Locks those of a campaign's chunks that have these numbers, and returns them in their order.
pub(crate) async fn lock_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Vec<Chunk>, StoreError> {
    let models = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_chunk::Column::Number.is_in(numbers.iter().copied()))
        .order_by_asc(campaign_chunk::Column::Number)
        .lock_exclusive()
        .all(connection)
        .await
        .map_err(classify)?;
    models.iter().map(Chunk::try_from).collect()
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

/// The shops of a chunk; none where there is no such chunk.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    revision: Revision,
    number: u32,
) -> Result<ShopList, StoreError> {
    let key = (stored(revision.0), i64::from(number));
    let model = campaign_list::Entity::find_by_id(key).one(connection).await.map_err(classify)?;
    model.as_ref().map_or_else(|| Ok(ShopList::default()), ShopList::try_from)
}

/// The shops of those of a campaign's chunks that have these numbers.
pub(crate) async fn lists(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Vec<(u32, ShopList)>, StoreError> {
    let models = campaign_list::Entity::find()
        .filter(campaign_list::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_list::Column::Number.is_in(numbers.iter().copied()))
        .all(connection)
        .await
        .map_err(classify)?;
    models.iter().map(|model| Ok((model.number()?, ShopList::try_from(model)?))).collect()
}

/// The shops at which a campaign's activation took effect.
pub(crate) async fn affected(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<HashSet<String>, StoreError> {
    let mut affected = HashSet::new();
    for chunk in chunks(connection, revision).await? {
        let list = list(connection, revision, chunk.number).await?;
        let took_effect =
            |slot: &Slot| matches!(slot, Slot::Closed(Status::Applied | Status::Unchanged));
        let shops = list.iter().zip(chunk.activations());
        affected.extend(shops.filter(|(_, slot)| took_effect(slot)).map(|(id, _)| id.to_owned()));
    }
    Ok(affected)
}
