use std::fmt;

use super::{Header, PEERS, Peer};

/// Something odd about the reply headers of a request.
///
/// The request is handled as usual: the last value of a repeated header counts, and a header that no
/// kind of peer uses has no effect. Oddities are counted, because the sender may have meant
/// something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Oddity<'a> {
    /// The header of this name stands more than once.
    Repeated(&'static str),
    /// This header suggests that the sender waits for a reply, but no header names a reply topic.
    Unanswerable(&'a str),
}

/// Parts of header names that suggest that the sender waits for a reply, in small letters and
/// without `_`, `-` and `.`. A plain correlation id is not here, because it is often for tracing.
const TELLING: [&str; 6] = [
    "replyto",
    "replyaddress",
    "replychannel",
    "replypartition",
    "replycorrelationid",
    "kafkacorrelationid",
];

/// Longer header names are not checked.
const LONGEST: usize = 64;

impl<'a> Oddity<'a> {
    /// Returns the first oddity of a request's headers.
    ///
    /// ```
    /// use catchment_request_reply::profile::Oddity;
    ///
    /// let own = [("reply-to", Some(&b"shop.reply"[..]))];
    /// assert_eq!(Oddity::of(&own), Some(Oddity::Unanswerable("reply-to")));
    /// assert_eq!(Oddity::of(&[("kafka_replyTopic", Some(&b"shop.reply"[..]))]), None);
    /// ```
    #[must_use]
    pub fn of(headers: &[Header<'a>]) -> Option<Self> {
        let (mut met, mut has_topic) = ([[false; 3]; PEERS.len()], false);
        for (name, value) in headers {
            let Some((peer, place)) = known(name) else { continue };
            let met = met.get_mut(peer.index()).and_then(|met| met.get_mut(place))?;
            if std::mem::replace(met, true) {
                return peer.names().get(place).copied().map(Self::Repeated);
            }
            has_topic |= value.is_some() && peer.reply_topic == *name;
        }
        if has_topic {
            return None;
        }
        let mut names = headers.iter().map(|(name, _)| *name);
        let telling = names.find(|name| known(name).is_some() || is_telling(name));
        telling.map(Self::Unanswerable)
    }
}

/// The first peer that asks for a reply under a name, and the place of the name among its names.
fn known(name: &str) -> Option<(&'static Peer, usize)> {
    PEERS.iter().find_map(|peer| {
        let place = peer.names().iter().position(|known| *known == name)?;
        Some((*peer, place))
    })
}

/// Whether a name that no peer has suggests that the sender waits for a reply.
fn is_telling(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if LONGEST < name.len() || !name.bytes().all(is_plain) {
        return false;
    }
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let letters: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    TELLING.iter().any(|telling| letters.contains(telling))
}

impl fmt::Display for Oddity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated(name) => {
                write!(f, "the header `{name}` stands more than once: its last value counts")
            }
            Self::Unanswerable(name) => {
                write!(f, "the header `{name}` suggests that the sender waits for a reply, but ")?;
                for (number, peer) in Peer::asked().enumerate() {
                    let word = if number == 0 { "neither" } else { " nor" };
                    write!(f, "{word} `{}`", peer.reply_topic)?;
                }
                f.write_str(" names the reply topic")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&'static str], expected: Option<Oddity<'static>>) {
        let headers: Vec<Header<'static>> =
            names.iter().map(|name| (*name, Some(&b"x"[..]))).collect();
        assert_eq!(Oddity::of(&headers), expected, "{names:?}");
    }

    #[test]
    fn the_same_reply_header_twice_is_odd_whatever_it_says() {
        for name in Peer::asked().flat_map(Peer::names) {
            check(&[name, "kafka_replyTopic", "x", name], Some(Oddity::Repeated(name)));
        }
        check(&["x", "kafka_replyTopic", "x"], None);
    }

    #[test]
    fn reply_headers_of_ones_own_are_odd_where_no_topic_is_named() {
        for own in ["reply-to", "ReplyTo", "reply_topic", "KAFKA_REPLYTOPIC", "x.reply.address"] {
            check(&["traceparent", own], Some(Oddity::Unanswerable(own)));
            check(&[own, "REPLY_TOPIC"], None);
        }
        for waiting in ["kafka_correlationId", "REPLY_CORRELATION_ID", "kafka_replyPartition"] {
            check(&[waiting], Some(Oddity::Unanswerable(waiting)));
        }
        let nameless: [Header<'_>; 1] = [("kafka_replyTopic", None)];
        assert_eq!(Oddity::of(&nameless), Some(Oddity::Unanswerable("kafka_replyTopic")));
    }

    #[test]
    fn a_request_that_waits_for_no_reply_is_not_odd() {
        check(&[], None);
        check(&["traceparent", "X-Correlation-Id", "__TypeId__", "reply"], None);
    }

    #[test]
    fn what_is_said_of_a_name_is_short_and_visible() {
        let long: &'static str = String::leak("reply-to".repeat(9));
        check(&[long, "reply-to\n", "réply-to-reply-to"], None);
    }
}
