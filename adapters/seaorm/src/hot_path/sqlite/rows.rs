//! Reads and writes the states of many shops with few statements and few rows. The driver hands
//! each statement and each row from one thread to another, which costs more than the rows
//! themselves.

use std::iter;

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopState};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

use crate::codec::causes::{self, effect_number};
use crate::entity::shop_state::Columns;
use crate::error::{Row, classify, stored};
use crate::hot_path::no_lane;
use crate::statement::statement;

/// How many rows a statement writes, largest first. There are few sizes, so that few statements are
/// prepared.
const SIZES: [usize; 5] = [400, 100, 25, 5, 1];

/// The number of values in a row.
const VALUES: usize = 8;

/// Reads the states of a lane's shops: the lane's number of imports, its position, the newest
/// revision, and one text. The text has a line for each existing shop: its place, base radius, base
/// revision, base effect, radius, version and causes in hex, divided by blanks. Binds the lane and
/// a JSON array of ids.
///
/// CROSS JOIN fixes the order: one search in the shops for each id. `%s` shows a stored value as it
/// is, while `%d` would make a number of anything.
const LOAD_STATES: &str = "
    SELECT
        (SELECT imports FROM lane_state WHERE lane = ?1),
        (SELECT applied_next FROM lane_state WHERE lane = ?1),
        (SELECT max(revision) FROM installation),
        group_concat(format('%s %s %s %s %s %s %s', wanted.key, base_radius, base_revision,
            base_effect, radius, version, hex(causes)), char(10))
    FROM json_each(?2) AS wanted
    CROSS JOIN shop_state ON shop_state.lane = ?1 AND shop_state.id = wanted.value";

/// The states of a lane's shops, and the moment at which they were read.
#[derive(Debug)]
pub(crate) struct LoadedStates {
    /// The lane's number of imports.
    pub(crate) imports: i64,
    /// The lane's position.
    pub(crate) applied_next: i64,
    /// The newest revision that was given out.
    pub(crate) newest: Option<i64>,
    /// The states in the order of the ids, or `None` for a shop without a state.
    pub(crate) states: Vec<Option<ShopState>>,
}

/// Reads the states of a lane's shops, all at one moment.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    lane: Lane,
    ids: &[ShopId],
) -> Result<LoadedStates, StoreError> {
    let json = serde_json::to_string(&ids.iter().map(ShopId::as_str).collect::<Vec<_>>());
    let json = json.map_err(|error| classify(DbErr::Json(error.to_string())))?;
    let query = statement(connection, LOAD_STATES, [i32::from(lane.0).into(), json.into()]);
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let row = row.ok_or_else(|| no_lane(lane))?;
    let imports: Option<i64> = row.try_get_by_index(0).map_err(classify)?;
    let applied_next: Option<i64> = row.try_get_by_index(1).map_err(classify)?;
    let newest = row.try_get_by_index(2).map_err(classify)?;
    let lines: Option<String> = row.try_get_by_index(3).map_err(classify)?;
    let (imports, applied_next) = imports.zip(applied_next).ok_or_else(|| no_lane(lane))?;
    Ok(LoadedStates {
        imports,
        applied_next,
        newest,
        states: states(lines.as_deref().unwrap_or_default(), ids)?,
    })
}

/// Parses the lines of states.
fn states(lines: &str, ids: &[ShopId]) -> Result<Vec<Option<ShopState>>, StoreError> {
    let mut states = vec![None; ids.len()];
    let mut causes = Vec::new();
    for line in lines.lines() {
        let mut fields = line.split(' ');
        let mut next = || fields.next().unwrap_or_default();
        let place: usize = Row { table: "shop_state", key: &line }.text("id", next())?;
        let (Some(id), Some(loaded)) = (ids.get(place), states.get_mut(place)) else { continue };
        let row = Row { table: "shop_state", key: &format_args!("shop `{id}`") };
        let mut number = |column| row.text(column, next());
        let columns = Columns {
            base_radius: number("base_radius")?,
            base_revision: number("base_revision")?,
            base_effect: number("base_effect")?,
            radius: number("radius")?,
            version: number("version")?,
        };
        let digits = next();
        causes.resize(digits.len() / 2, 0);
        row.value("causes", hex::decode_to_slice(digits, &mut causes))?;
        *loaded = Some(columns.state(&row, &causes)?);
    }
    Ok(states)
}

/// Returns the statements that store the states of a lane's shops, old and new. Each statement is
/// made when the iterator reaches it.
pub(crate) fn store_statements<'a>(
    connection: &'a impl ConnectionTrait,
    lane: Lane,
    shops: &'a [(&ShopId, &ShopState)],
) -> impl Iterator<Item = Statement> + Send + 'a {
    let mut rest = shops;
    iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rest.len())?;
        let (shops, others) = rest.split_at(size);
        rest = others;
        let mut values = Vec::with_capacity(size * VALUES);
        for (id, state) in shops {
            push_values(&mut values, lane, id, state);
        }
        Some(statement(connection, store_states(size), values))
    })
}

/// Runs statements one after another, and makes the next while the database works on the current
/// one.
pub(crate) async fn run_all(
    connection: &impl ConnectionTrait,
    mut statements: impl Iterator<Item = Statement> + Send,
) -> Result<(), StoreError> {
    let mut next = statements.next();
    while let Some(statement) = next {
        let run = connection.execute_raw(statement);
        let (ran, made) = tokio::join!(run, async { statements.next() });
        ran.map_err(classify)?;
        next = made;
    }
    Ok(())
}

fn push_values(values: &mut Vec<Value>, lane: Lane, id: &ShopId, state: &ShopState) {
    let causes = causes::encode(&state.active, &state.released);
    values.extend::<[Value; VALUES]>([
        i32::from(lane.0).into(),
        id.as_str().into(),
        state.base.radius.metres().into(),
        stored(state.base.revision.0).into(),
        effect_number(state.base.effect).into(),
        state.radius.metres().into(),
        stored(state.version).into(),
        Some(causes).filter(|causes| !causes.is_empty()).into(),
    ]);
}

/// Returns a statement that replaces whole rows, which is half the work of an update that joins the
/// new values. The placeholders have no numbers, because the driver would search for numbered
/// placeholders one by one.
fn store_states(shops: usize) -> String {
    let mut sql = String::from(
        "REPLACE INTO shop_state (lane, id, base_radius, base_revision, base_effect, radius, \
         version, causes) VALUES ",
    );
    for shop in 0..shops {
        sql.push_str(if shop == 0 { "(?,?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?,?)" });
    }
    sql
}
