//! Damage: what is stored and cannot be read. One damaged item is left out and named, and the
//! rest goes on.

use std::fmt;

use crate::import::ImportNumber;
use crate::lane::{Lane, Position};
use crate::revision::Revision;

/// What was found, without what is damaged of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found<T> {
    /// What can be read.
    pub found: T,
    /// What cannot.
    pub damaged: Vec<Damage>,
}

impl<T> Found<T> {
    /// Nothing of it is damaged.
    #[must_use]
    pub const fn whole(found: T) -> Self {
        Self { found, damaged: Vec::new() }
    }
}

impl<T> Found<Vec<T>> {
    /// Takes items until `limit` of them could be read. Damage behind the last one belongs to the
    /// next page.
    #[must_use]
    pub fn page(items: impl IntoIterator<Item = Result<T, Damage>>, limit: usize) -> Self {
        let (mut page, mut items) = (Self::default(), items.into_iter());
        while page.found.len() < limit
            && let Some(item) = items.next()
        {
            page.push(item);
        }
        page
    }

    /// Adds an item, or what is damaged of it.
    pub fn push(&mut self, item: Result<T, Damage>) {
        match item {
            Ok(item) => self.found.push(item),
            Err(damage) => self.damaged.push(damage),
        }
    }
}

impl<T> FromIterator<Result<T, Damage>> for Found<Vec<T>> {
    fn from_iter<I: IntoIterator<Item = Result<T, Damage>>>(items: I) -> Self {
        Self::page(items, usize::MAX)
    }
}

/// A stored item that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Damage {
    /// Which item.
    pub item: StoredItem,
    /// Where it is stored and what is wrong with it, in the store's words.
    pub what: String,
}

impl Damage {
    /// The damage of an item whose row is gone.
    #[must_use]
    pub fn no_row(item: StoredItem) -> Self {
        Self { what: format!("{item}: there is no row"), item }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What is stored, read and damaged as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredItem {
    /// A campaign without its chunks.
    Campaign(Revision),
    /// The counts of a campaign, which can be read, and do not fit its chunks.
    Counts(Revision),
    /// The shops of one chunk of a campaign.
    List(Revision, u32),
    /// The outcomes of one chunk of a campaign.
    Outcomes(Revision, u32),
    /// What a shop is. Named as text, because the id may be what is damaged.
    Profile(String),
    /// What is in force at a shop.
    State(String),
    /// The receipt of a batch: its lane, and the position where it begins.
    Receipt(Lane, Position),
    /// The receipt of an import, a repair or a release by command: its lane and its number.
    ImportReceipt(Lane, ImportNumber),
}

impl StoredItem {
    /// The campaign that it belongs to.
    #[must_use]
    pub const fn campaign(&self) -> Option<Revision> {
        match self {
            Self::Campaign(revision)
            | Self::Counts(revision)
            | Self::List(revision, _)
            | Self::Outcomes(revision, _) => Some(*revision),
            Self::Profile(_) | Self::State(_) | Self::Receipt(..) | Self::ImportReceipt(..) => None,
        }
    }

    /// The chunk that it belongs to.
    #[must_use]
    pub const fn chunk(&self) -> Option<(Revision, u32)> {
        match self {
            Self::List(revision, number) | Self::Outcomes(revision, number) => {
                Some((*revision, *number))
            }
            Self::Campaign(_)
            | Self::Counts(_)
            | Self::Profile(_)
            | Self::State(_)
            | Self::Receipt(..)
            | Self::ImportReceipt(..) => None,
        }
    }
}

impl fmt::Display for StoredItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(revision) => write!(f, "campaign {revision}"),
            Self::Counts(revision) => write!(f, "campaign {revision}, counts"),
            Self::List(revision, chunk) => write!(f, "campaign {revision}, shops of chunk {chunk}"),
            Self::Outcomes(revision, chunk) => {
                write!(f, "campaign {revision}, outcomes of chunk {chunk}")
            }
            Self::Profile(shop) => write!(f, "shop {shop}"),
            Self::State(shop) => write!(f, "state of shop {shop}"),
            Self::Receipt(lane, from) => write!(f, "receipt of lane {lane} from position {from}"),
            Self::ImportReceipt(lane, number) => {
                write!(f, "receipt of import {} of lane {lane}", number.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_the_last_item_that_can_be_read() {
        let damage = |number| Damage::no_row(StoredItem::Campaign(Revision(number)));
        let items = [Ok(1), Err(damage(2)), Ok(3), Err(damage(4)), Ok(5)];
        for (limit, found, damaged) in [
            (0, &[][..], &[][..]),
            (1, &[1], &[]),
            (2, &[1, 3], &[2]),
            (3, &[1, 3, 5], &[2, 4]),
            (9, &[1, 3, 5], &[2, 4]),
        ] {
            let damaged = damaged.iter().copied().map(damage).collect();
            let expected = Found { found: found.to_vec(), damaged };
            assert_eq!(Found::page(items.clone(), limit), expected, "{limit}");
        }
        let all: Found<Vec<i32>> = items.clone().into_iter().collect();
        assert_eq!(all, Found::page(items, 3));
    }
}
