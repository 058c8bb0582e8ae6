//! Campaigns.

use std::time::Duration;

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Attempt, Campaign, CampaignId, CampaignRef, CampaignState, CampaignTerms, Deadline, Limit,
    LoadedCampaign, MAX_SHOPS, Nonce, Replaced, ReplyLane, Revision, Timestamp,
};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, FromQueryResult};

use crate::error::{Row, stored};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) revision: i64,
    pub(crate) id: String,
    pub(crate) nonce: i64,
    pub(crate) kind: String,
    /// The limit: `closed`, `1500m` or `50%`.
    pub(crate) limited_to: String,
    pub(crate) reason: String,
    pub(crate) shops: i64,
    pub(crate) created_at: i64,
    pub(crate) timeout_ms: i64,
    pub(crate) until: Option<i64>,
    pub(crate) replaces_revision: Option<i64>,
    pub(crate) replaces_id: Option<String>,
    pub(crate) replaces_deadline: Option<i64>,
    pub(crate) replaced_by: Option<i64>,
    pub(crate) reply_lane: Option<i32>,
    pub(crate) attempt: i32,
    pub(crate) deadline: i64,
    pub(crate) state: String,
    pub(crate) open: i64,
    pub(crate) unreleased: i64,
    /// Since when it has ended.
    pub(crate) ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Campaign {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let row = Row { table: "campaign", key: &format_args!("revision {}", model.revision) };
        let replaces_id = model.replaces_id.as_deref();
        let replaces = (model.replaces_revision, replaces_id, model.replaces_deadline);
        let id = CampaignId(row.text("id", &model.id)?);
        let reply_lane = match model.reply_lane {
            Some(lane) => Some(ReplyLane(row.number("reply_lane", lane.into())?)),
            None => None,
        };
        let replaced_by = match model.replaced_by {
            Some(revision) => Some(Revision(row.number("replaced_by", revision)?)),
            None => None,
        };
        Ok(Self {
            name: CampaignRef { revision: Revision(row.number("revision", model.revision)?), id },
            nonce: Nonce::from_random(row.number("nonce", model.nonce)?),
            kind: row.text("kind", &model.kind)?,
            limit: row.text("limited_to", &model.limited_to)?,
            shops: shops(&row, model.shops)?,
            created_at: Timestamp::from_millis(model.created_at),
            timeout: Duration::from_millis(row.number("timeout_ms", model.timeout_ms)?),
            until: model.until.map(Timestamp::from_millis),
            replaces: replaced(&row, replaces)?,
            replaced_by,
            reply_lane,
            attempt: Attempt(row.number("attempt", model.attempt.into())?),
            deadline: deadline(model.deadline),
            state: state(&row, &model)?,
            unreleased: row.number("unreleased", model.unreleased)?,
            reason: model.reason,
        })
    }
}

/// Returns the condition that a campaign may still change. It is a constant, as in the index
/// `campaign_unfinished`: `PostgreSQL` would not use the index for a bound value.
pub(crate) fn is_unfinished() -> Expr {
    Expr::cust("campaign.state <> 'ended'")
}

/// Returns a filter for campaigns with an unknown state.
pub(crate) fn has_no_state() -> Expr {
    use CampaignState::{Ended, Ending, Sending, Settled};
    let states = [Sending { open: 0 }, Settled, Ending { open: 0 }, Ended];
    Column::State.is_not_in(states.map(CampaignState::as_str))
}

/// The columns that are needed to check the requests of a campaign.
#[derive(Debug, FromQueryResult)]
#[cfg_attr(feature = "postgres", derive(serde::Deserialize))]
pub(crate) struct Terms {
    revision: i64,
    id: String,
    nonce: i64,
    kind: String,
    limited_to: String,
    shops: i64,
    replaces_revision: Option<i64>,
    replaces_id: Option<String>,
    replaces_deadline: Option<i64>,
    attempt: i32,
    deadline: i64,
    state: String,
}

impl Terms {
    /// Converts the row for judging a batch, or returns `None` if the row belongs to another
    /// campaign.
    pub(crate) fn loaded(&self, name: CampaignRef) -> Option<LoadedCampaign> {
        if self.revision != stored(name.revision.0) {
            return None;
        }
        let row = Row { table: "campaign", key: &format_args!("revision {}", self.revision) };
        let terms = match row.text("id", &self.id) {
            Ok(id) if CampaignId(id) != name.id => return None,
            Ok(_) => self.read(&row),
            Err(error) => Err(error),
        };
        let terms = terms.map_err(|error| error.to_string().into());
        Some(LoadedCampaign { name, terms })
    }

    /// Returns the deadline of the current attempt, if the campaign's requests can be checked.
    pub(crate) fn deadline(&self) -> Result<Deadline, StoreError> {
        let row = Row { table: "campaign", key: &format_args!("revision {}", self.revision) };
        let _: CampaignId = CampaignId(row.text("id", &self.id)?);
        self.read(&row).map(|terms| terms.deadline)
    }

