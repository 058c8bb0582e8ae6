//! Moving the database away from its logs, and to another number of lanes.
//!
//! Everything happens in one transaction, which holds the row of every lane and that of the
//! installation. A process that opened the database before looks at the latter before it writes
//! shops or lists, so it never writes them by the old number of lanes.
//!
//! Rows of shops are moved a page at a time, campaigns one after the other, and receipts are deleted
//! lane by lane. So no statement takes long, and one page or one campaign is in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use catchment_domain::ports::{Moves, StoreError};
use catchment_domain::{
    Chunk, Damage, Deadline, Lane, Lanes, MoveTerms, Moved, NotDrained, Revision, ShopId, ShopList,
    StoredItem, Timestamp, check_campaign, epoch_after, relane,
};
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{
    ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, TryGetable,
};

use crate::acceptances::{highest_epoch, stored_lanes, stored_reply_lanes};
use crate::campaign_rows;
use crate::connection::OwnConnection;
use crate::dialect::ShopTable;
use crate::entity::shop::misplaced;
use crate::entity::{
    campaign, campaign_chunk, campaign_list, import_receipt, installation, lane_state, left_log,
    receipt, reply_lane, shop,
};
use crate::error::{Row, classify, stored};
use crate::repairs::revisions_of_chunks;
use crate::retry::{ChangedMeanwhile, check_written, while_busy_or_locked};
use crate::scan::read_page;
use crate::statement::statement;
use crate::store::{SeaOrmStore, highest, highest_mark};

#[async_trait]
impl Moves for SeaOrmStore {
    async fn move_away(&self, terms: &MoveTerms) -> Result<Moved, StoreError> {
        while_busy_or_locked(|| self.try_move(terms)).await
    }
}

impl SeaOrmStore {
    async fn try_move(&self, terms: &MoveTerms) -> Result<Moved, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let locked = lock_everything(connection).await?;
        self.check_lanes(connection, Some(LockType::Update)).await?;
        let now = self.now(connection).await?;
        let campaigns = self.check_drained(connection, terms, now).await?;
        if !campaigns.iter().map(|revision| stored(revision.0)).eq(locked) {
            // A campaign was added before this transaction had its last lock.
            return Err(StoreError::Unavailable(ChangedMeanwhile("campaign").into()));
        }
        let before = self.lanes();
        let is_divided_anew = before != terms.lanes;
        let lanes = is_divided_anew.then_some(terms.lanes);
        let mut shops = shop::Entity::find().count(connection).await.map_err(classify)?;
        if let Some(lanes) = lanes {
            let [profiles, states] = &self.dialect.shop_tables;
            shops = self.check_rows(connection, profiles).await?;
            self.check_rows(connection, states).await?;
            if !terms.dry_run {
                self.move_shops(connection, lanes).await?;
            }
            self.check_for_lost_campaigns(&campaigns).await?;
            for revision in &campaigns {
                move_campaign(connection, *revision, lanes, terms.dry_run).await?;
            }
        }
        // What is not committed is rolled back.
        if !terms.dry_run {
            leave_logs(connection).await?;
            let mark = highest_mark(connection).await?.max(Deadline::at(now));
            begin_lanes_anew(connection, lanes, mark).await?;
            forget_reply_lanes(connection).await?;
            transaction.commit().await?;
        }
        let campaigns = campaigns.len() as u64;
        Ok(Moved { before, lanes: terms.lanes, shops, campaigns })
    }

    /// Fails if the database is not drained, or changed since it was looked at. Returns the campaigns
    /// in order.
    async fn check_drained(
        &self,
        connection: &OwnConnection,
        terms: &MoveTerms,
        now: Timestamp,
    ) -> Result<BTreeSet<Revision>, StoreError> {
        let replies = stored_reply_lanes(connection, now).await?;
        let campaigns = campaign_rows::all(connection, Condition::all()).await?;
        let requests = stored_lanes(connection, self.lanes()).await?;
        terms.check(&requests, &replies, &campaigns)?;
        Ok(campaigns.found.into_iter().map(|campaign| campaign.name.revision).collect())
    }

    /// Returns how many shops have a row in the table. Fails if a row stands in another lane than
    /// its shop: the move would put the shop's own row there, too. A row whose id cannot be read stays
    /// where it is.
    async fn check_rows(
        &self,
        connection: &OwnConnection,
        table: &ShopTable,
    ) -> Result<u64, StoreError> {
        let mut shops = 0;
        for lane in self.lanes().iter() {
            let mut last = String::new();
            loop {
                let page = read_page(connection, table, (lane, &last)).await?;
                let Some(end) = page.last() else { break };
                for id in page.iter().filter_map(|id| id.parse::<ShopId>().ok()) {
                    if let Some(damage) = misplaced(&id, (lane, self.lanes().lane_of(&id))) {
                        return Err(NotDrained::Damaged(damage).into());
                    }
                    shops += 1;
                }
                end.clone_into(&mut last);
            }
        }
        Ok(shops)
    }

    /// Moves the profile and the state of each shop to its new lane.
    async fn move_shops(&self, connection: &OwnConnection, lanes: Lanes) -> Result<(), StoreError> {
        for table in &self.dialect.shop_tables {
            for lane in self.lanes().iter() {
                let mut last = String::new();
                loop {
                    let page = read_page(connection, table, (lane, &last)).await?;
                    let Some(end) = page.last() else { break };
                    // Shops of lanes before this one are here already, and are not moved again.
                    let ids = page.iter().filter_map(|id| id.parse::<ShopId>().ok());
                    let own = ids.filter(|id| self.lanes().lane_of(id) == lane);
                    move_rows(connection, table, lane, (&own.collect::<Vec<_>>(), lanes)).await?;
                    end.clone_into(&mut last);
                }
            }
        }
        Ok(())
    }

    /// Fails if there are lists or outcomes of a campaign whose row is gone: their lanes would be
    /// wrong once the row is restored.
    async fn check_for_lost_campaigns(
        &self,
        campaigns: &BTreeSet<Revision>,
    ) -> Result<(), StoreError> {
        let of_chunks = revisions_of_chunks(self).await?;
        match of_chunks.difference(campaigns).next() {
            None => Ok(()),
            Some(lost) => {
                Err(NotDrained::Damaged(Damage::no_row(StoredItem::Campaign(*lost))).into())
            }
        }
    }
}

