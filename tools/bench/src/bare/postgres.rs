//! The bare transactions of a `PostgreSQL` schema, with the statements that are fastest there.

use std::time::{Duration, Instant};

use sqlx::Result;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::task::JoinSet;

use super::{BATCH, RECEIPT_BYTES};

/// How many lanes are written at the same time.
const WRITERS: u32 = 4;

/// Binds lane and ids.
const READ: &str = "
    SELECT string_agg(id, chr(10)), array_agg(base_radius), array_agg(base_revision),
           array_agg(base_effect), array_agg(radius), array_agg(version), array_agg(causes)
    FROM shop_state WHERE lane = $1 AND id = ANY($2::text[])";

/// Binds lane, the columns of the shops, the number of the batch, and the entries of its receipt.
const WRITE: &str = "
    WITH added AS (
        INSERT INTO receipt (lane, epoch, from_position, to_position, log_id, stored_at, entries)
        VALUES ($1, -1, $9, $9 + 1, '', 0, $10)
    )
    UPDATE shop_state
    SET base_radius = new.base_radius, base_revision = new.base_revision,
        base_effect = new.base_effect, radius = new.radius, version = new.version + 1,
        causes = new.causes
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::bigint[],
                $8::bytea[])
         AS new (id, base_radius, base_revision, base_effect, radius, version, causes)
    WHERE shop_state.lane = $1 AND shop_state.id = new.id AND shop_state.version = new.version";

/// The columns of a batch's shops.
#[derive(Default)]
struct Columns {
    ids: Vec<String>,
    base_radius: Vec<i32>,
    base_revision: Vec<i64>,
    base_effect: Vec<i16>,
    radius: Vec<i32>,
    version: Vec<i64>,
    causes: Vec<Option<Vec<u8>>>,
}

type Row = (String, i32, i64, i16, i32, i64, Option<Vec<u8>>);

impl FromIterator<Row> for Columns {
    fn from_iter<T: IntoIterator<Item = Row>>(rows: T) -> Self {
        let mut columns = Self::default();
        for (id, base_radius, base_revision, base_effect, radius, version, causes) in rows {
            columns.ids.push(id);
            columns.base_radius.push(base_radius);
            columns.base_revision.push(base_revision);
            columns.base_effect.push(base_effect);
            columns.radius.push(radius);
            columns.version.push(version);
            columns.causes.push(causes);
        }
        columns
    }
}

/// Reads every shop and writes it back, batch by batch, the lanes side by side. Returns how long
/// the transactions took.
///
/// # Errors
///
/// When the database fails.
pub(crate) async fn measure(url: &str) -> Result<Duration> {
    let pool = PgPoolOptions::new().max_connections(WRITERS).test_before_acquire(false);
    let pool = pool.connect(url).await?;
    let lanes = sqlx::query_scalar("SELECT lane FROM lane_state").fetch_all(&pool).await?;
    let mut all: Vec<(i32, Vec<Columns>)> = Vec::new();
    for lane in lanes {
        let rows = "SELECT id, base_radius, base_revision, base_effect, radius, version, causes \
                    FROM shop_state WHERE lane = $1 ORDER BY id";
        let rows: Vec<Row> = sqlx::query_as(rows).bind(lane).fetch_all(&pool).await?;
        all.push((lane, rows.chunks(BATCH).map(|rows| rows.iter().cloned().collect()).collect()));
    }
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (lane, batches) in all {
        running.spawn(write_all(pool.clone(), lane, batches));
    }
    running.join_all().await.into_iter().collect::<Result<()>>()?;
    let took = start.elapsed();
    pool.close().await;
    Ok(took)
}

async fn write_all(pool: PgPool, lane: i32, batches: Vec<Columns>) -> Result<()> {
    for (number, batch) in (0_i64..).zip(batches) {
        let mut transaction = pool.begin().await?;
        let fence = "UPDATE lane_state SET imports = imports WHERE lane = $1";
        sqlx::query(fence).bind(lane).execute(&mut *transaction).await?;
        sqlx::query(READ).bind(lane).bind(&batch.ids).fetch_one(&mut *transaction).await?;
        let entries = vec![0_u8; batch.ids.len() * RECEIPT_BYTES];
        let write = sqlx::query(WRITE).bind(lane).bind(&batch.ids).bind(&batch.base_radius);
        let write = write.bind(&batch.base_revision).bind(&batch.base_effect).bind(&batch.radius);
        let write = write.bind(&batch.version).bind(&batch.causes).bind(number).bind(entries);
        write.execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
