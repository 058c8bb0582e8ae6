//! One page of a list.

use catchment_domain::Damage;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items of this page.
    pub items: Vec<T>,
    /// What this page leaves out because it cannot be read.
    pub damaged: Vec<Damage>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<C>,
}
