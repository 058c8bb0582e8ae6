//! Which steps of the schema a database has, and what it was made for.

use std::num::NonZeroU16;

use catchment_domain::Lanes;
use catchment_migrations::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ActiveValue, ConnectionTrait, DbErr, EntityTrait};

use crate::entity::installation;
use crate::open_error::OpenError;
use crate::store::statement;

/// The steps of the schema that a database has, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied(Vec<String>);

impl Applied {
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.missing().is_empty()
    }

    /// The steps that it lacks.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = known();
        missing.retain(|step| !self.0.contains(step));
        missing
    }

    /// Fails where steps are missing.
    pub(crate) fn check(&self, database: &str) -> Result<(), OpenError> {
        if self.is_up_to_date() {
            return Ok(());
        }
        let database = database.to_owned();
        Err(if self.0.is_empty() {
            OpenError::Empty { database }
        } else {
            OpenError::Older { database }
        })
    }

    /// Whether some of the steps are ours.
    pub(crate) fn is_ours(&self) -> bool {
        known().iter().any(|step| self.0.contains(step))
    }
}

/// The steps that this version knows.
fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// The steps that were taken in a database of ours. One that is not known is of a newer version.
pub(crate) async fn applied(
    connection: &impl ConnectionTrait,
    database: &str,
) -> Result<Applied, OpenError> {
    let sql = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = connection.query_all_raw(statement(connection, sql, [])).await;
    let applied: Vec<String> = rows
        .and_then(|rows| rows.iter().map(|row| row.try_get_by_index(0)).collect())
        .map_err(|error| OpenError::of(database, error))?;
    let known = known();
    let is_ours = applied.iter().any(|step| known.contains(step));
    if is_ours && applied.iter().any(|step| !known.contains(step)) {
        return Err(OpenError::Newer { database: database.to_owned() });
    }
    Ok(Applied(applied))
}

/// Writes what a new database was made for.
pub(crate) async fn install(connection: &impl ConnectionTrait, lanes: Lanes) -> Result<(), DbErr> {
    if installation::Entity::find_by_id(installation::ONLY).one(connection).await?.is_none() {
        let row = installation::ActiveModel {
            id: ActiveValue::Set(installation::ONLY),
            lanes: ActiveValue::Set(lanes.count().into()),
            revision: ActiveValue::Set(0),
            imports: ActiveValue::Set(0),
        };
        row.insert(connection).await?;
    }
    Ok(())
}

/// Fails where the database was made for another number of lanes.
pub(crate) async fn check_lanes(
    connection: &impl ConnectionTrait,
    wanted: Lanes,
    database: &str,
) -> Result<(), OpenError> {
    let row = installation::Entity::find_by_id(installation::ONLY).one(connection).await;
    let row = row.map_err(|error| OpenError::of(database, error))?;
    let found = row.and_then(|row| NonZeroU16::new(u16::try_from(row.lanes).ok()?));
    match found.map(Lanes) {
        Some(lanes) if lanes == wanted => Ok(()),
        found => Err(OpenError::LanesDiffer {
            database: database.to_owned(),
            found: found.map_or(0, Lanes::count),
            wanted: wanted.count(),
        }),
    }
}