/// Locks every row that is looked at or changed, in the order of all transactions. The last one, of
/// the installation, is left to the caller. Returns the revisions of the campaigns, in order.
async fn lock_everything(connection: &OwnConnection) -> Result<Vec<i64>, StoreError> {
    let replies: Vec<i32> =
        lock_all(connection, reply_lane::Entity, reply_lane::Column::Lane).await?;
    let campaigns: Vec<i64> =
        lock_all(connection, campaign::Entity, campaign::Column::Revision).await?;
    let lanes: Vec<i32> =
        lock_all(connection, lane_state::Entity, lane_state::Column::Lane).await?;
    tracing::debug!(
        replies = replies.len(),
        campaigns = campaigns.len(),
        lanes = lanes.len(),
        "everything is locked for a move"
    );
    Ok(campaigns)
}

/// Locks all rows of a table in the order of their keys, and returns the keys.
async fn lock_all<E: EntityTrait, T: TryGetable + Send + Sync>(
    connection: &OwnConnection,
    _: E,
    key: E::Column,
) -> Result<Vec<T>, StoreError> {
    let rows = E::find().select_only().column(key).order_by_asc(key).lock_exclusive();
    rows.into_tuple().all(connection).await.map_err(classify)
}

/// Moves rows of these shops from a lane to their lanes, as far as these are others.
async fn move_rows(
    connection: &OwnConnection,
    table: &ShopTable,
    from: Lane,
    (shops, lanes): (&[ShopId], Lanes),
) -> Result<(), StoreError> {
    let pairs = shops.iter().map(|id| (id.as_str(), lanes.lane_of(id).0));
    let pairs: Vec<(&str, u16)> = pairs.filter(|(_, to)| *to != from.0).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let json = json_of(&pairs, (table.name, from))?;
    let moved = statement(connection, table.update, [i32::from(from.0).into(), json.into()]);
    let moved = connection.execute_raw(moved).await.map_err(classify)?;
    check_written(table.name, moved.rows_affected(), pairs.len())
}

