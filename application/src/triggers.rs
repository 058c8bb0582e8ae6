//! The trigger kinds of the settings.

use std::cmp::Reverse;

use catchment_domain::{Policy, TriggerKind, TriggerRule};

use crate::InvalidField;

/// Returns each kind with its rule, the highest rank first.
#[must_use]
pub fn trigger_kinds(policy: &Policy) -> Vec<(TriggerKind, TriggerRule)> {
    let mut kinds: Vec<_> = policy.triggers.iter().map(|(kind, rule)| (*kind, *rule)).collect();
    kinds.sort_by_key(|(kind, rule)| (Reverse(rule.rank), *kind));
    kinds
}

/// Returns the kind of this name, and its rule.
///
/// # Errors
///
/// When the settings have no kind of this name.
pub fn known_kind(name: &str, policy: &Policy) -> Result<(TriggerKind, TriggerRule), InvalidField> {
    let kinds = &policy.triggers;
    let known = kinds.iter().find(|(kind, _)| kind.as_str() == name);
    let known = known.map(|(kind, rule)| (*kind, *rule));
    known.ok_or_else(|| {
        let names = kinds.keys().map(TriggerKind::as_str);
        InvalidField::unknown("kind", "trigger kind", name, names)
    })
}
