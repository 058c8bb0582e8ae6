//! Checks that the outcomes of campaigns agree with the receipts, and that nothing is in force at
//! shops that does not belong there.

use catchment_domain::Revision;
use catchment_domain::service::{self, Audit, AuditPorts};

use crate::UseCaseError;

/// Audits these campaigns, or all of them if none is named.
///
/// # Errors
///
/// When a named campaign does not exist, or the store fails.
pub async fn audit(ports: AuditPorts<'_>, campaigns: &[Revision]) -> Result<Audit, UseCaseError> {
    Ok(service::audit(ports, campaigns).await?)
}
