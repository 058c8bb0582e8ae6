//! Trigger kinds and the rules that configuration gives each of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::radius::{Limit, Radius};

/// Why a radius changes, such as `rider_shortage`: 1 to 31 of `a-z`, `0-9` and `_`.
///
/// Held in place, so that requests and causes are copied without allocating.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerKind {
    // INVARIANT: the name, then zeros; so the derived order is the order of the names.
    bytes: [u8; Self::MAX_LENGTH],
}

impl TriggerKind {
    /// The most characters that a name has.
    pub const MAX_LENGTH: usize = 31;

    /// The name of the kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LENGTH);
        self.bytes.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

impl FromStr for TriggerKind {
    type Err = TriggerKindError;

    fn from_str(name: &str) -> Result<Self, TriggerKindError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let mut bytes = [0; Self::MAX_LENGTH];
        match bytes.get_mut(..name.len()) {
            Some(place) if !name.is_empty() && name.bytes().all(allowed) => {
                place.copy_from_slice(name.as_bytes());
                Ok(Self { bytes })
            }
            _ => Err(TriggerKindError),
        }
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no name of a trigger kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a trigger kind is 1 to 31 of a-z, 0-9 and _")]
pub struct TriggerKindError;

/// Which causes decide: those of the highest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(pub u8);

/// What configuration says of one trigger kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerRule {
    /// Its rank among the kinds.
    pub rank: Rank,
    /// The limit it sets where a campaign names none; `None` when each must name one.
    pub default_limit: Option<Limit>,
}

/// The rules that every decision goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// No cause but a closing one narrows a shop below this.
    pub floor: Radius,
    /// The trigger kinds that there are.
    pub triggers: BTreeMap<TriggerKind, TriggerRule>,
}

impl Policy {
    /// The rank of a kind, where there is such a kind.
    #[must_use]
    pub fn rank(&self, kind: TriggerKind) -> Option<Rank> {
        self.triggers.get(&kind).map(|rule| rule.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_short_lower_case_name() {
        for name in ["a", "rider_shortage", "kind_2", &"x".repeat(31)] {
            assert_eq!(name.parse::<TriggerKind>().unwrap().as_str(), name);
        }
        for name in ["", "Rider", "rider shortage", "비", "a-b", &"x".repeat(32)] {
            assert_eq!(name.parse::<TriggerKind>(), Err(TriggerKindError), "{name}");
        }
    }

    #[test]
    fn kinds_are_ordered_by_name() {
        let kind = |name: &str| name.parse::<TriggerKind>().unwrap();
        assert!(kind("ab") < kind("abc"));
        assert!(kind("abc") < kind("b"));
    }
}
