//! One page of a list.

use catchment_domain::Damage;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items of this page.
    pub items: Vec<T>,
    /// What this page leaves out because it cannot be read.
    pub damaged: Vec<Damage>,
    /// Where the next page begins. `None` says that this is the last page. A full page may be followed
    /// by an empty one.
    pub next: Option<C>,
}
