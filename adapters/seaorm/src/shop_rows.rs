//! What is in force at many shops, to and from one value: a JSON array that the database
//! takes apart and puts together itself.

use std::fmt::Write as _;

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopImport, ShopState};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Deserialize;

use crate::codec;
use crate::codec::causes::effect_number;
use crate::dialect::Dialect;
use crate::entity::shop::StateColumns;
use crate::error::{Row, classify};
use crate::store::statement;

/// What is in force at shops of one lane, in their order; `None` where there is no such shop.
pub(crate) async fn load(
    connection: &DatabaseConnection,
    dialect: &Dialect,
    lane: Lane,
    ids: &[ShopId],
) -> Result<Vec<Option<ShopState>>, StoreError> {
    let mut states = vec![None; ids.len()];
    if ids.is_empty() {
        return Ok(states);
    }
    let values = [i32::from(lane.0).into(), id_array(ids).into()];
    let query = statement(connection, dialect.load_states, values);
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let json = row.map(|row| row.try_get_by_index::<String>(0)).transpose().map_err(classify)?;
    let json = json.unwrap_or_else(|| String::from("[]"));
    let rows: Vec<LoadedRow<'_>> =
        serde_json::from_str(&json).map_err(|error| unreadable(&json, ids, &error))?;
    for LoadedRow(place, base_radius, base_revision, base_effect, radius, version, causes) in rows {
        let (Some(loaded), Some(id)) = (states.get_mut(place), ids.get(place)) else { continue };
        let row = Row { table: "shop", key: &format_args!("shop `{id}`") };
        let causes = row.value("causes", codec::hex::bytes(causes))?;
        let columns = StateColumns { base_radius, base_revision, base_effect, radius, version };
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
    let Some(json) = state_array(shops) else { return Ok(()) };
    let update =
        statement(connection, dialect.store_states, [i32::from(lane.0).into(), json.into()]);
    connection.execute_raw(update).await.map(drop).map_err(classify)
}

/// What is in force at shops as a JSON array of rows; `None` where there are none.
pub(crate) fn state_array<'a>(
    shops: impl Iterator<Item = (&'a ShopId, &'a ShopState)>,
) -> Option<String> {
    let mut json = JsonRows::new();
    for (id, state) in shops {
        json.begin_row();
        json.push_text(id.as_str());
        json.push_state(state);
    }
    json.finish()
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
        codec::hex::push(&mut self.0, &codec::causes::encode(&state.active, &state.released));
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

/// A loaded row: its place, five numbers, and the causes in hexadecimal digits.
#[derive(Deserialize)]
struct LoadedRow<'a>(usize, i64, i64, i64, i64, i64, &'a str);

/// Names the first row that is not as it should be.
fn unreadable(json: &str, ids: &[ShopId], error: &serde_json::Error) -> StoreError {
    let rows: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let bad = rows.iter().find(|row| LoadedRow::deserialize(*row).is_err());
    let place = bad.and_then(|row| usize::try_from(row.get(0)?.as_u64()?).ok());
    let id = place.and_then(|place| ids.get(place)).map_or("?", ShopId::as_str);
    Row { table: "shop", key: &format_args!("shop `{id}`") }.bad("base_radius .. version", error)
}
