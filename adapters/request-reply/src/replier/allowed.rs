//! Where replies may go.
//!
//! A request says where its reply goes, so without a list anybody could have a replier write
//! anywhere, and have the brokers make topics.

/// Topics to which replies may go.
///
/// ```
/// use catchment_request_reply::replier::AllowedTopics;
///
/// let allowed = AllowedTopics::new(["orders.reply", "team-a.*", "*-replies"]);
/// assert!(allowed.allows("orders.reply"));
/// assert!(allowed.allows("team-a.anything") && allowed.allows("shops-replies"));
/// assert!(!allowed.allows("orders"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedTopics(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    BeginsWith(String),
    EndsWith(String),
}

impl AllowedTopics {
    /// Names as they are, or with a `*` at their end or their beginning that stands for
    /// anything.
    pub fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Self {
        Self(patterns.into_iter().map(|pattern| Pattern::parse(pattern.as_ref())).collect())
    }

    /// `<requests>.reply`, as NestJS calls it, and `<requests>-replies`, as `SmallRye` does.
    #[must_use]
    pub fn usual(requests: &str) -> Self {
        Self::new([format!("{requests}.reply"), format!("{requests}-replies")])
    }

    /// Whether replies may go to this topic.
    #[must_use]
    pub fn allows(&self, topic: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(topic))
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Self {
        if let Some(beginning) = pattern.strip_suffix('*') {
            Self::BeginsWith(beginning.to_owned())
        } else if let Some(end) = pattern.strip_prefix('*') {
            Self::EndsWith(end.to_owned())
        } else {
            Self::Exactly(pattern.to_owned())
        }
    }

    fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Exactly(name) => topic == name,
            Self::BeginsWith(beginning) => topic.starts_with(beginning),
            Self::EndsWith(end) => topic.ends_with(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_topics_are_those_of_nest_and_smallrye() {
        let allowed = AllowedTopics::usual("shop");
        assert!(allowed.allows("shop.reply") && allowed.allows("shop-replies"));
        for other in ["shop", "shop.replies", "shop-reply", "other.reply", "x-shop-replies", ""] {
            assert!(!allowed.allows(other), "{other}");
        }
    }

    #[test]
    fn a_star_inside_is_a_star() {
        assert!(!AllowedTopics::new(["a*b"]).allows("a-b"));
        assert!(AllowedTopics::new(["*"]).allows("anything"));
        assert!(!AllowedTopics::default().allows("anything"));
    }
}