fn json_of(
    pairs: &[(&str, u16)],
    (table, lane): (&'static str, Lane),
) -> Result<String, StoreError> {
    let row = Row { table, key: &format_args!("lane {lane}") };
    row.value("id", serde_json::to_string(pairs))
}

/// The chunks and lists of a campaign, divided among so many lanes.
fn relaned(
    revision: Revision,
    (chunks, lists): (&[Chunk], &[ShopList]),
    lanes: Lanes,
) -> Result<(Vec<Chunk>, Vec<ShopList>), StoreError> {
    let row = Row { table: "campaign_list", key: &format_args!("campaign {revision}") };
    row.value("ids", relane(chunks, lists, lanes))
}

/// Divides the list of a campaign and its ledger anew.
async fn move_campaign(
    connection: &OwnConnection,
    revision: Revision,
    lanes: Lanes,
    dry_run: bool,
) -> Result<(), StoreError> {
    let campaign = campaign_rows::find(connection, revision).await?;
    let chunks = campaign_rows::chunks(connection, revision).await?;
    let of_campaign = campaign_list::Column::Revision.eq(stored(revision.0));
    let lists = campaign_list::Entity::find()
        .filter(of_campaign)
        .order_by_asc(campaign_list::Column::Number);
    let lists = campaign_rows::read_lists(connection, lists).await?;
    let damages = check_campaign(revision, campaign.as_ref(), chunks.clone(), lists.clone());
    if let Some(damage) = damages.into_iter().next() {
        return Err(NotDrained::Damaged(damage).into());
    }
    let (_, lists): (Vec<_>, Vec<_>) = lists.found.into_iter().unzip();
    let (chunks, lists) = relaned(revision, (&chunks.found, &lists), lanes)?;
    if dry_run {
        return Ok(());
    }
    campaign_list::Entity::delete_many()
        .filter(campaign_list::Column::Revision.eq(stored(revision.0)))
        .exec(connection)
        .await
        .map_err(classify)?;
    campaign_chunk::Entity::delete_many()
        .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
        .exec(connection)
        .await
        .map_err(classify)?;
    let parts = chunks.chunks(campaign_rows::ADDED_AT_ONCE);
    for (chunks, lists) in parts.zip(lists.chunks(campaign_rows::ADDED_AT_ONCE)) {
        campaign_rows::add_chunks(connection, revision, chunks.iter().zip(lists)).await?;
    }
    Ok(())
}

/// Remembers the lasting logs that lanes were read in.
async fn leave_logs(connection: &OwnConnection) -> Result<(), StoreError> {
    let logs: Vec<Option<String>> = lane_state::Entity::find()
        .select_only()
        .column(lane_state::Column::LogId)
        .distinct()
        .filter(lane_state::Column::LogLasting.eq(true))
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    let logs = logs.into_iter().flatten();
    for log_id in logs {
        let left = left_log::ActiveModel { log_id: ActiveValue::Set(log_id) };
        let known = OnConflict::column(left_log::Column::LogId).do_nothing().to_owned();
        left_log::Entity::insert(left)
            .on_conflict(known)
            .exec_without_returning(connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

/// Lets every lane begin at the start of the next log. With another number of lanes, the keys of
/// receipts mean nothing any more, so receipts are deleted.
async fn begin_lanes_anew(
    connection: &OwnConnection,
    lanes: Option<Lanes>,
    mark: Deadline,
) -> Result<(), StoreError> {
    let epoch = stored(epoch_after(highest_epoch(connection).await?, None).0);
    let mark = mark.instant().millis();
    let Some(lanes) = lanes else {
        lane_state::Entity::update_many()
            .col_expr(lane_state::Column::LogId, Expr::value(None::<String>))
            .col_expr(lane_state::Column::LogLasting, Expr::value(false))
            .col_expr(lane_state::Column::Epoch, Expr::value(epoch))
            .col_expr(lane_state::Column::AppliedNext, Expr::value(0_i64))
            .col_expr(lane_state::Column::RepliedNext, Expr::value(0_i64))
            .col_expr(lane_state::Column::LastId, Expr::value(None::<String>))
            .col_expr(lane_state::Column::ExpiredUpTo, Expr::value(mark))
            .exec(connection)
            .await
            .map_err(classify)?;
        return Ok(());
    };
    let all = lane_state::Entity::find();
    let imports = highest(connection, all, lane_state::Column::Imports).await?;
    // A writer that read a lane's shops before the move must notice that they have changed.
    let imports = imports.unwrap_or_default().saturating_add(1);
    let lanes_of_receipts: Vec<i32> = receipt::Entity::find()
        .select_only()
        .column(receipt::Column::Lane)
        .distinct()
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    for lane in lanes_of_receipts {
        let of_lane = receipt::Entity::delete_many().filter(receipt::Column::Lane.eq(lane));
        of_lane.exec(connection).await.map_err(classify)?;
    }
    import_receipt::Entity::delete_many().exec(connection).await.map_err(classify)?;
    lane_state::Entity::delete_many().exec(connection).await.map_err(classify)?;
    let rows = lanes.iter().map(|lane| lane_state::ActiveModel {
        epoch: ActiveValue::Set(epoch),
        expired_up_to: ActiveValue::Set(Some(mark)),
        imports: ActiveValue::Set(imports),
        ..lane_state::unclaimed(lane)
    });
    let rows = lane_state::Entity::insert_many(rows).exec_without_returning(connection);
    rows.await.map_err(classify)?;
    installation::Entity::update_many()
        .col_expr(installation::Column::Lanes, Expr::value(i32::from(lanes.count())))
        .filter(installation::Column::Id.eq(installation::ONLY))
        .exec(connection)
        .await
        .map_err(classify)?;
    Ok(())
}

/// Forgets the reply lanes, so that the next requesters take the campaigns.
async fn forget_reply_lanes(connection: &OwnConnection) -> Result<(), StoreError> {
    reply_lane::Entity::delete_many().exec(connection).await.map_err(classify)?;
    campaign::Entity::update_many()
        .col_expr(campaign::Column::ReplyLane, Expr::value(None::<i32>))
        .filter(campaign::Column::ReplyLane.is_not_null())
        .exec(connection)
        .await
        .map_err(classify)?;
    Ok(())
}
