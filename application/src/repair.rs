//! Mends what is damaged, and names what cannot be mended.

use std::collections::BTreeSet;

use catchment_domain::ports::Repairs;
use catchment_domain::service::{self, Finding};
use catchment_domain::{Mended, RepairTerms, Revision};

use crate::UseCaseError;

/// What a repair did, or would do if it was a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairFindings {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What is damaged, and what became of it.
    pub findings: Vec<Finding>,
}

impl RepairFindings {
    /// Returns how many items were mended, and how many cannot be.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let mended = self.findings.iter().filter(|finding| finding.result.is_ok()).count();
        (mended as u64, (self.findings.len() - mended) as u64)
    }

    /// Returns whether nothing is damaged any more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let (mended, left) = self.counts();
        left == 0 && (mended == 0 || !self.dry_run)
    }

    /// Returns the campaigns that have something to send after they were mended.
    #[must_use]
    pub fn open_campaigns(&self) -> BTreeSet<Revision> {
        let open = self.findings.iter().filter(|finding| {
            matches!(
                finding.result,
                Ok(Mended::Outcomes { open } | Mended::Counts { open, .. }) if 0 < open
            )
        });
        open.filter_map(|finding| finding.damage.item.campaign()).collect()
    }
}

/// Looks for damage, and mends what can be mended.
///
/// # Errors
///
/// When the store fails. What was mended before stays, and a repair can be repeated.
pub async fn repair(
    repairs: &dyn Repairs,
    terms: &RepairTerms,
) -> Result<RepairFindings, UseCaseError> {
    let findings = service::repair(repairs, terms).await?;
    Ok(RepairFindings { dry_run: terms.dry_run, findings })
}
