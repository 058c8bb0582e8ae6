//! The steps of the schema that a database has, and the number of its lanes.

use std::num::NonZeroU16;

use catchment_domain::Lanes;
use catchment_migrations::{Migration, TABLE};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DbErr, EntityTrait, QueryResult, TryGetable,
};

use crate::connection::OwnConnection;
use crate::entity::{installation, lane_state};
use crate::open_error::OpenError;
use crate::statement::{statement, value};

/// The steps of the schema that a database lacks.
#[derive(Debug)]
pub(crate) struct Applied {
    is_empty: bool,
    missing: Vec<Migration>,
}

impl Applied {
    /// Returns the value for a database that has none of these steps.
    pub(crate) fn nothing(steps: &[Migration]) -> Self {
        let mut missing = steps.to_vec();
        missing.retain(|step| step.migration_type.is_up_migration());
        Self { is_empty: true, missing }
    }

    /// Reads which steps a Catchment database has.
    ///
    /// Fails on a step of a newer version, and on a step whose text differs from that of this
    /// version: nobody knows what tables it made.
    pub(crate) async fn read(
        connection: &impl ConnectionTrait,
        steps: &[Migration],
        database: &str,
    ) -> Result<Self, OpenError> {
        let sql = format!("SELECT description, checksum FROM {TABLE} ORDER BY version");
        let rows = connection.query_all_raw(statement(connection, sql, [])).await;
        let taken: Vec<(String, Vec<u8>)> = rows
            .and_then(|rows| rows.iter().map(QueryResult::try_get_many_by_index).collect())
            .map_err(|error| OpenError::of(database, error))?;
        let is_empty = taken.is_empty();
        let mut missing = Self::nothing(steps).missing;
        for (step, checksum) in taken {
            let database = || database.to_owned();
            let Some(at) = missing.iter().position(|known| known.description == step) else {
                return Err(OpenError::Newer { database: database() });
            };
            if missing.remove(at).checksum != checksum {
                return Err(OpenError::Changed { database: database(), step });
            }
        }
        Ok(Self { is_empty, missing })
    }

    /// Whether it has taken no step yet.
    #[cfg(feature = "postgres")]
    pub(crate) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(crate) fn is_up_to_date(&self) -> bool {
        self.missing.is_empty()
    }

    /// Returns those of these steps that the database has.
    pub(crate) fn taken(&self, steps: &[Migration]) -> Vec<Migration> {
        let is_missing =
            |step: &Migration| self.missing.iter().any(|missing| missing.version == step.version);
        let mut taken = Self::nothing(steps).missing;
        taken.retain(|step| !is_missing(step));
        taken
    }

    /// Returns the names of the missing steps.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.missing.iter().map(|step| step.description.to_string()).collect()
    }

    /// Fails if steps are missing.
    pub(crate) fn check(&self, database: &str) -> Result<(), OpenError> {
        if self.is_up_to_date() {
            return Ok(());
        }
        let database = database.to_owned();
        Err(if self.is_empty {
            OpenError::Empty { database }
        } else {
            OpenError::Older { database }
        })
    }

    /// Applies the missing steps in the current transaction, and adds the first rows to a new
    /// database.
    pub(crate) async fn complete(
        &self,
        connection: &OwnConnection,
        lanes: Lanes,
    ) -> Result<(), DbErr> {
        connection.migrate(&self.missing).await?;
        install(connection, lanes).await
    }
}

/// Adds the number of lanes to a new database, and a row for each lane. Every transaction that
/// writes a lane's shops takes that row first, so it must exist.
async fn install(connection: &impl ConnectionTrait, lanes: Lanes) -> Result<(), DbErr> {
    if installation::Entity::find_by_id(installation::ONLY).one(connection).await?.is_none() {
        let row = installation::ActiveModel {
            id: ActiveValue::Set(installation::ONLY),
            lanes: ActiveValue::Set(lanes.count().into()),
            revision: ActiveValue::Set(0),
        };
        row.insert(connection).await?;
        let lanes = lanes.iter().map(lane_state::unclaimed);
        lane_state::Entity::insert_many(lanes).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// Returns the one value that a statement returns.
pub(crate) async fn ask<T: TryGetable + Default>(
    connection: &impl ConnectionTrait,
    database: &str,
    sql: &str,
) -> Result<T, OpenError> {
    value(connection, sql).await.map_err(|error| OpenError::of(database, error))
}

/// Fails if the database has another number of lanes.
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
