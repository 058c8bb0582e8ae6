//! `PostgreSQL`, where lanes are applied side by side. A batch takes four round trips: begin and
//! move the lane; read campaigns, newest revision and shops; store shops and receipt and delete old
//! receipts; commit.
//!
//! Under READ COMMITTED, a statement sees what was committed before it began, but not what was
//! committed while it waited for a row. After waiting, it reads that row again, and a join may then
//! lose the row: `PostgreSQL` 18 loses every row that a nested loop over an index would have to
//! find again. So no statement here waits for a row within a join:
//!
//! - A separate statement takes the lane's row by its key.
//! - A later statement reads the shops. It locks nothing, because nobody else writes them
//!   meanwhile.
//! - The statement that writes shops counts its rows. A foreign program may have changed shops
//!   without taking the lane's row; then the transaction is rolled back and tried again.

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, CampaignRef, Found, Lane, LaneTime, Loaded, LoadedShop, ShopId, ShopState, Timestamp,
};
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::{DbErr, QueryResult};

use super::campaigns::loaded;
use super::{CountedImport, Database, HotPath, Judged, import_number, no_lane};
use crate::codec;
use crate::connection::OwnConnection;
use crate::entity::campaign::Terms;
use crate::entity::{installation, lane_state};
use crate::error::{classify, stored};
use crate::retry::check_written;
use crate::writers::Transaction;
use rows::{bind, bind_states, get};

mod rows;

/// Reads the states of a lane's shops, campaigns, and the newest revision. The shops come in any
/// order, which is the same in each column. Their ids come as one text, one per line. (Ids hold no
/// line breaks.) A join with the ids would search the index for each id; this query walks along it
/// once. The few campaigns come as JSON.
///
/// Binds lane, ids, revisions.
const READ: &str = "
    SELECT campaigns, newest, ids, base_radius, base_revision, base_effect, radius, version, causes
    FROM (SELECT string_agg(id, chr(10)) AS ids, array_agg(base_radius) AS base_radius,
                 array_agg(base_revision) AS base_revision,
                 array_agg(base_effect) AS base_effect, array_agg(radius) AS radius,
                 array_agg(version) AS version, array_agg(causes) AS causes
          FROM shop_state WHERE lane = $1 AND id = ANY($2::text[])) AS shops
    CROSS JOIN (SELECT json_agg(named)::text AS campaigns
                FROM (SELECT revision, id, nonce, kind, limited_to, shops, replaces_revision,
                             replaces_id, replaces_deadline, attempt, deadline, state
                      FROM campaign WHERE revision = ANY($3::bigint[])) AS named) AS known
    CROSS JOIN (SELECT max(revision) AS newest FROM installation) AS given_out";

/// Stores the shops and the receipt of a batch, and deletes a few of the lane's oldest receipts:
/// those that were stored before an instant and are answered or belong to another log. Only the
/// oldest receipts are considered: if they are too young, so are the others.
///
/// Binds lane, the columns of the shops and the versions that were read, then epoch, from, to,
/// instant, entries or NULL, the new mark or NULL, and the instant before which receipts are
/// deleted.
const STORE_BATCH: &str = "
    WITH marked AS (
        UPDATE lane_state SET expired_up_to = $15 WHERE lane = $1 AND $15 IS NOT NULL
    ), added AS (
        INSERT INTO receipt (lane, epoch, from_position, to_position, log_id, stored_at, entries)
        SELECT lane, $10, $11, $12, log_id, $13, $14 FROM lane_state
        WHERE lane = $1 AND $14 IS NOT NULL
    ), pruned AS (
        DELETE FROM receipt WHERE (lane, epoch, from_position) IN (
            SELECT old.lane, old.epoch, old.from_position
            FROM (SELECT lane, epoch, from_position, to_position, log_id, stored_at
                  FROM receipt WHERE lane = $1 ORDER BY epoch, from_position LIMIT 8) AS old
            JOIN lane_state ON lane_state.lane = old.lane
            WHERE old.stored_at < $16
              AND (old.to_position <= lane_state.replied_next
                   OR old.log_id <> lane_state.log_id))
    )
    UPDATE shop_state
    SET base_radius = new.base_radius, base_revision = new.base_revision,
        base_effect = new.base_effect, radius = new.radius, version = new.version,
        causes = new.causes
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[], $9::bigint[])
         AS new (id, base_radius, base_revision, base_effect, radius, version, causes, was)
    WHERE shop_state.lane = $1 AND shop_state.id = new.id AND shop_state.version = new.was";

/// Stores the states of imported shops, old and new: an import raises each version by one. Binds
/// lane and the columns of the shops.
const STORE_STATES: &str = "
    INSERT INTO shop_state
        (lane, id, base_radius, base_revision, base_effect, radius, version, causes)
    SELECT $1, new.*
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[]) AS new
    ON CONFLICT (lane, id) DO UPDATE
    SET base_radius = excluded.base_radius, base_revision = excluded.base_revision,
        base_effect = excluded.base_effect, radius = excluded.radius,
        version = excluded.version, causes = excluded.causes
    WHERE shop_state.version = excluded.version - 1";

/// Batches and imports on a server.
#[derive(Debug)]
pub(crate) struct PostgresPath;

