//! The damaged items that a report leaves out.

use std::collections::BTreeSet;

use catchment_domain::{Damage, StoredItem};

use crate::ending::{Ending, complain};

/// The most items that are named.
const NAMED: usize = 20;

/// The damaged items, without repeats.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOut(BTreeSet<Damage>);

impl LeftOut {
    /// Adds the damaged items of one page.
    pub(crate) fn add(&mut self, damaged: Vec<Damage>) {
        self.0.extend(damaged);
    }

    /// Names the items, and returns how a command ends that did everything else.
    pub(crate) fn conclude(&self) -> Ending {
        for damage in self.0.iter().take(NAMED) {
            complain(&format!("left out: {damage}"));
        }
        if self.0.is_empty() {
            return Ending::Done;
        }
        let more = self.0.len().saturating_sub(NAMED);
        if 0 < more {
            complain(&format!("left out: {more} more"));
        }
        let is_receipt = |item: &StoredItem| {
            matches!(item, StoredItem::Receipt(..) | StoredItem::ImportReceipt(..))
        };
        if self.0.iter().any(|damage| is_receipt(&damage.item)) {
            complain(
                "a receipt that cannot be read goes by itself once it is older than \
                 `database.receipts_kept`",
            );
        }
        if self.0.iter().any(|damage| !is_receipt(&damage.item)) {
            complain("`catchment repair` mends what can be mended");
        }
        Ending::Incomplete
    }
}

impl<T: IntoIterator<Item = Damage>> From<T> for LeftOut {
    fn from(damaged: T) -> Self {
        Self(damaged.into_iter().collect())
    }
}
