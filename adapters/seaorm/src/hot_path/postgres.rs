//! `PostgreSQL`, where lanes are applied side by side. A batch takes four round trips: begin;
//! fence, clock, campaigns and the locked shops; shops, receipt and what goes; commit.

use async_trait::async_trait;
use catchment_domain::ports::StoreError;
use catchment_domain::{
    Batch, CampaignId, CampaignRef, Lane, LaneTime, Loaded, LoadedShop, Revision, ShopId,
    ShopState, Timestamp,
};
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::sqlx::{self, Row as _};

use super::{Ahead, BARE_RECEIPT_BYTES, BareBatch, HotPath, Judged, NO_EPOCH, StoredShop};
use crate::codec;
use crate::connection::OwnConnection;
use crate::entity::lane_state;
use crate::error::{Row, classify, driver_failed, stored};
use crate::store::SeaOrmStore;
use rows::{bind, bind_states};

mod rows;

/// Moves a lane that stands where its owner thinks, then locks the batch's shops. No row where
/// the lane was not moved; nothing is locked then.
///
/// Binds lane, epoch, from, to, everything answered below, last id, ids, revisions.
const OPEN: &str = "
    WITH moved AS (
        UPDATE lane_state
        SET applied_next = $4,
            replied_next = greatest(replied_next, least($5, $3)),
            last_id = coalesce($6, last_id)
        WHERE lane = $1 AND epoch = $2 AND applied_next = $3
        RETURNING expired_up_to,
                  floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
    ), locked AS (
        SELECT place, base_radius, base_revision, base_effect, radius, version, causes
        FROM moved
        CROSS JOIN unnest($7::text[]) WITH ORDINALITY AS wanted (id, place)
        JOIN shop_state ON shop_state.lane = $1 AND shop_state.id = wanted.id
        ORDER BY place
        FOR UPDATE OF shop_state
    ), shops AS (
        SELECT array_agg(place) AS places, array_agg(base_radius) AS base_radius,
               array_agg(base_revision) AS base_revision, array_agg(base_effect) AS base_effect,
               array_agg(radius) AS radius, array_agg(version) AS version,
               array_agg(causes) AS causes
        FROM locked
    ), known AS (
        SELECT array_agg(revision) AS revisions, array_agg(id) AS ids
        FROM campaign WHERE revision = ANY($8::bigint[])
    )
    SELECT expired_up_to, now, revisions, ids,
           places, base_radius, base_revision, base_effect, radius, version, causes
    FROM moved CROSS JOIN shops CROSS JOIN known";

/// Stores a batch's shops and its receipt, and deletes a few receipts of the lane, from the
/// oldest, that were stored before an instant and are below what is answered or of another log.
/// Only the oldest are looked at: of them the rest are younger, so they stay too.
///
/// Binds lane and the columns of the shops, then epoch, from, to, instant, entries or NULL, the
/// new mark or NULL, and the instant before which receipts go.
const CLOSE: &str = "
    WITH marked AS (
        UPDATE lane_state SET expired_up_to = $14 WHERE lane = $1 AND $14 IS NOT NULL
    ), added AS (
        INSERT INTO receipt (lane, epoch, from_position, to_position, log_id, stored_at, entries)
        SELECT lane, $9, $10, $11, log_id, $12, $13 FROM lane_state
        WHERE lane = $1 AND $13 IS NOT NULL
    ), pruned AS (
        DELETE FROM receipt WHERE (lane, epoch, from_position) IN (
            SELECT old.lane, old.epoch, old.from_position
            FROM (SELECT lane, epoch, from_position, to_position, log_id, stored_at
                  FROM receipt WHERE lane = $1 ORDER BY epoch, from_position LIMIT 8) AS old
            JOIN lane_state ON lane_state.lane = old.lane
            WHERE old.stored_at < $15
              AND (old.to_position <= lane_state.replied_next
                   OR old.log_id <> lane_state.log_id))
    )
    UPDATE shop_state
    SET base_radius = new.base_radius, base_revision = new.base_revision,
        base_effect = new.base_effect, radius = new.radius, version = new.version,
        causes = new.causes
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[])
         AS new (id, base_radius, base_revision, base_effect, radius, version, causes)
    WHERE shop_state.lane = $1 AND shop_state.id = new.id";

