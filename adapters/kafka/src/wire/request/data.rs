//! What a request asks, in detail: the `data` of its envelope.

use catchment_domain::{
    CampaignId, CampaignRef, Change, Deadline, Limit, Radius, Replaced, Revision, TriggerKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::instant;
use super::super::limit::WireLimit;
use super::super::message::bounded;
use super::super::object::optional_object;
use super::super::request_type::RequestType;
use super::super::text::Text;
use super::super::uuid;

/// What is asked, in detail. Which of these a request has goes by its type.
#[derive(Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(super) struct Data<'a> {
    /// Why the radius changes, such as `rider_shortage`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("pattern" = "^[a-z0-9_]{1,31}$")))]
    kind: Option<Text<'a>>,
    /// How far the shop delivers at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<WireLimit>,
    /// The base radius in whole metres; 0 is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(max = Radius::MAX.metres())))]
    radius: Option<u64>,
    /// The campaign's revision, or that of the base radius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1, max = Revision::MAX.0)))]
    revision: Option<u64>,
    /// The campaign's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    campaign: Option<Text<'a>>,
    /// The campaign whose place this one takes.
    #[serde(
        borrow,
        default,
        deserialize_with = "optional_object",
        skip_serializing_if = "Option::is_none"
    )]
    replaces: Option<WireReplaced<'a>>,
}

/// A campaign whose place another takes.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Replaced"))]
struct WireReplaced<'a> {
    /// Its revision.
    #[cfg_attr(test, schemars(range(min = 1, max = Revision::MAX.0)))]
    revision: u64,
    /// Its id.
    #[serde(borrow)]
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    campaign: Text<'a>,
    /// The newest deadline of its activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    deadline: Option<Text<'a>>,
}

/// Room for the campaigns that a change names.
#[derive(Default)]
pub(super) struct Names {
    campaign: Name,
    replaced: Name,
}

/// Room for a UUID as text.
struct Name([u8; 36]);

impl Default for Name {
    fn default() -> Self {
        Self([0; 36])
    }
}

impl Name {
    fn write(&mut self, id: Uuid) -> Text<'_> {
        Text::from(&*id.hyphenated().encode_lower(&mut self.0))
    }
}

/// The deadline that travels with a change.
pub(super) const fn deadline_of(change: &Change) -> Option<Deadline> {
    match change {
        Change::Release { deadline, .. } => Some(*deadline),
        change => change.deadline(),
    }
}

/// Reads a deadline.
pub(super) fn deadline(text: &Text<'_>) -> Result<Deadline, Box<str>> {
    let instant = instant::parse(text).ok_or("`deadline` is not RFC 3339 with a zone")?;
    Ok(Deadline::at(instant))
}

impl<'a> Data<'a> {
    /// The details of a change.
    pub(super) fn of(change: &'a Change, names: &'a mut Names) -> Self {
        let none = Self::default();
        match change {
            Change::Activate { campaign, kind, limit, replaces, .. } => Self {
                kind: Some(kind.as_str().into()),
                limit: Some(WireLimit(*limit)),
                replaces: replaces.map(|replaced| WireReplaced::of(replaced, &mut names.replaced)),
                ..Self::of_campaign(*campaign, &mut names.campaign)
            },
            Change::Release { campaign, .. } => Self::of_campaign(*campaign, &mut names.campaign),
            Change::ActivateKind { kind, limit, .. } => {
                Self { kind: Some(kind.as_str().into()), limit: Some(WireLimit(*limit)), ..none }
            }
            Change::ReleaseKind { kind, .. } => Self { kind: Some(kind.as_str().into()), ..none },
            Change::SetBase { revision, radius, .. } => {
                Self { revision: Some(revision.0), radius: Some(radius.metres().into()), ..none }
            }
        }
    }

    fn of_campaign(campaign: CampaignRef, name: &'a mut Name) -> Self {
        Self {
            revision: Some(campaign.revision.0),
            campaign: Some(name.write(campaign.id.0)),
            ..Self::default()
        }
    }

