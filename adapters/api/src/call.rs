//! Replies to single calls, as programs read them.

use catchment_application as application;
use catchment_domain::{Code, Radius, ShopId};
use serde::{Deserialize, Serialize};

use crate::Standing;

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
    /// How the request left the shop, if the reply says so.
    #[serde(flatten)]
    pub standing: Option<Standing>,
    /// Why, if that is not plain success.
    pub code: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
}

impl From<&application::CallReply> for CallReply {
    fn from(call: &application::CallReply) -> Self {
        let outcome = &call.reply.outcome;
        Self {
            id: call.reply.id.to_string(),
            shop: call.reply.shop.as_ref().map(ShopId::to_string),
            status: outcome.status.to_string(),
            base_radius: call.base.map(Radius::metres),
            standing: outcome.standing.map(Into::into),
            code: outcome.code.map(Code::as_str).map(ToOwned::to_owned),
            message: outcome.message().map(ToOwned::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{self as domain, DecidedBy, Outcome, Reply, RequestId, Status};
    use uuid::Uuid;

    use super::*;

    fn reply(status: Status, code: Option<Code>, standing: Option<domain::Standing>) -> CallReply {
        let outcome = Outcome { status, code, detail: None, standing, repeat: false };
        let reply = Reply {
            id: RequestId(Uuid::nil()),
            shop: Some("a".parse().unwrap()),
            outcome,
            request_position: None,
        };
        (&application::CallReply { reply, base: None, unknown_kind: None }).into()
    }

    #[test]
    fn a_reply_says_how_it_left_the_shop_if_that_is_known() {
        let radius = |metres: u32| Radius::try_from(metres).unwrap();
        let decided_by = DecidedBy::Request { kind: "manual".parse().unwrap() };
        let (before, after) = (Some(radius(5_000)), radius(2_000));
        let standing = domain::Standing { before, after, decided_by, version: 4 };
        insta::assert_json_snapshot!(reply(Status::Applied, None, Some(standing)), @r#"
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
        insta::assert_json_snapshot!(reply(Status::Rejected, Some(Code::UnknownShop), None), @r#"
        {
          "id": "00000000-0000-0000-0000-000000000000",
          "shop": "a",
          "status": "rejected",
          "baseRadius": null,
          "code": "unknown_shop",
          "message": "there is no shop of this id"
        }
        "#);
    }
}