/// Moves nothing, but fences and locks as a batch does. Binds lane and ids.
const OPEN_BARE: &str = "
    WITH moved AS (
        UPDATE lane_state SET applied_next = applied_next WHERE lane = $1 RETURNING lane
    ), locked AS (
        SELECT place, base_radius, base_revision, base_effect, radius, version, causes
        FROM moved
        CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS wanted (id, place)
        JOIN shop_state ON shop_state.lane = $1 AND shop_state.id = wanted.id
        ORDER BY place
        FOR UPDATE OF shop_state
    )
    SELECT array_agg(place), array_agg(base_radius), array_agg(base_revision),
           array_agg(base_effect), array_agg(radius), array_agg(version), array_agg(causes)
    FROM locked";

/// Locks shops of a lane. Binds lane and ids.
const LOAD: &str = "
    WITH locked AS (
        SELECT place, base_radius, base_revision, base_effect, radius, version, causes
        FROM unnest($2::text[]) WITH ORDINALITY AS wanted (id, place)
        JOIN shop_state ON shop_state.lane = $1 AND shop_state.id = wanted.id
        ORDER BY place
        FOR UPDATE OF shop_state
    )
    SELECT array_agg(place) AS places, array_agg(base_radius) AS base_radius,
           array_agg(base_revision) AS base_revision, array_agg(base_effect) AS base_effect,
           array_agg(radius) AS radius, array_agg(version) AS version,
           array_agg(causes) AS causes
    FROM locked";

/// Stores what is in force at shops that are there. Binds lane and the columns of the shops.
const UPDATE: &str = "
    UPDATE shop_state
    SET base_radius = new.base_radius, base_revision = new.base_revision,
        base_effect = new.base_effect, radius = new.radius, version = new.version,
        causes = new.causes
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[])
         AS new (id, base_radius, base_revision, base_effect, radius, version, causes)
    WHERE shop_state.lane = $1 AND shop_state.id = new.id";

/// Adds shops. Binds lane and the columns of the shops.
const INSERT: &str = "
    INSERT INTO shop_state
        (lane, id, base_radius, base_revision, base_effect, radius, version, causes)
    SELECT $1, new.*
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[]) AS new";

/// Batches and imports on a server.
#[derive(Debug)]
pub(crate) struct PostgresPath;

#[async_trait]
impl HotPath for PostgresPath {
    /// Nothing: other lanes do not wait for this one's transaction.
    async fn read_ahead(&self, _: &SeaOrmStore, _: &Batch) -> Ahead {
        Ahead::default()
    }

    async fn open(
        &self,
        _: &SeaOrmStore,
        connection: &OwnConnection,
        batch: &Batch,
        _: Ahead,
    ) -> Result<Loaded, StoreError> {
        let wanted = batch.campaigns();
        let arguments = open_arguments(batch, &wanted).map_err(classify)?;
        let opened = connection.rows(OPEN, arguments).await.map_err(classify)?;
        let row = opened.first().ok_or(StoreError::Fenced)?;
        let time = LaneTime {
            now: Timestamp::from_millis(get(row, "now")?),
            expired_up_to: lane_state::mark(get(row, "expired_up_to")?),
        };
        let shops = rows::states(row, batch.shops())?.into_iter().map(LoadedShop::new).collect();
        Ok(Loaded { time, campaigns: known_campaigns(row, wanted)?, shops })
    }

    async fn close(
        &self,
        connection: &OwnConnection,
        judged: &Judged<'_>,
    ) -> Result<(), StoreError> {
        let Judged { batch, receipt, .. } = judged;
        let entries = (!receipt.entries.is_empty())
            .then(|| codec::receipt::encode(receipt.from, &receipt.entries));
        let mut arguments = PgArguments::default();
        bind_states(&mut arguments, batch.lane, &judged.changed)
            .and_then(|()| bind(&mut arguments, stored(batch.epoch.0)))
            .and_then(|()| bind(&mut arguments, stored(receipt.from.0)))
            .and_then(|()| bind(&mut arguments, stored(receipt.to.0)))
            .and_then(|()| bind(&mut arguments, judged.now.millis()))
            .and_then(|()| bind(&mut arguments, entries))
            .and_then(|()| bind(&mut arguments, judged.mark.map(|mark| mark.instant().millis())))
            .and_then(|()| bind(&mut arguments, judged.kept_from.millis()))
            .map_err(classify)?;
        connection.rows(CLOSE, arguments).await.map(drop).map_err(classify)
    }

