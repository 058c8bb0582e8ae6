//! The bare transactions of a `SQLite` file, with the statements that are fastest there.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Result};

use super::{BATCH, RECEIPT_BYTES};

/// How many rows a statement writes.
const ROWS: usize = 400;

/// Reads the rows of a batch as one text, because each row that the driver hands over costs more
/// than its content. Binds lane and a JSON array of ids.
const READ: &str = "
    SELECT group_concat(format('%s %s %s %s %s %s %s', wanted.key, base_radius, base_revision,
        base_effect, radius, version, hex(causes)), char(10))
    FROM json_each(?2) AS wanted
    CROSS JOIN shop_state ON shop_state.lane = ?1 AND shop_state.id = wanted.value";

/// Lane, id, base radius, base revision, base effect, radius, version, causes.
type Row = (i64, String, i64, i64, i64, i64, i64, Option<Vec<u8>>);

/// Reads every shop and writes it back, batch by batch. Returns how long the transactions took.
///
/// # Errors
///
/// When the database fails.
pub(crate) async fn measure(file: &Path) -> Result<Duration> {
    let options = SqliteConnectOptions::new().filename(file).pragma("temp_store", "memory");
    let mut database = options.synchronous(SqliteSynchronous::Normal).connect().await?;
    let raised = "SELECT lane, id, base_radius, base_revision, base_effect, radius, version + 1, \
                  causes FROM shop_state ORDER BY lane, id";
    let rows: Vec<Row> = sqlx::query_as(raised).fetch_all(&mut database).await?;
    let batches: Vec<_> = rows
        .chunk_by(|one, next| one.0 == next.0)
        .flat_map(|lane| lane.chunks(BATCH))
        .map(|batch| {
            let ids: Vec<_> = batch.iter().map(|row| row.1.as_str()).collect();
            (serde_json::json!(ids).to_string(), batch)
        })
        .collect();
    let start = Instant::now();
    for (number, (ids, batch)) in (0..).zip(&batches) {
        write(&mut database, number, ids, batch).await?;
    }
    let took = start.elapsed();
    database.close().await?;
    Ok(took)
}

async fn write(
    database: &mut SqliteConnection,
    number: i64,
    ids: &str,
    batch: &[Row],
) -> Result<()> {
    let lane = batch.first().map(|row| row.0);
    let mut transaction = database.begin().await?;
    let fence = "UPDATE lane_state SET applied_next = applied_next WHERE lane = ?";
    sqlx::query(fence).bind(lane).execute(&mut *transaction).await?;
    sqlx::query(READ).bind(lane).bind(ids).fetch_one(&mut *transaction).await?;
    for rows in batch.chunks(ROWS) {
        let places = vec!["(?,?,?,?,?,?,?,?)"; rows.len()].join(",");
        let sql = format!("REPLACE INTO shop_state VALUES {places}");
        let mut replace = sqlx::query(AssertSqlSafe(sql));
        for (lane, id, base_radius, base_revision, base_effect, radius, version, causes) in rows {
            replace = replace.bind(lane).bind(id).bind(base_radius).bind(base_revision);
            replace = replace.bind(base_effect).bind(radius).bind(version).bind(causes);
        }
        replace.execute(&mut *transaction).await?;
    }
    let receipt = "INSERT INTO receipt VALUES (?, -1, ?, ?, '', 0, ?)";
    let receipt = sqlx::query(receipt).bind(lane).bind(number).bind(number + 1);
    let entries = vec![0_u8; batch.len() * RECEIPT_BYTES];
    receipt.bind(entries).execute(&mut *transaction).await?;
    transaction.commit().await
}
