//! The states of many shops, as one array for each column.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, ShopId, ShopState};
use sea_orm::DbErr;
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::sqlx::{Arguments, Decode, Encode, Postgres, Row as _, Type};

use crate::codec::causes::{self, effect_number};
use crate::entity::shop_state::Columns;
use crate::error::{Row, classify, driver_failed, stored};

/// Binds a lane and the states of its shops.
pub(super) fn bind_states(
    arguments: &mut PgArguments,
    lane: Lane,
    shops: &[(&ShopId, &ShopState)],
) -> Result<(), DbErr> {
    let metres = |radius: catchment_domain::Radius| radius.metres().cast_signed();
    let causes = |state: &ShopState| {
        Some(causes::encode(&state.active, &state.released)).filter(|bytes| !bytes.is_empty())
    };
    bind(arguments, i32::from(lane.0))?;
    bind(arguments, column(shops, |(id, _)| id.as_str()))?;
    bind(arguments, column(shops, |(_, state)| metres(state.base.radius)))?;
    bind(arguments, column(shops, |(_, state)| stored(state.base.revision.0)))?;
    bind(arguments, column(shops, |(_, state)| i16::from(effect_number(state.base.effect))))?;
    bind(arguments, column(shops, |(_, state)| metres(state.radius)))?;
    bind(arguments, column(shops, |(_, state)| stored(state.version)))?;
    bind(arguments, column(shops, |(_, state)| causes(state)))
}

fn column<'a, T>(
    shops: &[(&'a ShopId, &'a ShopState)],
    value: impl Fn((&'a ShopId, &'a ShopState)) -> T,
) -> Vec<T> {
    shops.iter().map(|shop| value(*shop)).collect()
}

/// Binds a value.
pub(super) fn bind<'a, T>(arguments: &mut PgArguments, value: T) -> Result<(), DbErr>
where
    T: Encode<'a, Postgres> + Type<Postgres> + 'a,
{
    arguments.add(value).map_err(|error| DbErr::Type(error.to_string()))
}

/// Returns the states that were read, in the order of `ids`.
pub(super) fn states(row: &PgRow, ids: &[ShopId]) -> Result<Vec<Option<ShopState>>, StoreError> {
    let mut states = vec![None; ids.len()];
    // Without shops, the text and the arrays are NULL.
    let Some(read) = get::<Option<&str>>(row, "ids")? else { return Ok(states) };
    let base_radius: Vec<i32> = get(row, "base_radius")?;
    let base_revision: Vec<i64> = get(row, "base_revision")?;
    let base_effect: Vec<i16> = get(row, "base_effect")?;
    let radius: Vec<i32> = get(row, "radius")?;
    let version: Vec<i64> = get(row, "version")?;
    let causes: Vec<Option<Vec<u8>>> = get(row, "causes")?;
    let bases = base_radius.into_iter().zip(base_revision).zip(base_effect);
    let rest = radius.into_iter().zip(version).zip(causes);
    for (id, (base, rest)) in read.lines().zip(bases.zip(rest)) {
        let (((base_radius, base_revision), base_effect), ((radius, version), causes)) =
            (base, rest);
        let place = ids.binary_search_by(|wanted| wanted.as_str().cmp(id)).ok();
        let Some(state) = place.and_then(|place| states.get_mut(place)) else { continue };
        let columns = Columns {
            base_radius: base_radius.into(),
            base_revision,
            base_effect: base_effect.into(),
            radius: radius.into(),
            version,
        };
        let row = Row { table: "shop_state", key: &format_args!("shop `{id}`") };
        *state = Some(columns.state(&row, causes.as_deref().unwrap_or_default())?);
    }
    Ok(states)
}

/// Reads a column of a row.
pub(super) fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| classify(driver_failed(error)))
}
