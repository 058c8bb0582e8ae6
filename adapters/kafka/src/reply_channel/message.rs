//! A reply as a message, in the headers of its peer.

use catchment_domain::{Code, Reply};
use catchment_request_reply::profile::{Failure, ReplyDetails, ReplyTo};
use catchment_request_reply::reply::Route;
use catchment_request_reply::{Header, Message, OwnedRecord};

use crate::wire::{self, NamedType};

/// The status of the outcome, for those who count without parsing.
const STATUS: &str = "catchment-status";
/// The code of an outcome that is not plain success.
const ERROR_CODE: &str = "catchment-error-code";

/// Makes messages of the replies of one call.
pub(crate) struct Messages<'a> {
    /// When they are sent, in RFC 3339.
    pub(crate) replied_at: String,
    /// The Java class that replies to Spring are marked with.
    pub(crate) type_id: Option<&'a str>,
    pub(crate) json: Vec<u8>,
}

impl Messages<'_> {
    /// A reply under the request's key: where the original was not looked up, the shop's id is the
    /// same.
    pub(crate) fn message(
        &mut self,
        reply: &Reply,
        named_type: &NamedType,
        (reply_to, route): (ReplyTo<'_>, Route),
        original: Option<&OwnedRecord>,
    ) -> Message {
        self.json.clear();
        wire::write_reply(reply, named_type, &self.replied_at, &mut self.json);
        let failure = failure(reply).filter(|_| reply_to.reports_failures());
        let details = ReplyDetails { failure: failure.as_deref(), type_id: self.type_id };
        let mut headers: Vec<Header> = reply_to.headers(&details).map(Header::from).collect();
        headers.push(Header::new(STATUS, reply.outcome.status.as_str()));
        headers.extend(reply.outcome.code.map(|code| Header::new(ERROR_CODE, code.as_str())));
        let shop = || Some(reply.shop.as_ref()?.as_str().as_bytes().to_vec());
        Message {
            topic: route.topic,
            partition: route.partition,
            key: original.map_or_else(shop, |original| original.key.clone()),
            value: Some(self.json.clone()),
            headers,
        }
    }
}

/// What went wrong, for clients that see nothing else of a reply.
fn failure(reply: &Reply) -> Option<String> {
    let outcome = &reply.outcome;
    let failure = Failure {
        status: outcome.status.as_str().into(),
        code: outcome.code.map(Code::as_str).unwrap_or_default().into(),
        message: outcome.message()?.into(),
        retryable: outcome.code.is_some_and(Code::is_retryable),
    };
    Some(failure.to_json())
}