    /// The change that a request of this type asks for.
    ///
    /// A campaign's request that names no deadline never expires.
    pub(super) fn change(
        &self,
        r#type: RequestType,
        deadline: Option<Deadline>,
    ) -> Result<Change, Box<str>> {
        let campaign = self.campaign(r#type)?;
        let change = match (r#type, campaign) {
            (RequestType::Activate, Some(campaign)) => Change::Activate {
                campaign,
                kind: self.kind()?,
                limit: self.limit()?,
                deadline: deadline.unwrap_or(instant::NEVER),
                replaces: self.replaced(campaign)?,
            },
            (RequestType::Activate, None) => {
                Change::ActivateKind { kind: self.kind()?, limit: self.limit()?, deadline }
            }
            (RequestType::Release, Some(campaign)) => {
                Change::Release { campaign, deadline: deadline.unwrap_or(instant::NEVER) }
            }
            (RequestType::Release, None) => Change::ReleaseKind { kind: self.kind()?, deadline },
            (RequestType::SetBase, _) => Change::SetBase {
                revision: revision(self.revision.ok_or_else(|| missing("revision"))?)?,
                radius: self.radius()?,
                deadline,
            },
        };
        Ok(change)
    }

    fn kind(&self) -> Result<TriggerKind, Box<str>> {
        let kind = self.kind.as_ref().ok_or_else(|| missing("kind"))?;
        kind.parse().map_err(|error| bounded(format_args!("{error}")))
    }

    fn limit(&self) -> Result<Limit, Box<str>> {
        Ok(self.limit.ok_or_else(|| missing("limit"))?.0)
    }

    fn radius(&self) -> Result<Radius, Box<str>> {
        let metres = self.radius.ok_or_else(|| missing("radius"))?;
        Radius::try_from(metres).map_err(|error| bounded(format_args!("{error}")))
    }

    /// The campaign, by revision and id; without both the request is without a campaign.
    fn campaign(&self, r#type: RequestType) -> Result<Option<CampaignRef>, Box<str>> {
        match (r#type, self.revision, &self.campaign) {
            (RequestType::SetBase, _, _) | (_, None, None) => Ok(None),
            (_, Some(revision), Some(id)) => Ok(Some(campaign(revision, id)?)),
            (_, Some(_), None) => Err(missing("campaign")),
            (_, None, Some(_)) => Err(missing("revision")),
        }
    }

    fn replaced(&self, by: CampaignRef) -> Result<Option<Replaced>, Box<str>> {
        let Some(replaced) = &self.replaces else { return Ok(None) };
        let campaign = campaign(replaced.revision, &replaced.campaign)?;
        if campaign == by {
            return Err("a campaign cannot take its own place".into());
        }
        let deadline = replaced.deadline.as_ref().map(deadline).transpose()?;
        Ok(Some(Replaced { campaign, deadline: deadline.unwrap_or(instant::NEVER) }))
    }
}

impl<'a> WireReplaced<'a> {
    fn of(replaced: Replaced, name: &'a mut Name) -> Self {
        Self {
            revision: replaced.campaign.revision.0,
            campaign: name.write(replaced.campaign.id.0),
            deadline: instant::written_deadline(replaced.deadline).map(Text::from),
        }
    }
}

fn campaign(number: u64, id: &str) -> Result<CampaignRef, Box<str>> {
    let id = uuid(id).ok_or("`campaign` is not a UUID")?;
    Ok(CampaignRef { revision: revision(number)?, id: CampaignId(id) })
}

fn revision(number: u64) -> Result<Revision, Box<str>> {
    let revision = Revision(number);
    if Revision::NONE < revision && revision <= Revision::MAX {
        return Ok(revision);
    }
    Err(bounded(format_args!("a revision is 1 to {}", Revision::MAX)))
}

fn missing(name: &str) -> Box<str> {
    bounded(format_args!("`data` has no `{name}`"))
}

/// What the schema says of `data` by type.
#[cfg(test)]
pub(super) fn rules() -> serde_json::Value {
    use serde_json::json;
    let rule = |r#type: RequestType, data: serde_json::Value| {
        json!({
            "if": { "properties": { "type": { "const": r#type.as_str() } } },
            "then": { "properties": { "data": data } },
        })
    };
    let both = json!({ "revision": ["campaign"], "campaign": ["revision"] });
    let activate = json!({ "required": ["kind", "limit"], "dependentRequired": both });
    let release = json!({
        "anyOf": [{ "required": ["revision", "campaign"] }, { "required": ["kind"] }],
        "dependentRequired": both,
    });
    let set_base = json!({ "required": ["revision", "radius"] });
    json!([
        rule(RequestType::Activate, activate),
        rule(RequestType::Release, release),
        rule(RequestType::SetBase, set_base),
    ])
}
