//! Checks what a scope names against the shops that there are.

use std::collections::BTreeSet;

use catchment_domain::ports::{ShopRepository, StoreError};
use catchment_domain::{Scope, ShopId};

use crate::{InvalidField, UseCaseError};

/// How many ids are looked up at a time.
const PROBED: usize = 1_000;

/// A scope whose regions and categories exist, and of whose ids at least one is a shop's.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedScope(Scope);

impl ResolvedScope {
    /// Every shop there is.
    #[must_use]
    pub fn everything() -> Self {
        Self(Scope::everything())
    }

    /// The scope itself.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.0
    }
}

impl From<ResolvedScope> for Scope {
    fn from(resolved: ResolvedScope) -> Self {
        resolved.0
    }
}

/// Checks that the regions and categories of a scope exist, and that one of its ids is a shop's: a
/// list without any shop is hardly the intended list.
///
/// # Errors
///
/// When a region or a category does not exist, or no id is a shop's.
pub async fn resolve_scope(
    shops: &dyn ShopRepository,
    scope: Scope,
) -> Result<ResolvedScope, UseCaseError> {
    if !scope.regions.is_empty() {
        let known = shops.regions().await?;
        check_known(("regions", "region"), &scope.regions, &known)?;
    }
    if !scope.categories.is_empty() {
        let known = shops.categories().await?;
        check_known(("categories", "category"), &scope.categories, &known)?;
    }
    if let Some(ids) = &scope.ids
        && !has_shop(shops, ids).await?
    {
        return Err(InvalidField::new("ids", "`ids` has no id of a shop").into());
    }
    Ok(ResolvedScope(scope))
}

/// Checks a field, which holds names of such things.
fn check_known(
    (field, what): (&'static str, &str),
    names: &BTreeSet<String>,
    known: &[String],
) -> Result<(), InvalidField> {
    let unknown = names.iter().find(|name| !known.contains(name));
    unknown.map_or(Ok(()), |name| {
        Err(InvalidField::unknown(field, what, name, known.iter().map(String::as_str)))
    })
}

/// Returns whether one of these ids is a shop's.
///
/// # Errors
///
/// When the shops cannot be read.
pub async fn has_shop(
    shops: &dyn ShopRepository,
    ids: &BTreeSet<ShopId>,
) -> Result<bool, StoreError> {
    // Most lists have a shop among their first ids.
    let mut ids = ids.iter().peekable();
    while ids.peek().is_some() {
        let some = ids.by_ref().take(PROBED).cloned().collect();
        let scope = Scope { ids: Some(some), ..Scope::everything() };
        if 0 < shops.count(&scope).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
