//! Deleting campaigns that ended. The row of a campaign goes first, and with it everything that
//! others see of the campaign. Its lists and outcomes follow piece by piece, so that no lock is
//! held for long; until they are gone, `campaign_deleted` says why they have no campaign.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{CommandError, Deletions, StoreError};
use catchment_domain::{CampaignError, CampaignState, Damage, Found, Origin, Revision, StoredItem};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::campaign_rows::{self, undamaged};
use crate::codec::causes;
use crate::entity::{campaign, campaign_chunk, campaign_deleted, campaign_list, shop_state};
use crate::error::{classify, stored};
use crate::retry::{while_busy, while_busy_or_locked};
use crate::store::SeaOrmStore;

/// Of the shops that have the same unreadable causes, at most this many are named.
const NAMED: u64 = 100;

#[async_trait]
impl Deletions for SeaOrmStore {
    async fn ended(&self, ago: Duration) -> Result<Vec<Revision>, StoreError> {
        let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        // The row of one that was put back by hand may not know when it ended.
        let ended_at = Expr::col(campaign::Column::EndedAt)
            .if_null(Expr::col(campaign::Column::Deadline))
            .lte(self.clock().sub(ago));
        let has_ended = campaign::Column::State.eq(CampaignState::Ended.as_str()).and(ended_at);
        // It cannot be read, so it may have ended. It is refused with its name.
        let has_no_state = campaign::has_no_state();
        let revisions: Vec<i64> = campaign::Entity::find()
            .select_only()
            .column(campaign::Column::Revision)
            .filter(has_ended.or(has_no_state))
            .order_by_asc(campaign::Column::Revision)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(classify)?;
        Ok(revisions.into_iter().map(|revision| Revision(revision.cast_unsigned())).collect())
    }

    async fn in_force(&self) -> Result<Found<BTreeSet<Revision>>, StoreError> {
        let mut in_force: Found<BTreeSet<Revision>> = Found::default();
        for bytes in self.distinct_causes().await? {
            match causes::decode(&bytes) {
                Ok((active, _)) => {
                    in_force.found.extend(active.iter().filter_map(|cause| match cause.origin {
                        Origin::Campaign(campaign) => Some(campaign),
                        Origin::Request => None,
                    }));
                }
                Err(what) => {
                    let shops = self.shops_with(bytes).await?;
                    in_force.damaged.extend(shops.into_iter().map(|id| {
                        let what = format!("shop_state.causes of shop `{id}`: {what}");
                        Damage { item: StoredItem::State(id), what }
                    }));
                }
            }
        }
        Ok(in_force)
    }

    async fn delete(&self, campaign: Revision, dry_run: bool) -> Result<(), CommandError> {
        while_busy_or_locked(|| self.try_delete(campaign, dry_run)).await
    }

    async fn clear(&self) -> Result<bool, StoreError> {
        while_busy(|| self.try_clear()).await
    }
}

impl SeaOrmStore {
    /// The causes of all shops, as they are stored, each once.
    async fn distinct_causes(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        shop_state::Entity::find()
            .select_only()
            .column(shop_state::Column::Causes)
            .distinct()
            .filter(shop_state::Column::Causes.is_not_null())
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(classify)
    }

    /// Shops that have these causes.
    async fn shops_with(&self, causes: Vec<u8>) -> Result<Vec<String>, StoreError> {
        shop_state::Entity::find()
            .select_only()
            .column(shop_state::Column::Id)
            .filter(shop_state::Column::Causes.eq(causes))
            .order_by_asc(shop_state::Column::Id)
            .limit(NAMED)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(classify)
    }

    async fn try_delete(&self, revision: Revision, dry_run: bool) -> Result<(), CommandError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let campaign = campaign_rows::lock_one(connection, revision, LockType::Update).await?;
        let campaign = undamaged(campaign)?.ok_or(CampaignError::Unknown(revision))?;
        campaign.check_deletable(self.now(connection).await?)?;
        if let Some(older) = campaign.replaces.map(|replaced| replaced.campaign.revision) {
            let older_row = campaign::Entity::find_by_id(stored(older.0))
                .filter(campaign::Column::ReplacedBy.eq(stored(revision.0)))
                .select_only()
                .column(campaign::Column::Revision);
            let is_there: Option<i64> =
                older_row.into_tuple().one(connection).await.map_err(classify)?;
            if is_there.is_some() {
                return Err(CampaignError::Succeeds(revision, older).into());
            }
        }
        if dry_run {
            return Ok(());
        }
        let deleted =
            campaign_deleted::ActiveModel { revision: ActiveValue::Set(stored(revision.0)) };
        deleted.insert(connection).await.map_err(classify)?;
        let row = campaign::Entity::delete_by_id(stored(revision.0)).exec(connection).await;
        row.map_err(classify)?;
        Ok(transaction.commit().await?)
    }

    async fn try_clear(&self) -> Result<bool, StoreError> {
        let deleted =
            campaign_deleted::Entity::find().order_by_asc(campaign_deleted::Column::Revision);
        let Some(deleted) = deleted.one(&self.readers).await.map_err(classify)? else {
            return Ok(false);
        };
        let revision = deleted.revision;
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        // Of several processes, one works at a time. Otherwise this one would wait for rows that
        // another one deletes, count none, and let the number go before the last rows.
        let mark = campaign_deleted::Entity::find_by_id(revision).lock_exclusive();
        if mark.one(connection).await.map_err(classify)?.is_none() {
            // Another one did the rest. There may be more campaigns.
            return Ok(true);
        }
        let step = u64::from(self.settings.chunks_cleared.get());
        let lists = campaign_list::Entity::delete_many()
            .filter(campaign_list::Column::Revision.eq(revision))
            .filter(campaign_list::Column::Number.in_subquery(first_numbers(
                (campaign_list::Entity, campaign_list::Column::Number),
                campaign_list::Column::Revision.eq(revision),
                step,
            )))
            .exec(connection)
            .await
            .map_err(classify)?;
        let chunks = campaign_chunk::Entity::delete_many()
            .filter(campaign_chunk::Column::Revision.eq(revision))
            .filter(campaign_chunk::Column::Number.in_subquery(first_numbers(
                (campaign_chunk::Entity, campaign_chunk::Column::Number),
                campaign_chunk::Column::Revision.eq(revision),
                step,
            )))
            .exec(connection)
            .await
            .map_err(classify)?;
        if lists.rows_affected < step && chunks.rows_affected < step {
            let cleared = campaign_deleted::Entity::delete_by_id(revision).exec(connection).await;
            cleared.map_err(classify)?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

/// The numbers of the first chunks that are left of a campaign, in a table of it.
fn first_numbers<E, C>((table, number): (E, C), of_campaign: Expr, step: u64) -> SelectStatement
where
    E: EntityTrait,
    C: ColumnTrait,
{
    Query::select()
        .column(number)
        .from(table)
        .and_where(of_campaign)
        .order_by(number, Order::Asc)
        .limit(step)
        .to_owned()
}

/// The campaigns that are deleted, and of which something is left.
pub(crate) async fn deleted(
    connection: &impl ConnectionTrait,
) -> Result<BTreeSet<Revision>, StoreError> {
    let rows = campaign_deleted::Entity::find().all(connection).await.map_err(classify)?;
    Ok(rows.into_iter().map(|row| Revision(row.revision.cast_unsigned())).collect())
}
