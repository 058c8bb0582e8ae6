//! What is in force at many shops, in and out with few statements and few rows: the driver
//! hands each statement and each row from one thread to another, which costs more than the
//! rows do.

use std::iter;

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopState};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::codec::causes::{self, effect_number};
use crate::codec::{hex, json};
use crate::entity::shop_state::Columns;
use crate::error::{Row, classify, stored};
use crate::hot_path::no_lane;
use crate::store::statement;

/// How many rows a statement writes, from the most: few sizes, so that few statements are
/// prepared.
const SIZES: [usize; 5] = [400, 100, 25, 5, 1];

/// How many values a row has.
const VALUES: usize = 8;

/// Reads what is in force at shops of a lane: how many imports it had, where it stands, the newest
/// revision, and one text: a line for each shop that is there, of its place, base radius,
/// base revision, base effect, radius, version and causes in hex, with blanks between. Binds the
/// lane and a JSON array of ids.
///
/// CROSS JOIN keeps the order: one look into the shops for each id. `%s` shows what is stored
/// as it is, where `%d` would make a number of anything.
const LOAD_STATES: &str = "
    SELECT
        (SELECT imports FROM lane_state WHERE lane = ?1),
        (SELECT applied_next FROM lane_state WHERE lane = ?1),
        (SELECT max(revision) FROM installation),
        group_concat(format('%s %s %s %s %s %s %s', wanted.key, base_radius, base_revision,
            base_effect, radius, version, hex(causes)), char(10))
    FROM json_each(?2) AS wanted
    CROSS JOIN shop_state ON shop_state.lane = ?1 AND shop_state.id = wanted.value";

/// What is in force at shops of one lane, and when that was so.
#[derive(Debug)]
pub(crate) struct LoadedStates {
    /// How many imports the lane had.
    pub(crate) imports: i64,
    /// Where the lane stood.
    pub(crate) applied_next: i64,
    /// The newest revision that was given out.
    pub(crate) newest: Option<i64>,
    /// What was in force, in the order of the ids; `None` where there is no such shop.
    pub(crate) states: Vec<Option<ShopState>>,
}

/// Reads what is in force at shops of one lane, all at one moment.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    lane: Lane,
    ids: &[ShopId],
) -> Result<LoadedStates, StoreError> {
    let query = load_statement(connection, lane, ids);
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

/// The statement that reads what is in force at shops of one lane.
pub(crate) fn load_statement<'a>(
    connection: &impl ConnectionTrait,
    lane: Lane,
    ids: impl IntoIterator<Item = &'a ShopId>,
) -> Statement {
    let ids = json::texts(ids.into_iter().map(ShopId::as_str));
    statement(connection, LOAD_STATES, [i32::from(lane.0).into(), ids.into()])
}

/// The states that lines tell of.
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
        row.value("causes", hex::read(next(), &mut causes))?;
        *loaded = Some(columns.state(&row, &causes)?);
    }
    Ok(states)
}

/// The statements that store what is in force at shops of one lane, those that are new too.
/// Each is made when it is asked for.
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

/// Runs statements one after another, and makes the next while the database works on one.
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

/// Replaces whole rows: half the work of an update that joins the new values. The binds have no
/// numbers, because the driver searches for those that have one after another.
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
