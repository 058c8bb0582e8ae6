//! `SQLite`, where only one transaction writes at a time. So everything that can be read before the
//! transaction is read before it. The JSON of `SQLite` has no bytes, so causes are passed as
//! hexadecimal digits.

use std::iter;

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, Deadline, Found, Lane, LaneTime, Loaded, LoadedCampaign, LoadedShop, ShopId, ShopState,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};

use super::campaigns::loaded;
use super::{CountedImport, Database, HotPath, Judged, import_number, no_lane};
use crate::codec;
use crate::connection::OwnConnection;
use crate::damaged::{campaign_of, read_each};
use crate::entity::campaign::Terms;
use crate::entity::{installation, lane_state};
use crate::error::{classify, stored};
use crate::statement::statement;
use crate::writers::Transaction;
use rows::LoadedStates;

mod rows;

/// Moves a lane if it stands where its owner expects. Returns the lane's `expired_up_to` and its
/// number of imports. Binds lane, epoch, from, to, the position below which everything is answered,
/// last id.
const MOVE_LANE: &str = "
    UPDATE lane_state
    SET applied_next = ?4,
        replied_next = max(replied_next, min(?5, ?3)),
        last_id = coalesce(?6, last_id)
    WHERE lane = ?1 AND epoch = ?2 AND applied_next = ?3
    RETURNING expired_up_to, imports";

/// Counts an import in the lane's row, and returns its number. Binds the lane.
const COUNT_IMPORT: &str =
    "UPDATE lane_state SET imports = imports + 1 WHERE lane = ?1 RETURNING imports";

/// Adds the receipt of a batch, with the log of its lane. Binds lane, epoch, from, to, instant,
/// entries.
const INSERT_RECEIPT: &str = "
    INSERT INTO receipt (lane, epoch, from_position, to_position, log_id, stored_at, entries)
    SELECT lane, ?2, ?3, ?4, log_id, ?5, ?6 FROM lane_state WHERE lane = ?1";

/// Deletes a few of a lane's oldest receipts: those that were stored before an instant and are
/// answered or belong to another log. Only the oldest receipts are considered: if they are too
/// young, so are the others. Binds lane and instant.
const PRUNE_RECEIPTS: &str = "
    DELETE FROM receipt WHERE (lane, epoch, from_position) IN (
        SELECT old.lane, old.epoch, old.from_position
        FROM (SELECT lane, epoch, from_position, to_position, log_id, stored_at
              FROM receipt WHERE lane = ?1 ORDER BY epoch, from_position LIMIT 8) AS old
        JOIN lane_state ON lane_state.lane = old.lane
        WHERE old.stored_at < ?2
          AND (old.to_position <= lane_state.replied_next
               OR old.log_id <> lane_state.log_id))";

/// Reads the columns that are needed to check requests of campaigns. Binds a JSON array of
/// revisions.
const LOAD_CAMPAIGNS: &str = "
    SELECT revision, id, nonce, kind, limited_to, shops, replaces_revision, replaces_id,
           replaces_deadline, attempt, deadline, state
    FROM campaign WHERE revision IN (SELECT value FROM json_each(?1))";

/// Batches and imports in a file.
#[derive(Debug)]
pub(crate) struct SqlitePath;

#[async_trait]
impl HotPath for SqlitePath {
    /// Reads ahead while another lane's transaction runs. What could not be read then is read in
    /// the transaction.
    async fn begin_batch(
        &self,
        database: Database<'_>,
        batch: &Batch,
    ) -> Result<(Transaction, Loaded), StoreError> {
        let known = load_campaigns(database.readers, batch).await.ok();
        let ahead = rows::load(database.readers, batch.lane, batch.shops()).await.ok();
        let transaction = database.writers.begin().await?;
        let connection = transaction.connection()?;
        let (mark, imports) = move_lane(connection, batch).await?;
        let time = LaneTime { now: database.clock.now(), expired_up_to: mark };
        let loaded = match ahead.filter(|ahead| ahead.is_still_true(batch, imports)) {
            Some(ahead) => ahead,
            None => rows::load(connection, batch.lane, batch.shops()).await?,
        };
        let newest = installation::newest_revision(loaded.newest)?;
        let shops = loaded.states.into_iter().map(LoadedShop::new).collect();
        let campaigns = match known {
            Some(known) => known,
            None => load_campaigns(connection, batch).await?,
        };
        Ok((transaction, Loaded { time, campaigns, newest, shops }))
    }

