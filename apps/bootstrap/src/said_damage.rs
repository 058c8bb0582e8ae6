//! Logs what is damaged in the database, once for each item.

use std::collections::BTreeSet;

use catchment_domain::Damage;

/// The damage that was logged and still exists.
#[derive(Debug, Default)]
pub struct SaidDamage(BTreeSet<Damage>);

impl SaidDamage {
    /// Compares the present damage with the logged damage. Logs new damage, and items that can be
    /// read again.
    pub fn note<'a>(&mut self, damaged: impl Iterator<Item = &'a Damage>) {
        let damaged: BTreeSet<&Damage> = damaged.collect();
        self.0.retain(|said| {
            let is_still = damaged.contains(said);
            if !is_still {
                tracing::info!(item = %said.item, "can be read again, or is not needed any more");
            }
            is_still
        });
        for damage in damaged {
            if self.0.insert(damage.clone()) {
                let (item, what) = (&damage.item, &damage.what);
                tracing::error!(%item, what, "left out, going on; `catchment repair` may mend it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Revision, StoredItem};

    use super::*;

    #[test]
    fn an_item_is_said_once_while_it_is_damaged() {
        let mut said = SaidDamage::default();
        let damage = |number| {
            let item = StoredItem::Outcomes(Revision(5), number);
            Damage { item, what: format!("chunk {number}") }
        };
        let (one, two) = (damage(1), damage(2));
        said.note([&one, &two, &one].into_iter());
        assert_eq!(said.0.len(), 2);
        said.note([&two].into_iter());
        assert_eq!(said.0.iter().collect::<Vec<_>>(), [&two]);
        said.note(std::iter::empty());
        assert!(said.0.is_empty());
    }
}
