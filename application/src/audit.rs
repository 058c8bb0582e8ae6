//! Checks that the outcomes of campaigns agree with the receipts, and that nothing is in force at
//! shops that does not belong there.

use std::collections::BTreeSet;

use catchment_domain::service::{self, AuditPorts, Difference, DifferenceKind, Stray, UnknownBase};
use catchment_domain::{Damage, Revision};

use crate::UseCaseError;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFindings {
    /// How many campaigns were audited.
    pub campaigns: u64,
    /// How many outcomes agree with what is stored elsewhere.
    pub agree: u64,
    /// How many outcomes cannot be checked, because no receipt that is kept says enough.
    pub unproved: u64,
    /// How many outcomes changed with each look.
    pub moved: u64,
    /// The outcomes that receipts contradict.
    pub wrong: Vec<Difference>,
    /// The outcomes that are answers to records which did not agree with their campaign.
    pub foreign: Vec<Difference>,
    /// The outcomes whose limits are not in force.
    pub missing: Vec<Difference>,
    /// The limits in force that no campaign will end.
    pub strays: Vec<Stray>,
    /// The base radii of revisions that were never given out.
    pub unknown_bases: Vec<UnknownBase>,
    /// What cannot be read.
    pub damaged: BTreeSet<Damage>,
}

impl AuditFindings {
    /// Returns whether nothing disagrees, as far as it can be read and checked.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        self.wrong.is_empty()
            && self.foreign.is_empty()
            && self.missing.is_empty()
            && self.strays.is_empty()
            && self.unknown_bases.is_empty()
    }
}

/// Audits these campaigns, or all of them if none is named.
///
/// # Errors
///
/// When a named campaign does not exist, or the store fails.
pub async fn audit(
    ports: AuditPorts<'_>,
    campaigns: &[Revision],
) -> Result<AuditFindings, UseCaseError> {
    let found = service::audit(ports, campaigns).await?;
    let mut findings = AuditFindings {
        campaigns: found.campaigns as u64,
        agree: found.agree,
        unproved: found.unproved,
        moved: found.moved,
        strays: found.strays,
        unknown_bases: found.unknown_bases,
        damaged: found.damaged,
        ..AuditFindings::default()
    };
    for difference in found.differences {
        let alike = match difference.kind {
            DifferenceKind::Wrong(_) => &mut findings.wrong,
            DifferenceKind::Foreign { .. } => &mut findings.foreign,
            DifferenceKind::Missing => &mut findings.missing,
        };
        alike.push(difference);
    }
    Ok(findings)
}
