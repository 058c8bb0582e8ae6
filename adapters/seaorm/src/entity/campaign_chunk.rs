//! The ledger of a chunk of a campaign's shops.

use catchment_domain::ports::{ChunkSummary, StoreError};
use catchment_domain::{Attempt, Chunk, ChunkRemains, Detail, Lane, Phase, Revision, Slot};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, FromQueryResult, QueryFilter, UpdateMany};

use crate::codec;
use crate::error::{Row, stored};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_chunk")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) revision: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) number: i64,
    pub(crate) lane: i32,
    pub(crate) first: i64,
    pub(crate) shops: i64,
    /// The newest attempt in which activations may have been sent.
    pub(crate) sent: Option<i32>,
    pub(crate) open: i64,
    /// One byte a shop: see [`codec::slots`].
    pub(crate) activations: Vec<u8>,
    pub(crate) releases: Vec<u8>,
    /// Why slots were closed other than by plain success: see [`codec::details`].
    pub(crate) details: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<&Model> for Chunk {
    type Error = StoreError;

    fn try_from(model: &Model) -> Result<Self, StoreError> {
        let key = format_args!("campaign {}, chunk {}", model.revision, model.number);
        let row = Row { table: "campaign_chunk", key: &key };
        let activations = row.value("activations", codec::slots::decode(&model.activations))?;
        let releases = row.value("releases", codec::slots::decode(&model.releases))?;
        let shops: usize = row.number("shops", model.shops)?;
        if activations.len() != shops || releases.len() != shops {
            return Err(row.bad("activations", "not one byte for each shop"));
        }
        let sent = match model.sent {
            Some(attempt) => Some(Attempt(row.number("sent", attempt.into())?)),
            None => None,
        };
        let details = model.details.as_deref().unwrap_or_default();
        let chunk = Self::restore(
            (
                row.number("number", model.number)?,
                Lane(row.number("lane", model.lane.into())?),
                row.number("first", model.first)?,
            ),
            sent,
            activations,
            releases,
            row.value("details", codec::details::decode(details))?,
        );
        if model.open != i64::from(chunk.open()) {
            return Err(row.bad("open", format_args!("`{}` slots are not open", model.open)));
        }
        Ok(chunk)
    }
}

impl Model {
    /// Returns what can be read of the outcomes of this many shops.
    pub(crate) fn remains(&self, shops: usize) -> ChunkRemains {
        let slots = |bytes: &[u8]| {
            // The shop of a byte is known only if there is one byte for each shop.
            if bytes.len() == shops { codec::slots::decode_each(bytes) } else { Vec::new() }
        };
        let (activations, releases) = (slots(&self.activations), slots(&self.releases));
        let details = self.details.as_deref().map(codec::details::decode);
        let is_of_closed = |detail: &Detail| {
            let slots = match detail.phase {
                Phase::Activation => &activations,
                Phase::Release => &releases,
            };
            matches!(slots.get(usize::from(detail.place)), Some(Some(Slot::Closed(_))))
        };
        let details = details.and_then(Result::ok).unwrap_or_default();
        let details = details.into_iter().filter(is_of_closed).collect();
        ChunkRemains { is_unsent: self.sent.is_none(), activations, releases, details }
    }
}

/// Returns an update of the columns that change. (The update of an active model would return the
/// whole row.)
pub(crate) fn update(revision: Revision, chunk: &Chunk) -> UpdateMany<Entity> {
    let changed = ActiveModel {
        revision: ActiveValue::NotSet,
        number: ActiveValue::NotSet,
        lane: ActiveValue::NotSet,
        first: ActiveValue::NotSet,
        shops: ActiveValue::NotSet,
        ..active(revision, chunk)
    };
    Entity::update_many()
        .set(changed)
        .filter(Column::Revision.eq(stored(revision.0)))
        .filter(Column::Number.eq(i64::from(chunk.number)))
}

/// Returns a new row.
pub(crate) fn active(revision: Revision, chunk: &Chunk) -> ActiveModel {
    let details = Some(codec::details::encode(chunk.details())).filter(|bytes| !bytes.is_empty());
    ActiveModel {
        revision: ActiveValue::Set(stored(revision.0)),
        number: ActiveValue::Set(chunk.number.into()),
        lane: ActiveValue::Set(chunk.lane.0.into()),
        first: ActiveValue::Set(chunk.first.into()),
        shops: ActiveValue::Set(i64::try_from(chunk.len()).unwrap_or(i64::MAX)),
        sent: ActiveValue::Set(chunk.sent.map(|attempt| attempt.0.into())),
        open: ActiveValue::Set(chunk.open().into()),
        activations: ActiveValue::Set(codec::slots::encode(chunk.activations())),
        releases: ActiveValue::Set(codec::slots::encode(chunk.releases())),
        details: ActiveValue::Set(details),
    }
}

/// The columns of a summary.
#[derive(Debug, FromQueryResult)]
pub(crate) struct SummaryRow {
    revision: i64,
    number: i64,
    lane: i32,
    first: i64,
    shops: i64,
    open: i64,
}

impl TryFrom<SummaryRow> for ChunkSummary {
    type Error = StoreError;

    fn try_from(model: SummaryRow) -> Result<Self, StoreError> {
        let key = format_args!("campaign {}, chunk {}", model.revision, model.number);
        let row = Row { table: "campaign_chunk", key: &key };
        Ok(Self {
            number: row.number("number", model.number)?,
            lane: Lane(row.number("lane", model.lane.into())?),
            first: row.number("first", model.first)?,
            shops: row.number("shops", model.shops)?,
            open: row.number("open", model.open)?,
        })
    }
}