#[async_trait]
impl HotPath for PostgresPath {
    async fn begin_batch(
        &self,
        database: Database<'_>,
        batch: &Batch,
    ) -> Result<(Transaction, Loaded), StoreError> {
        let (transaction, moved) = database.writers.begin_with(&move_lane(batch)).await?;
        let moved = moved.first().ok_or(StoreError::Fenced)?;
        let time = LaneTime {
            expired_up_to: lane_state::mark(moved.try_get_by_index(0).map_err(classify)?),
            now: instant(moved)?,
        };
        let wanted = batch.campaigns();
        let read = read_arguments(batch.lane, batch.shops(), &wanted).map_err(classify)?;
        let row = read_one(transaction.connection()?, read).await?;
        let states = rows::states(&row, batch.shops())?;
        let shops = states.into_iter().map(LoadedShop::new).collect();
        let campaigns = loaded(wanted, &terms(&row)?);
        let newest = installation::newest_revision(get(&row, "newest")?)?;
        Ok((transaction, Loaded { time, campaigns, newest, shops }))
    }

    async fn store_batch(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError> {
        let Judged { batch, receipt, .. } = judged;
        let entries = (!receipt.entries.is_empty())
            .then(|| codec::receipt::encode(receipt.from, &receipt.entries));
        let versions: Vec<i64> = judged.versions.iter().map(|version| stored(*version)).collect();
        let mut arguments = PgArguments::default();
        bind_states(&mut arguments, batch.lane, &judged.changed)
            .and_then(|()| bind(&mut arguments, versions))
            .and_then(|()| bind(&mut arguments, stored(batch.epoch.0)))
            .and_then(|()| bind(&mut arguments, stored(receipt.from.0)))
            .and_then(|()| bind(&mut arguments, stored(receipt.to.0)))
            .and_then(|()| bind(&mut arguments, judged.now.millis()))
            .and_then(|()| bind(&mut arguments, entries))
            .and_then(|()| bind(&mut arguments, judged.mark.map(|mark| mark.instant().millis())))
            .and_then(|()| bind(&mut arguments, judged.kept_from.millis()))
            .map_err(classify)?;
        let written = connection.written(STORE_BATCH, arguments).await.map_err(classify)?;
        check_written("shop_state", written, judged.changed.len())
    }

    async fn begin_import(
        &self,
        database: Database<'_>,
        lane: Lane,
    ) -> Result<(Transaction, CountedImport), StoreError> {
        let (transaction, counted) = database.writers.begin_with(&count_import(lane)).await?;
        let counted = counted.first().ok_or_else(|| no_lane(lane))?;
        let number: i64 = counted.try_get_by_index(0).map_err(classify)?;
        let counted =
            CountedImport { number: import_number(lane, number)?, now: instant(counted)? };
        Ok((transaction, counted))
    }

    async fn load_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError> {
        let read = read_arguments(lane, shops, &[]).map_err(classify)?;
        rows::states(&read_one(connection, read).await?, shops)
    }

    async fn store_states(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
    ) -> Result<(), StoreError> {
        let mut arguments = PgArguments::default();
        bind_states(&mut arguments, lane, shops).map_err(classify)?;
        let written = connection.written(STORE_STATES, arguments).await.map_err(classify)?;
        check_written("shop_state", written, shops.len())
    }
}

/// Moves a lane if it stands where its owner expects. Returns the lane's `expired_up_to` and the
/// time, or no row if the lane did not move.
fn move_lane(batch: &Batch) -> String {
    let (lane, epoch, from) = (batch.lane, stored(batch.epoch.0), stored(batch.from.0));
    let (to, replied) = (stored(batch.to().0), stored(batch.replied.0));
    let last_id = batch.last_id().map_or_else(|| "NULL".to_owned(), |id| format!("'{}'", id.0));
    format!(
        "UPDATE lane_state
         SET applied_next = {to},
             replied_next = greatest(replied_next, least({replied}, {from})),
             last_id = coalesce({last_id}, last_id)
         WHERE lane = {lane} AND epoch = {epoch} AND applied_next = {from}
         RETURNING expired_up_to, {NOW}"
    )
}

/// Counts an import in the lane's row. Returns the number of the import and the time.
fn count_import(lane: Lane) -> String {
    format!(
        "UPDATE lane_state SET imports = imports + 1 WHERE lane = {lane} RETURNING imports, {NOW}"
    )
}

/// The database's clock, in milliseconds since 1970.
const NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Reads the time from the second column of a lane's row.
fn instant(taken: &QueryResult) -> Result<Timestamp, StoreError> {
    taken.try_get_by_index(1).map(Timestamp::from_millis).map_err(classify)
}

/// Returns the one row of [`READ`].
async fn read_one(connection: &OwnConnection, read: PgArguments) -> Result<PgRow, StoreError> {
    let rows = connection.rows(READ, read).await.map_err(classify)?;
    // A query of aggregates always returns a row.
    let none = || DbErr::RecordNotFound(String::new());
    rows.into_iter().next().ok_or_else(none).map_err(classify)
}

fn read_arguments(
    lane: Lane,
    shops: &[ShopId],
    campaigns: &[CampaignRef],
) -> Result<PgArguments, DbErr> {
    let revisions: Vec<i64> = campaigns.iter().map(|name| stored(name.revision.0)).collect();
    let mut arguments = PgArguments::default();
    bind(&mut arguments, i32::from(lane.0))?;
    bind(&mut arguments, shops.iter().map(ShopId::as_str).collect::<Vec<_>>())?;
    bind(&mut arguments, revisions)?;
    Ok(arguments)
}

/// Reads the campaigns. The types of the columns allow no value that this cannot read.
fn terms(row: &PgRow) -> Result<Found<Vec<Terms>>, StoreError> {
    // Without campaigns, the text is NULL.
    let Some(json) = get::<Option<&str>>(row, "campaigns")? else { return Ok(Found::default()) };
    let terms = serde_json::from_str(json).map_err(|error| DbErr::Json(error.to_string()));
    Ok(Found::whole(terms.map_err(classify)?))
}