    async fn load(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        ids: &[ShopId],
    ) -> Result<Vec<Option<ShopState>>, StoreError> {
        let arguments = load_arguments(lane, ids.iter()).map_err(classify)?;
        let rows = connection.rows(LOAD, arguments).await.map_err(classify)?;
        rows.first().map_or_else(|| Ok(vec![None; ids.len()]), |row| rows::states(row, ids))
    }

    async fn store(
        &self,
        connection: &OwnConnection,
        lane: Lane,
        shops: &[StoredShop<'_>],
    ) -> Result<(), StoreError> {
        for (sql, is_new) in [(UPDATE, false), (INSERT, true)] {
            let shops = shops.iter().filter(|shop| shop.is_new == is_new);
            let shops: Vec<_> = shops.map(|shop| (shop.id, shop.state)).collect();
            if !shops.is_empty() {
                let mut arguments = PgArguments::default();
                bind_states(&mut arguments, lane, &shops).map_err(classify)?;
                connection.rows(sql, arguments).await.map_err(classify)?;
            }
        }
        Ok(())
    }

    fn bare_batch(
        &self,
        store: SeaOrmStore,
        lane: Lane,
        shops: &[(&ShopId, &ShopState)],
        number: i64,
    ) -> Result<BareBatch, StoreError> {
        let read = load_arguments(lane, shops.iter().map(|(id, _)| *id)).map_err(classify)?;
        let entries = vec![0_u8; shops.len() * BARE_RECEIPT_BYTES];
        let mut write = PgArguments::default();
        bind_states(&mut write, lane, shops)
            .and_then(|()| bind(&mut write, NO_EPOCH))
            .and_then(|()| bind(&mut write, number))
            .and_then(|()| bind(&mut write, number + 1))
            .and_then(|()| bind(&mut write, 0_i64))
            .and_then(|()| bind(&mut write, entries))
            .and_then(|()| bind(&mut write, None::<i64>))
            .and_then(|()| bind(&mut write, 0_i64))
            .map_err(classify)?;
        Ok(Box::pin(async move {
            let transaction = store.begin().await?;
            let connection = transaction.connection()?;
            connection.rows(OPEN_BARE, read).await.map_err(classify)?;
            connection.rows(CLOSE, write).await.map_err(classify)?;
            transaction.commit().await
        }))
    }
}

fn open_arguments(batch: &Batch, campaigns: &[CampaignRef]) -> Result<PgArguments, sea_orm::DbErr> {
    let ids: Vec<&str> = batch.shops().iter().map(ShopId::as_str).collect();
    let revisions: Vec<i64> = campaigns.iter().map(|name| stored(name.revision.0)).collect();
    let mut arguments = PgArguments::default();
    bind(&mut arguments, i32::from(batch.lane.0))?;
    bind(&mut arguments, stored(batch.epoch.0))?;
    bind(&mut arguments, stored(batch.from.0))?;
    bind(&mut arguments, stored(batch.to().0))?;
    bind(&mut arguments, stored(batch.replied.0))?;
    bind(&mut arguments, batch.last_id().map(|id| id.to_string()))?;
    bind(&mut arguments, ids)?;
    bind(&mut arguments, revisions)?;
    Ok(arguments)
}

fn load_arguments<'a>(
    lane: Lane,
    ids: impl Iterator<Item = &'a ShopId>,
) -> Result<PgArguments, sea_orm::DbErr> {
    let mut arguments = PgArguments::default();
    bind(&mut arguments, i32::from(lane.0))?;
    bind(&mut arguments, ids.map(ShopId::as_str).collect::<Vec<_>>())?;
    Ok(arguments)
}

/// Those of the campaigns that were found, by revision and id together.
fn known_campaigns(
    row: &PgRow,
    mut wanted: Vec<CampaignRef>,
) -> Result<Vec<CampaignRef>, StoreError> {
    let revisions: Option<Vec<i64>> = get(row, "revisions")?;
    let ids: Option<Vec<String>> = get(row, "ids")?;
    let mut known = Vec::new();
    for (revision, id) in revisions.into_iter().flatten().zip(ids.into_iter().flatten()) {
        let row = Row { table: "campaign", key: &format_args!("revision {revision}") };
        let revision = Revision(row.number("revision", revision)?);
        known.push(CampaignRef { revision, id: CampaignId(row.text("id", &id)?) });
    }
    wanted.retain(|campaign| known.contains(campaign));
    Ok(wanted)
}

fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column).map_err(|error| classify(driver_failed(error)))
}
