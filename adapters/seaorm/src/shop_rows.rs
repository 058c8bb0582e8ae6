//! What is in force at many shops, in and out with few statements and few rows: the driver
//! hands each statement and each row from one thread to another, which costs more than the
//! rows do.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopState};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::codec::causes::{self, effect_number};
use crate::codec::{hex, json};
use crate::dialect::Dialect;
use crate::entity::shop_state::Columns;
use crate::error::{Row, classify, stored};
use crate::store::statement;

/// How many rows a statement writes, from the most: few sizes, so that few statements are
/// prepared.
const SIZES: [usize; 5] = [1_000, 200, 40, 8, 1];

/// How many values a row has.
const VALUES: usize = 8;

/// What is in force at shops of one lane, and when that was so.
#[derive(Debug)]
pub(crate) struct LoadedStates {
    /// How many imports there were.
    pub(crate) imports: i64,
    /// Where the lane stood, if it was claimed before.
    pub(crate) applied_next: Option<i64>,
    /// What was in force, in the order of the ids; `None` where there is no such shop.
    pub(crate) states: Vec<Option<ShopState>>,
}

/// Reads what is in force at shops of one lane, all at one moment.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    dialect: &Dialect,
    lane: Lane,
    ids: &[ShopId],
) -> Result<LoadedStates, StoreError> {
    let query = load_statement(connection, dialect, lane, ids);
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let missing = || Row { table: "installation", key: &lane }.bad("imports", "no row was read");
    let row = row.ok_or_else(missing)?;
    let lines: Option<String> = row.try_get_by_index(2).map_err(classify)?;
    Ok(LoadedStates {
        imports: row.try_get_by_index(0).map_err(classify)?,
        applied_next: row.try_get_by_index(1).map_err(classify)?,
        states: states(lines.as_deref().unwrap_or_default(), ids)?,
    })
}

/// The statement that reads what is in force at shops of one lane.
pub(crate) fn load_statement<'a>(
    connection: &impl ConnectionTrait,
    dialect: &Dialect,
    lane: Lane,
    ids: impl IntoIterator<Item = &'a ShopId>,
) -> Statement {
    let ids = json::texts(ids.into_iter().map(ShopId::as_str));
    statement(connection, dialect.load_states, [i32::from(lane.0).into(), ids.into()])
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

/// Stores what is in force at shops of one lane, those that are new too.
pub(crate) async fn store<'a>(
    connection: &impl ConnectionTrait,
    dialect: &Dialect,
    lane: Lane,
    shops: impl Iterator<Item = (&'a ShopId, &'a ShopState)>,
) -> Result<(), StoreError> {
    for statement in store_statements(connection, dialect, lane, shops) {
        connection.execute_raw(statement).await.map_err(classify)?;
    }
    Ok(())
}

/// The statements that store what is in force at shops of one lane.
pub(crate) fn store_statements<'a>(
    connection: &impl ConnectionTrait,
    dialect: &Dialect,
    lane: Lane,
    shops: impl Iterator<Item = (&'a ShopId, &'a ShopState)>,
) -> Vec<Statement> {
    let mut values: Vec<Value> = Vec::new();
    for (id, state) in shops {
        push_values(&mut values, lane, id, state);
    }
    let (mut statements, mut rest) = (Vec::new(), values.into_iter());
    for size in SIZES {
        while size * VALUES <= rest.len() {
            let rows = rest.by_ref().take(size * VALUES);
            statements.push(statement(connection, (dialect.store_states)(size), rows));
        }
    }
    statements
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