    fn read(&self, row: &Row<'_>) -> Result<CampaignTerms, StoreError> {
        let replaces_id = self.replaces_id.as_deref();
        let replaces = (self.replaces_revision, replaces_id, self.replaces_deadline);
        Ok(CampaignTerms {
            nonce: Nonce::from_random(row.number("nonce", self.nonce)?),
            kind: row.text("kind", &self.kind)?,
            limit: row.text("limited_to", &self.limited_to)?,
            shops: shops(row, self.shops)?,
            replaces: replaced(row, replaces)?,
            attempt: Attempt(row.number("attempt", self.attempt.into())?),
            deadline: deadline(self.deadline),
            is_ending_or_ended: named_state(row, &self.state, 0)?.is_ending_or_ended(),
        })
    }
}

/// Reads the number of a campaign's shops. No campaign has more than [`MAX_SHOPS`].
pub(crate) fn shops(row: &Row<'_>, number: i64) -> Result<u32, StoreError> {
    let shops = row.number("shops", number)?;
    if MAX_SHOPS < shops {
        return Err(row.bad("shops", format_args!("`{shops}` is out of range")));
    }
    Ok(shops)
}

fn replaced(
    row: &Row<'_>,
    columns: (Option<i64>, Option<&str>, Option<i64>),
) -> Result<Option<Replaced>, StoreError> {
    match columns {
        (None, None, None) => Ok(None),
        (Some(revision), Some(id), Some(millis)) => {
            let revision = Revision(row.number("replaces_revision", revision)?);
            let id = CampaignId(row.text("replaces_id", id)?);
            let campaign = CampaignRef { revision, id };
            Ok(Some(Replaced { campaign, deadline: deadline(millis) }))
        }
        _ => Err(row.bad("replaces_revision", "only a part of what it replaces is there")),
    }
}

/// Reads the state. `open` is a column of its own, so that queries can find open campaigns.
fn state(row: &Row<'_>, model: &Model) -> Result<CampaignState, StoreError> {
    let open = row.number("open", model.open)?;
    let state = named_state(row, &model.state, open)?;
    if state.with_open(open) == state {
        Ok(state)
    } else {
        Err(row.bad("open", format_args!("`{open}` does not go with `{state}`")))
    }
}

fn named_state(row: &Row<'_>, name: &str, open: u32) -> Result<CampaignState, StoreError> {
    let states = [
        CampaignState::Sending { open },
        CampaignState::Settled,
        CampaignState::Ending { open },
        CampaignState::Ended,
    ];
    let state = states.into_iter().find(|state| state.as_str() == name);
    state.ok_or_else(|| row.bad("state", format_args!("`{name}`")))
}

fn deadline(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

/// Returns the values of a new row or of an update. They do not say when the campaign ended: see
/// [`campaign_rows::note_end`](crate::campaign_rows::note_end).
pub(crate) fn active(campaign: &Campaign) -> ActiveModel {
    let replaces = campaign.replaces;
    let timeout = i64::try_from(campaign.timeout.as_millis()).unwrap_or(i64::MAX);
    ActiveModel {
        revision: ActiveValue::Set(stored(campaign.name.revision.0)),
        id: ActiveValue::Set(campaign.name.id.to_string()),
        nonce: ActiveValue::Set(stored(campaign.nonce.get())),
        kind: ActiveValue::Set(campaign.kind.as_str().to_owned()),
        limited_to: ActiveValue::Set(limit_text(campaign.limit)),
        reason: ActiveValue::Set(campaign.reason.clone()),
        shops: ActiveValue::Set(campaign.shops.into()),
        created_at: ActiveValue::Set(campaign.created_at.millis()),
        timeout_ms: ActiveValue::Set(timeout),
        until: ActiveValue::Set(campaign.until.map(Timestamp::millis)),
        replaces_revision: ActiveValue::Set(replaces.map(|r| stored(r.campaign.revision.0))),
        replaces_id: ActiveValue::Set(replaces.map(|r| r.campaign.id.to_string())),
        replaces_deadline: ActiveValue::Set(replaces.map(|r| r.deadline.instant().millis())),
        replaced_by: ActiveValue::Set(campaign.replaced_by.map(|by| stored(by.0))),
        reply_lane: ActiveValue::Set(campaign.reply_lane.map(|lane| lane.0.into())),
        attempt: ActiveValue::Set(campaign.attempt.0.into()),
        deadline: ActiveValue::Set(campaign.deadline.instant().millis()),
        state: ActiveValue::Set(campaign.state.as_str().to_owned()),
        open: ActiveValue::Set(campaign.state.open().into()),
        unreleased: ActiveValue::Set(campaign.unreleased.into()),
        ended_at: match campaign.state {
            CampaignState::Ended => ActiveValue::NotSet,
            _ => ActiveValue::Set(None),
        },
    }
}

fn limit_text(limit: Limit) -> String {
    match limit {
        Limit::Closed => "closed".to_owned(),
        Limit::Metres(metres) => format!("{}m", metres.radius().metres()),
        Limit::Percent(percent) => format!("{}%", percent.get()),
    }
}
