use std::collections::BTreeSet;

use wildmatch::WildMatchPattern;

use super::Destination;

/// Topics to which replies may go.
///
/// A request says where its reply goes. Without a list, anybody who may write requests could have
/// a replier write anywhere, and have the brokers make topics.
///
/// ```
/// use catchment_request_reply::reply::AllowedTopics;
///
/// let allowed = AllowedTopics::new(["orders.reply", "team-a.*", "*-replies"]);
/// assert!(allowed.allows("orders.reply"));
/// assert!(allowed.allows("team-a.anything") && allowed.allows("shops-replies"));
/// assert!(!allowed.allows("orders"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllowedTopics {
    names: BTreeSet<String>,
    patterns: Vec<Pattern>,
}

/// Only `*` is a wildcard: no name of a topic has the other one.
type Pattern = WildMatchPattern<'*', '\0'>;

impl AllowedTopics {
    /// Names of topics, with `*` for any text.
    pub fn new<T: AsRef<str>>(topics: impl IntoIterator<Item = T>) -> Self {
        let mut allowed = Self::default();
        for topic in topics {
            let topic = topic.as_ref();
            if topic.contains('*') {
                allowed.patterns.push(Pattern::new(topic));
            } else if !topic.is_empty() {
                allowed.names.insert(topic.to_owned());
            }
        }
        allowed
    }

    /// `<requests>.reply` and `<requests>-replies`, where NestJS and `SmallRye` expect replies.
    #[must_use]
    pub fn of_peers(requests: &str) -> [String; 2] {
        [format!("{requests}.reply"), format!("{requests}-replies")]
    }

    /// Whether replies may go to this topic.
    #[must_use]
    pub fn allows(&self, topic: &str) -> bool {
        self.names.contains(topic) || self.patterns.iter().any(|pattern| pattern.matches(topic))
    }

    /// Whether a request that asks for its reply there can have one, or asks for none.
    #[must_use]
    pub fn permit(&self, destination: &Destination<'_>) -> bool {
        match destination {
            Destination::To(reply_to) => self.allows(reply_to.topic()),
            Destination::Nowhere => true,
            Destination::Illegal | Destination::Oversized => false,
        }
    }

    /// The topics that are named without a `*`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, topic, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*.reply", "orders.reply", true),
            ("*.reply", "orders.reply.x", false),
            ("**", "x", true),
            ("a?c", "abc", false),
            ("a?*", "abc", false),
            ("[a]*", "a", false),
            ("a\\*", "a*", false),
        ] {
            assert_eq!(AllowedTopics::new([pattern]).allows(topic), expected, "{pattern} {topic}");
        }
    }

    #[test]
    fn a_name_is_known_without_asking_and_a_pattern_is_not() {
        let allowed = AllowedTopics::new(["orders.replies", "mobile.*", "", "a", "orders.replies"]);
        assert_eq!(allowed.names().collect::<Vec<_>>(), ["a", "orders.replies"]);
    }

    #[test]
    fn the_topics_of_peers_are_allowed_and_no_others() {
        let allowed = AllowedTopics::new(AllowedTopics::of_peers("shop"));
        assert!(allowed.allows("shop.reply") && allowed.allows("shop-replies"));
        for other in ["shop", "shop.replies", "shop-reply", "other.reply", "x-shop-replies", ""] {
            assert!(!allowed.allows(other), "{other}");
        }
        assert!(!AllowedTopics::default().allows("anything"));
    }
}
