//! Bringing shops in from a file: one lane at a time, because a lane's shops have one writer at a
//! time.

use crate::cause::CauseName;
use crate::lane::{Lane, Lanes};
use crate::outcome::Standing;
use crate::precedence::DecidedBy;
use crate::radius::Radius;
use crate::revision::Revision;
use crate::shop::{Profile, ShopId, ShopState};
use crate::time::Timestamp;

/// A row of a file of shops.
#[derive(Clone, Debug, PartialEq)]
pub struct ShopImport {
    /// Its id.
    pub id: ShopId,
    /// What it is.
    pub profile: Profile,
    /// Its base radius, where the file names one.
    pub base: Option<Radius>,
}

/// The rules of one import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportTerms {
    /// Which base radii are newer than those of the import.
    pub order: ImportOrder,
    /// The base radius of a new shop for which the file names none.
    pub default_base: Radius,
    /// No cause but a closing one narrows a shop below this.
    pub floor: Radius,
}

/// Where an import stands among the other changes of base radii.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOrder {
    /// At this revision, which the import took when it began. Shops keep base radii of higher
    /// revisions.
    Taken(Revision),
    /// After every revision that was given out: the transaction that stores a batch takes a new
    /// revision for it. So the batch replaces every base radius, and a late copy of a request that
    /// set one is superseded.
    Overruling,
}

/// Shops of one lane that are brought in together, all or none.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportBatch {
    lane: Lane,
    /// In id order, each id once.
    rows: Vec<ShopImport>,
}

impl ImportBatch {
    /// The most shops of a batch. So few, because the lane's owner waits for the transaction.
    pub const MAX_SHOPS: usize = 500;

    /// Divides rows into batches, in the order of lanes and ids. Of rows with one id the first
    /// counts.
    #[must_use]
    pub fn split(mut rows: Vec<ShopImport>, lanes: Lanes) -> Vec<Self> {
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        rows.dedup_by(|later, first| later.id == first.id);
        let mut by_lane: Vec<(Lane, ShopImport)> =
            rows.into_iter().map(|row| (lanes.lane_of(&row.id), row)).collect();
        by_lane.sort_by_key(|(lane, _)| *lane);
        let mut batches: Vec<Self> = Vec::new();
        for (lane, row) in by_lane {
            match batches.last_mut() {
                Some(batch) if batch.lane == lane && batch.rows.len() < Self::MAX_SHOPS => {
                    batch.rows.push(row);
                }
                _ => batches.push(Self { lane, rows: vec![row] }),
            }
        }
        batches
    }

    /// The same rows in two batches; `None` where there is one row.
    #[must_use]
    pub fn halves(&self) -> Option<[Self; 2]> {
        if self.rows.len() < 2 {
            return None;
        }
        let (first, second) = self.rows.split_at(self.rows.len() / 2);
        Some([first, second].map(|rows| Self { lane: self.lane, rows: rows.to_vec() }))
    }

    /// The lane of its shops.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// The rows, in id order.
    #[must_use]
    pub fn rows(&self) -> &[ShopImport] {
        &self.rows
    }

    /// Imports the rows. `known` has the state of each shop, in the order of the rows, or `None`
    /// if the shop does not exist. `revision` is the revision of the batch, by its
    /// [`ImportOrder`]. Returns the new state of each shop, and its entry in the receipt.
    ///
    /// 1. A new shop gets the base radius of its row, or the default base radius.
    /// 2. A known shop keeps its causes. It takes over the base radius of its row, unless its own
    ///    base radius has a higher revision and the import does not overrule it. Then its radius
    ///    is resolved again.
    /// 3. A base radius that is taken over gets the batch's revision, even if the old base radius
    ///    had a higher revision.
    /// 4. The receipt names each newer base radius that a shop kept.
    #[must_use]
    pub fn apply(
        &self,
        known: Vec<Option<ShopState>>,
        terms: ImportTerms,
        revision: Revision,
    ) -> Vec<(ShopState, ImportEntry)> {
        let import = |(row, known): (&ShopImport, Option<ShopState>)| {
            let shop = row.id.clone();
            let Some(mut state) = known else {
                let base = row.base.unwrap_or(terms.default_base);
                let state = ShopState::new(base, revision);
                let (after, version) = (state.radius, state.version);
                let standing =
                    Standing { before: None, after, decided_by: DecidedBy::Base, version };
                return (state, ImportEntry { shop, standing, remark: None });
            };
            let present = state.base.revision;
            let is_newer = match terms.order {
                ImportOrder::Taken(_) => revision < present,
                ImportOrder::Overruling => false,
            };
            let remark = row.base.filter(|_| is_newer).map(|_| ImportRemark::NewerBase(present));
            let base = row.base.filter(|_| !is_newer);
            let standing = state.import(base, revision, terms.floor);
            (state, ImportEntry { shop, standing, remark })
        };
        self.rows.iter().zip(known).map(import).collect()
    }
}

/// Which import of a lane: they are counted from 1, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportNumber(pub u64);

/// What one batch of an import did. The store keeps it for the history of its shops. A repair of
/// shops and a release by command leave such a receipt, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReceipt {
    /// The lane of its shops.
    pub lane: Lane,
    /// Which import of the lane it was.
    pub number: ImportNumber,
    /// The revision of the batch, of the repair or of the release.
    pub revision: Revision,
    /// When it was stored.
    pub at: Timestamp,
    /// What became of each shop, in id order.
    pub entries: Vec<ImportEntry>,
}

