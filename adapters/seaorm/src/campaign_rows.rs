//! Campaigns with their chunks and lists, in and out.

use catchment_domain::ports::StoreError;
use catchment_domain::{Campaign, Chunk, Revision, ShopList, Slot, Status};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};
use std::collections::HashSet;

use crate::entity::{campaign, campaign_chunk, campaign_list};
use crate::error::{classify, stored};

/// One campaign.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Option<Campaign>, StoreError> {
    let model = campaign::Entity::find_by_id(stored(revision.0)).one(connection).await;
    model.map_err(classify)?.map(Campaign::try_from).transpose()
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

/// Those of a campaign's chunks that have these numbers.
pub(crate) async fn some_chunks(
    connection: &impl ConnectionTrait,
    revision: Revision,
    numbers: &[u32],
) -> Result<Vec<Chunk>, StoreError> {
    let models = campaign_chunk::Entity::find()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .filter(campaign_chunk::Column::Number.is_in(numbers.iter().copied()))
        .order_by_asc(campaign_chunk::Column::Number)
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
    campaign_chunk::update(revision, chunk).exec(connection).await.map(drop).map_err(classify)
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