    async fn store_batch(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError> {
        let shops = rows::store_statements(connection, judged.batch.lane, &judged.changed);
        let receipt = iter::once_with(|| receipt_statement(connection, judged)).flatten();
        rows::run_all(connection, shops.chain(receipt)).await?;
        store_mark(connection, judged).await?;
        let values = [i32::from(judged.batch.lane.0).into(), judged.kept_from.millis().into()];
        let prune = statement(connection, PRUNE_RECEIPTS, values);
        connection.execute_raw(prune).await.map(drop).map_err(classify)
    }

    async fn begin_import(
        &self,
        database: Database<'_>,
        lane: Lane,
    ) -> Result<(Transaction, CountedImport), StoreError> {
        let transaction = database.writers.begin().await?;
        let connection = transaction.connection()?;
        let count = statement(connection, COUNT_IMPORT, [i32::from(lane.0).into()]);
        let counted = connection.query_one_raw(count).await.map_err(classify)?;
        let counted = counted.ok_or_else(|| no_lane(lane))?;
        let number: i64 = counted.try_get_by_index(0).map_err(classify)?;
        let number = import_number(lane, number)?;
        let counted = CountedImport { number, now: database.clock.now() };
        Ok((transaction, counted))
    }

    async fn load_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError> {
        Ok(rows::load(connection, lane, shops).await?.states)
    }

    /// Replaces whole rows, so new shops need no other statement.
    async fn store_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
    ) -> Result<(), StoreError> {
        rows::run_all(connection, rows::store_statements(connection, lane, shops)).await
    }
}

/// Reads the campaigns of a batch that exist.
async fn load_campaigns(
    connection: &impl ConnectionTrait,
    batch: &Batch,
) -> Result<Vec<LoadedCampaign>, StoreError> {
    let wanted = batch.campaigns();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let revisions: Vec<i64> = wanted.iter().map(|name| stored(name.revision.0)).collect();
    // The debug format of a list of numbers is JSON.
    let read = statement(connection, LOAD_CAMPAIGNS, [format!("{revisions:?}").into()]);
    let read: Found<Vec<Terms>> = read_each(connection, read, campaign_of, Ok).await?;
    Ok(loaded(wanted, &read))
}

impl LoadedStates {
    /// Returns whether the shops are still as they were read. Only batches and imports of the lane
    /// write its shops. The lane was moved from the position at which the shops were read, so there
    /// was no batch; and the number of imports is the same, so there was no import.
    fn is_still_true(&self, batch: &Batch, imports: i64) -> bool {
        self.imports == imports && self.applied_next == stored(batch.from.0)
    }
}

/// Moves the lane on. Returns the highest deadline that the lane treated as passed, and its number
/// of imports.
async fn move_lane(
    connection: &OwnConnection,
    batch: &Batch,
) -> Result<(Deadline, i64), StoreError> {
    let values = [
        i32::from(batch.lane.0).into(),
        stored(batch.epoch.0).into(),
        stored(batch.from.0).into(),
        stored(batch.to().0).into(),
        stored(batch.replied.0).into(),
        batch.last_id().map(|id| id.to_string()).into(),
    ];
    let moved = statement(connection, MOVE_LANE, values);
    let row = connection.query_one_raw(moved).await.map_err(classify)?;
    let row = row.ok_or(StoreError::Fenced)?;
    let mark = lane_state::mark(row.try_get_by_index(0).map_err(classify)?);
    Ok((mark, row.try_get_by_index(1).map_err(classify)?))
}

fn receipt_statement(connection: &OwnConnection, judged: &Judged<'_>) -> Option<Statement> {
    let Judged { batch, receipt, now, .. } = judged;
    if receipt.entries.is_empty() {
        return None;
    }
    let values = [
        i32::from(batch.lane.0).into(),
        stored(batch.epoch.0).into(),
        stored(receipt.from.0).into(),
        stored(receipt.to.0).into(),
        now.millis().into(),
        codec::receipt::encode(receipt.from, &receipt.entries).into(),
    ];
    Some(statement(connection, INSERT_RECEIPT, values))
}

/// Stores the highest deadline that was treated as passed, if it has risen.
async fn store_mark(connection: &OwnConnection, judged: &Judged<'_>) -> Result<(), StoreError> {
    let Some(mark) = judged.mark else { return Ok(()) };
    lane_state::Entity::update_many()
        .col_expr(lane_state::Column::ExpiredUpTo, Expr::value(mark.instant().millis()))
        .filter(lane_state::Column::Lane.eq(i32::from(judged.batch.lane.0)))
        .exec(connection)
        .await
        .map(drop)
        .map_err(classify)
}