impl ImportReceipt {
    /// How many shops were new, and how many were there.
    #[must_use]
    pub fn counts(&self) -> Imported {
        let added = self.entries.iter().filter(|entry| entry.standing.before.is_none()).count();
        let updated = self.entries.len() - added;
        Imported { added: added as u64, updated: updated as u64 }
    }
}

/// What an import did to one shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportEntry {
    /// The shop.
    pub shop: ShopId,
    /// How it was left. A shop that was new has no radius before.
    pub standing: Standing,
    /// What else the receipt says about the shop.
    pub remark: Option<ImportRemark>,
}

/// What a receipt of an import says about a shop besides its standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRemark {
    /// The file names a base radius, but the shop kept its own, which has this higher revision.
    NewerBase(Revision),
    /// This is not the receipt of a file: a command released this cause.
    Released(CauseName),
}

/// How many shops were brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Shops that were new.
    pub added: u64,
    /// Shops that were there.
    pub updated: u64,
}

impl std::ops::AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.updated += other.updated;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use crate::shop::Location;

    use super::*;

    fn row(id: &str, base: Option<u32>) -> ShopImport {
        let location = Location::new(0.0, 0.0).unwrap();
        let (name, category, region) = (String::new(), String::new(), String::new());
        ShopImport {
            id: id.parse().unwrap(),
            profile: Profile { name, category, region, location },
            base: base.map(metres),
        }
    }

    fn metres(metres: u32) -> Radius {
        metres.try_into().unwrap()
    }

    fn terms(order: ImportOrder) -> ImportTerms {
        ImportTerms { order, default_base: metres(4_000), floor: metres(500) }
    }

    const TAKEN: ImportOrder = ImportOrder::Taken(Revision(2));

    #[test]
    fn a_batch_holds_shops_of_one_lane_in_order_and_each_once() {
        let lanes = Lanes(NonZeroU16::new(3).unwrap());
        let rows: Vec<ShopImport> = (0..4_000)
            .map(|number| row(&format!("shop-{}", number * 7 % 3_000), Some(number)))
            .collect();
        let batches = ImportBatch::split(rows, lanes);
        let keys: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.rows().iter().map(|row| (batch.lane(), row.id.clone())))
            .collect();
        assert_eq!(keys.len(), 3_000);
        assert!(keys.is_sorted_by(|one, other| one < other));
        assert!(keys.iter().all(|(lane, id)| lanes.lane_of(id) == *lane));
        assert!(batches.iter().all(|batch| batch.rows().len() <= ImportBatch::MAX_SHOPS));
        assert!(batches.len() <= 3 + 3_000 / ImportBatch::MAX_SHOPS);
        // 3,000 x 7 comes back to shop-0.
        let mut rows = batches.iter().flat_map(ImportBatch::rows);
        let first = rows.find(|row| row.id.as_str() == "shop-0");
        assert_eq!(first.and_then(|row| row.base), Some(metres(0)));
    }

    #[test]
    fn a_receipt_says_how_each_shop_was_left() {
        let lanes = Lanes(NonZeroU16::MIN);
        let rows = vec![row("a", None), row("b", Some(3_000)), row("c", None)];
        let known = vec![Some(ShopState::new(metres(5_000), Revision(1))); 2];
        let known = known.into_iter().chain([None]).collect();
        let [batch] = <[_; 1]>::try_from(ImportBatch::split(rows, lanes)).unwrap();
        let left: Vec<_> = batch
            .apply(known, terms(TAKEN), Revision(2))
            .into_iter()
            .map(|(state, ImportEntry { standing, remark, .. })| {
                assert_eq!((state.radius, state.version), (standing.after, standing.version));
                assert_eq!(remark, None);
                assert_eq!(standing.decided_by, DecidedBy::Base);
                (standing.before.map(Radius::metres), standing.after.metres(), standing.version)
            })
            .collect();
        assert_eq!(left, [(Some(5_000), 5_000, 2), (Some(5_000), 3_000, 2), (None, 4_000, 1)]);
    }

    #[test]
    fn a_newer_base_radius_stands_and_is_named_unless_it_is_overruled() {
        let newer = Some(ImportRemark::NewerBase(Revision(7)));
        let taken = |revision| ImportOrder::Taken(Revision(revision));
        let overruling = ImportOrder::Overruling;
        for (named, revision, order, base, remark) in [
            (Some(3_000), 6, taken(6), (5_000, 7), newer),
            (Some(3_000), 7, taken(7), (3_000, 7), None),
            (Some(3_000), 8, taken(8), (3_000, 8), None),
            (None, 6, taken(6), (5_000, 7), None),
            (Some(3_000), 8, overruling, (3_000, 8), None),
            // Revision 7 was never given out.
            (Some(3_000), 6, overruling, (3_000, 6), None),
            (None, 8, overruling, (5_000, 7), None),
        ] {
            let batches = ImportBatch::split(vec![row("a", named)], Lanes(NonZeroU16::MIN));
            let known = vec![Some(ShopState::new(metres(5_000), Revision(7)))];
            let applied = batches[0].apply(known, terms(order), Revision(revision)).pop();
            let (state, entry) = applied.unwrap();
            let found = (state.base.radius.metres(), state.base.revision.0);
            assert_eq!((found, entry.remark), (base, remark), "{named:?} {revision} {order:?}");
            assert_eq!((state.radius, state.version), (state.base.radius, 2));
        }
    }
}
