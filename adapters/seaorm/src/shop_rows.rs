//! What is in force at many shops, to and from one value that the database takes apart and
//! puts together itself: the driver hands every row from one thread to another, which costs
//! more than the rows do.

use std::fmt::Write as _;

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopImport, ShopState};
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::codec::causes::{self, effect_number};
use crate::codec::hex;
use crate::dialect::Dialect;
use crate::entity::shop::StateColumns;
use crate::error::{Row, classify};
use crate::store::statement;

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
    connection: &DatabaseConnection,
    dialect: &Dialect,
    lane: Lane,
    ids: &[ShopId],
) -> Result<LoadedStates, StoreError> {
    let values = [i32::from(lane.0).into(), id_array(ids).into()];
    let query = statement(connection, dialect.load_states, values);
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

/// The states that lines tell of.
fn states(lines: &str, ids: &[ShopId]) -> Result<Vec<Option<ShopState>>, StoreError> {
    let mut states = vec![None; ids.len()];
    let mut causes = Vec::new();
    for line in lines.lines() {
        let mut fields = line.split(' ');
        let place = fields.next().and_then(|place| place.parse::<usize>().ok());
        let place = place.filter(|place| *place < ids.len()).unwrap_or_default();
        let (Some(id), Some(loaded)) = (ids.get(place), states.get_mut(place)) else { continue };
        let row = Row { table: "shop", key: &format_args!("shop `{id}`") };
        let mut number = |column| row.text(column, fields.next().unwrap_or_default());
        let columns = StateColumns {
            base_radius: number("base_radius")?,
            base_revision: number("base_revision")?,
            base_effect: number("base_effect")?,
            radius: number("radius")?,
            version: number("version")?,
        };
        row.value("causes", hex::read(fields.next().unwrap_or_default(), &mut causes))?;
        *loaded = Some(columns.state(&row, &causes)?);
    }
    Ok(states)
}

/// Stores what is in force at shops of one lane.
pub(crate) async fn store<'a>(
    connection: &DatabaseConnection,
    dialect: &Dialect,
    lane: Lane,
    shops: impl Iterator<Item = (&'a ShopId, &'a ShopState)>,
) -> Result<(), StoreError> {
    let Some(states) = packed_states(shops) else { return Ok(()) };
    let values = [i32::from(lane.0).into(), states.into()];
    let update = statement(connection, dialect.store_states, values);
    connection.execute_raw(update).await.map(drop).map_err(classify)
}

/// What is in force at shops as a JSON object: for each id a text of base radius (6 digits),
/// base revision (15), base effect (1), radius (6), version (19) and causes in hex; `None`
/// where there are no shops. A database cuts such a text faster than it takes a JSON array
/// apart.
pub(crate) fn packed_states<'a>(
    shops: impl Iterator<Item = (&'a ShopId, &'a ShopState)>,
) -> Option<String> {
    let (mut json, mut causes) = (String::new(), Vec::new());
    for (id, state) in shops {
        json.push(if json.is_empty() { '{' } else { ',' });
        push_quoted(&mut json, id.as_str());
        json.push_str(":\"");
        push_digits(&mut json, state.base.radius.metres().into(), 6);
        push_digits(&mut json, state.base.revision.0, 15);
        push_digits(&mut json, effect_number(state.base.effect).into(), 1);
        push_digits(&mut json, state.radius.metres().into(), 6);
        push_digits(&mut json, state.version, 19);
        causes.clear();
        causes::write_to(&mut causes, &state.active, &state.released);
        hex::push(&mut json, &causes);
        json.push('"');
    }
    if json.is_empty() {
        return None;
    }
    json.push('}');
    Some(json)
}

/// The lowest digits of a number, with zeros before it.
fn push_digits(text: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    for digit in digits.iter_mut().rev().take(width) {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    let digits = digits.get(digits.len() - width..).unwrap_or_default();
    text.extend(digits.iter().copied().map(char::from));
}

/// A JSON array of ids.
pub(crate) fn id_array<'a>(ids: impl IntoIterator<Item = &'a ShopId>) -> String {
    let mut json = String::from("[");
    for id in ids {
        if 1 < json.len() {
            json.push(',');
        }
        push_quoted(&mut json, id.as_str());
    }
    json.push(']');
    json
}

/// A JSON array of rows, written as they come.
pub(crate) struct JsonRows(String);

impl JsonRows {
    pub(crate) fn new() -> Self {
        Self(String::from("["))
    }

    fn begin_row(&mut self) {
        self.0.push_str(if 1 < self.0.len() { "],[" } else { "[" });
    }

    /// The array; `None` where there are no rows.
    pub(crate) fn finish(mut self) -> Option<String> {
        if self.0.len() == 1 {
            return None;
        }
        self.0.push_str("]]");
        Some(self.0)
    }

    fn push_text(&mut self, text: &str) {
        self.separate();
        push_quoted(&mut self.0, text);
    }

    fn push_number(&mut self, number: impl std::fmt::Display) {
        self.separate();
        // Writing to a string does not fail.
        write!(self.0, "{number}").ok();
    }

    pub(crate) fn push_shop(&mut self, lane: Lane, row: &ShopImport, state: &ShopState) {
        self.begin_row();
        self.push_number(lane);
        self.push_text(row.id.as_str());
        self.push_text(&row.profile.name);
        self.push_text(&row.profile.category);
        self.push_text(&row.profile.region);
        self.push_number(row.profile.location.latitude());
        self.push_number(row.profile.location.longitude());
        self.push_state(state);
    }

    fn push_state(&mut self, state: &ShopState) {
        self.push_number(state.base.radius.metres());
        self.push_number(state.base.revision.0);
        self.push_number(effect_number(state.base.effect));
        self.push_number(state.radius.metres());
        self.push_number(state.version);
        self.separate();
        self.0.push('"');
        let mut bytes = Vec::new();
        causes::write_to(&mut bytes, &state.active, &state.released);
        hex::push(&mut self.0, &bytes);
        self.0.push('"');
    }

    fn separate(&mut self) {
        if !self.0.ends_with('[') {
            self.0.push(',');
        }
    }
}

fn push_quoted(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\u{1f}' => {
                write!(json, "\\u{:04x}", u32::from(character)).ok();
            }
            character => json.push(character),
        }
    }
    json.push('"');
}
