//! Mends what can be mended of what is damaged, beside running services.

use std::collections::BTreeMap;

use crate::damage::{Damage, StoredItem};
use crate::ports::{Repairs, StoreError};
use crate::repair::{Mended, Repair, RepairTerms, Unmendable};
use crate::revision::Revision;
use crate::shop::ShopId;

/// A damaged item, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The item.
    pub damage: Damage,
    /// How it was mended, or why it cannot be.
    pub result: Result<Mended, Unmendable>,
}

/// Looks for everything that is damaged, and mends what can be mended. Returns all of it, in the
/// order of the items, but for what can be read by the time that it is looked at again.
///
/// Outcomes go first: what is in force at shops is rebuilt from them.
///
/// # Errors
///
/// When the store cannot; what was mended before stays, and a repair may be repeated.
pub async fn repair(
    repairs: &dyn Repairs,
    terms: &RepairTerms,
) -> Result<Vec<Finding>, StoreError> {
    let damages = repairs.find().await?;
    let mut outcomes: BTreeMap<Revision, Vec<(u32, Damage)>> = BTreeMap::new();
    let (mut counts, mut states) = (Vec::new(), Vec::new());
    let mut findings = Vec::with_capacity(damages.len());
    for damage in damages {
        let why = match &damage.item {
            StoredItem::Outcomes(campaign, number) => {
                let (campaign, number) = (*campaign, *number);
                outcomes.entry(campaign).or_default().push((number, damage));
                continue;
            }
            StoredItem::Counts(campaign) => {
                counts.push((*campaign, damage));
                continue;
            }
            StoredItem::State(id) => match id.parse::<ShopId>() {
                Ok(id) => {
                    states.push((id, damage));
                    continue;
                }
                Err(_) => Unmendable::Id,
            },
            StoredItem::Profile(id) if id.parse::<ShopId>().is_err() => Unmendable::Id,
            StoredItem::Profile(_) => Unmendable::Profile,
            StoredItem::Campaign(_) => Unmendable::Campaign,
            StoredItem::List(campaign, _) => Unmendable::List(*campaign),
            StoredItem::Receipt(..) | StoredItem::ImportReceipt(..) => Unmendable::Receipt,
        };
        findings.push(Finding { damage, result: Err(why) });
    }
    for (campaign, chunks) in outcomes {
        let (numbers, damages): (Vec<u32>, Vec<Damage>) = chunks.into_iter().unzip();
        let repaired = repairs.mend_outcomes(campaign, &numbers, terms).await?;
        findings.extend(damages.into_iter().zip(repaired).filter_map(finding));
    }
    for (campaign, damage) in counts {
        let repair = repairs.mend_counts(campaign, terms).await?;
        findings.extend(finding((damage, repair)));
    }
    let (shops, damages): (Vec<ShopId>, Vec<Damage>) = states.into_iter().unzip();
    let repaired = repairs.mend_states(&shops, terms).await?;
    findings.extend(damages.into_iter().zip(repaired).filter_map(finding));
    findings.sort_by(|one, other| one.damage.cmp(&other.damage));
    Ok(findings)
}

fn finding((damage, repair): (Damage, Repair)) -> Option<Finding> {
    let result = match repair {
        Repair::Mended(how) => Ok(how),
        Repair::NotNeeded => return None,
        Repair::Impossible(why) => Err(why),
    };
    Some(Finding { damage, result })
}
