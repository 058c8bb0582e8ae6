//! Types of requests: which domain logic one is for.

use catchment_domain::Change;

/// What the types of this domain begin with. Others are somebody else's.
const PREFIX: &str = "radius.";

/// A type of request that this domain has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestType {
    /// A limit begins.
    Activate,
    /// A limit is over.
    Release,
    /// Another base radius.
    SetBase,
}

impl RequestType {
    /// Every type.
    pub(crate) const ALL: [Self; 3] = [Self::Activate, Self::Release, Self::SetBase];

    /// The word for it on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "radius.activate",
            Self::Release => "radius.release",
            Self::SetBase => "radius.set-base",
        }
    }

    /// The type of a change.
    pub(crate) const fn of(change: &Change) -> Self {
        match change {
            Change::Activate { .. } | Change::ActivateKind { .. } => Self::Activate,
            Change::Release { .. } | Change::ReleaseKind { .. } => Self::Release,
            Change::SetBase { .. } => Self::SetBase,
        }
    }
}

/// The type that a request names, as its reply repeats it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum NamedType {
    /// None that could be read.
    #[default]
    None,
    /// One of this domain.
    Known(RequestType),
    /// Another one.
    Other(Box<str>),
}

impl NamedType {
    /// A type by its word. Of one that is absurdly long nothing is kept.
    pub(crate) fn named(text: &str) -> Self {
        const MAX: usize = 64;
        match RequestType::ALL.into_iter().find(|known| known.as_str() == text) {
            Some(known) => Self::Known(known),
            None if (1..=MAX).contains(&text.len()) => Self::Other(text.into()),
            None => Self::None,
        }
    }

    /// The word for it, where there is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Known(known) => Some(known.as_str()),
            Self::Other(text) => Some(text),
        }
    }
}

/// Whether requests of this type belong to somebody else.
pub(super) fn is_foreign(text: &str) -> bool {
    !text.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_words() {
        for known in RequestType::ALL {
            assert_eq!(NamedType::named(known.as_str()), NamedType::Known(known));
            assert!(!is_foreign(known.as_str()));
        }
        assert_eq!(NamedType::named("radius.widen").as_str(), Some("radius.widen"));
        for none in ["", &"x".repeat(65)] {
            assert_eq!(NamedType::named(none), NamedType::None);
        }
    }

    #[test]
    fn another_prefix_is_somebody_elses() {
        for text in ["", "radius", "radiusactivate", "Radius.activate", "order.create"] {
            assert!(is_foreign(text), "{text}");
        }
        assert!(!is_foreign("radius."));
    }
}
