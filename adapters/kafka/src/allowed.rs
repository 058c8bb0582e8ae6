//! Where replies may be sent.

use std::collections::BTreeSet;

/// The topics that replies may be sent to.
///
/// Anybody who may write a request may write any topic into its headers; without this list our
/// consumer would publish there on their behalf.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedTopics {
    patterns: Vec<String>,
}

impl AllowedTopics {
    /// The reply topic itself, those that peers derive from the request topic, and `more`:
    /// names of topics, with `*` for any text.
    pub(crate) fn new(requests: &str, replies: &str, more: &[String]) -> Self {
        let usual = [replies.to_owned()].into_iter().chain(of_peers(requests));
        Self { patterns: usual.chain(more.iter().cloned()).collect() }
    }

    /// Whether replies may be sent there.
    pub(crate) fn has(&self, topic: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, topic))
    }
}

/// The topics that a list names without a pattern, each once.
pub(crate) fn named(list: &[String]) -> BTreeSet<&str> {
    let names = list.iter().map(String::as_str);
    names.filter(|name| !name.is_empty() && !name.contains('*')).collect()
}

/// The topics in which `NestJS` and `SmallRye` expect replies.
pub(crate) fn of_peers(requests: &str) -> [String; 2] {
    [format!("{requests}.reply"), format!("{requests}-replies")]
}

/// Whether a text is a pattern with any text in the place of each `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    // The first place where a part fits leaves the most room for those behind it.
    while let Some((part, behind)) = rest.split_once('*') {
        let Some((_, after)) = text.split_once(part) else { return false };
        (text, rest) = (after, behind);
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
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
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_is_known_without_asking_and_a_pattern_is_not() {
        let list = ["orders.replies", "mobile.*", "", "a", "orders.replies"].map(str::to_owned);
        assert_eq!(named(&list).into_iter().collect::<Vec<_>>(), ["a", "orders.replies"]);
    }

    #[test]
    fn the_usual_topics_are_allowed_and_no_others() {
        let allowed = AllowedTopics::new("shop.requests", "shop.replies", &["mobile.*".to_owned()]);
        for topic in ["shop.replies", "shop.requests.reply", "shop.requests-replies", "mobile.app"]
        {
            assert!(allowed.has(topic), "{topic}");
        }
        for topic in ["shop.requests", "shop.requests.v1-dlt", "shop.repliesx", "payments", ""] {
            assert!(!allowed.has(topic), "{topic}");
        }
    }
}
