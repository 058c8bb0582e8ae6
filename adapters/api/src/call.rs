//! Replies to single calls, as programs read them.

use catchment_application as application;
use catchment_domain::{Code, Radius, ShopId};
use serde::{Deserialize, Serialize};

use crate::DecidedBy;

/// The reply to a single call. Radii are whole metres.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallReply {
    /// The id of the request.
    pub id: String,
    /// The shop's id. `null` if the reply names none.
    pub shop: Option<String>,
    /// What became of the request.
    pub status: String,
    /// The new base radius, if the request set one.
    pub base_radius: Option<u32>,
    /// The radius before.
    pub before: Option<u32>,
    /// The radius after.
    pub after: Option<u32>,
    /// What decides the radius after.
    pub decided_by: Option<DecidedBy>,
    /// The shop's version after.
    pub version: Option<u64>,
    /// Why, if that is not plain success.
    pub code: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
}

impl From<&application::CallReply> for CallReply {
    fn from(call: &application::CallReply) -> Self {
        let outcome = &call.reply.outcome;
        let standing = outcome.standing;
        Self {
            id: call.reply.id.to_string(),
            shop: call.reply.shop.as_ref().map(ShopId::to_string),
            status: outcome.status.to_string(),
            base_radius: call.base.map(Radius::metres),
            before: standing.and_then(|standing| standing.before).map(Radius::metres),
            after: standing.map(|standing| standing.after.metres()),
            decided_by: standing.map(|standing| standing.decided_by.into()),
            version: standing.map(|standing| standing.version),
            code: outcome.code.map(Code::as_str).map(ToOwned::to_owned),
            message: outcome.message().map(ToOwned::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{DecidedBy, Outcome, Reply, RequestId, Revision, Standing, Status};
    use uuid::Uuid;

    use super::*;

    fn reply(decided_by: DecidedBy) -> CallReply {
        let radius = |metres: u32| Radius::try_from(metres).unwrap();
        let standing =
            Standing { before: Some(radius(5_000)), after: radius(2_000), decided_by, version: 4 };
        let outcome = Outcome {
            status: Status::Applied,
            code: None,
            detail: None,
            standing: Some(standing),
            repeat: false,
        };
        let reply = Reply {
            id: RequestId(Uuid::nil()),
            shop: Some("a".parse().unwrap()),
            outcome,
            request_position: None,
        };
        (&application::CallReply { reply, base: None, unknown_kind: None }).into()
    }

    #[test]
    fn a_reply_says_what_decides() {
        let kind = "manual".parse().unwrap();
        insta::assert_json_snapshot!(reply(DecidedBy::Request { kind }), @r#"
        {
          "id": "00000000-0000-0000-0000-000000000000",
          "shop": "a",
          "status": "applied",
          "baseRadius": null,
          "before": 5000,
          "after": 2000,
          "decidedBy": {
            "kind": "manual"
          },
          "version": 4,
          "code": null,
          "message": null
        }
        "#);
        let campaign = DecidedBy::Campaign { kind, revision: Revision(7) };
        let others = [campaign, DecidedBy::Base].map(|decided_by| reply(decided_by).decided_by);
        insta::assert_json_snapshot!(others, @r#"
        [
          {
            "revision": 7,
            "kind": "manual"
          },
          "base"
        ]
        "#);
    }
}
