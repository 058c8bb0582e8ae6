//! What all receipts prove of the requests of campaigns, and which causes commands released.

use std::collections::HashMap;

use crate::batch::Receipt;
use crate::campaign::Campaign;
use crate::cause::CauseName;
use crate::correlation::{Nonce, Phase, Ticket};
use crate::damage::Found;
use crate::import::{ImportReceipt, ImportRemark};
use crate::ports::{ShopLedger, ShopOutcome, ShopRepository, StoreError};
use crate::proof::{CauseEnds, Proof, Verdict};
use crate::revision::Revision;
use crate::shop::{ShopFingerprint, ShopId};

use super::AuditPorts;

/// What the receipts that are kept tell of campaigns.
#[derive(Debug)]
pub(super) struct Evidence {
    proofs: Proofs,
    released: Releases,
}

impl Evidence {
    /// Reads all receipts that are kept.
    pub(super) async fn read(
        campaigns: &[Campaign],
        ports: AuditPorts<'_>,
    ) -> Result<Found<Self>, StoreError> {
        let Found { found: proofs, mut damaged } = Proofs::read(campaigns, ports.ledger).await?;
        let released = read_releases(ports.shops).await?;
        damaged.extend(released.damaged);
        Ok(Found { found: Self { proofs, released: released.found }, damaged })
    }

    /// How often a command released a campaign at a shop.
    pub(super) fn commands(&self, campaign: Revision, shop: &ShopId) -> u32 {
        self.released.get(&(campaign, shop.clone())).copied().unwrap_or_default()
    }

    /// Judges an outcome of a phase of a campaign. Returns what is proved of its request, too.
    pub(super) fn judge(
        &self,
        campaign: &Campaign,
        phase: Phase,
        outcome: &ShopOutcome,
    ) -> (Proof, Verdict) {
        let revision = campaign.name.revision;
        let proof = self.proofs.of((revision, phase), (outcome.index, &outcome.shop));
        let (is_over, commands) =
            (campaign.over().is_some(), self.commands(revision, &outcome.shop));
        (proof, proof.judge(phase, outcome.slot, CauseEnds { is_over, commands }))
    }
}

/// How often commands released campaigns at shops.
type Releases = HashMap<(Revision, ShopId), u32>;

/// Reads which causes of campaigns commands released.
async fn read_releases(shops: &dyn ShopRepository) -> Result<Found<Releases>, StoreError> {
    let (mut found, mut damaged) = (Releases::new(), Vec::new());
    let mut visit = |receipt: ImportReceipt| {
        for entry in receipt.entries {
            if let Some(ImportRemark::Released(CauseName::Campaign(campaign))) = entry.remark {
                *found.entry((campaign, entry.shop)).or_default() += 1;
            }
        }
    };
    for lane in shops.lanes().iter() {
        damaged.extend(shops.visit_import_receipts(lane, &mut visit).await?);
    }
    Ok(Found { found, damaged })
}

/// What receipts prove, by campaign and phase.
#[derive(Debug)]
struct Proofs(HashMap<(Revision, Phase), PhaseProofs>);

#[derive(Debug)]
struct PhaseProofs {
    nonce: Nonce,
    /// By place in the campaign's list, and shop. A place has several shops if somebody copied a
    /// request.
    shops: HashMap<(u32, ShopFingerprint), Proof>,
}

impl Proofs {
    async fn read(
        campaigns: &[Campaign],
        ledger: &dyn ShopLedger,
    ) -> Result<Found<Self>, StoreError> {
        let mut proofs = HashMap::new();
        for campaign in campaigns {
            for phase in [Phase::Activation, Phase::Release] {
                let empty = PhaseProofs { nonce: campaign.nonce, shops: HashMap::new() };
                proofs.insert((campaign.name.revision, phase), empty);
            }
        }
        let mut proofs = Self(proofs);
        let damaged = ledger.visit_receipts(&mut |_, receipt| proofs.add(receipt)).await?;
        Ok(Found { found: proofs, damaged })
    }

    fn add(&mut self, receipt: Receipt) {
        for entry in receipt.entries {
            let (Some(ticket), Some(shop)) = (Ticket::read(entry.id), entry.shop) else { continue };
            let proofs = self.0.get_mut(&(ticket.revision, ticket.phase));
            if let Some(proofs) = proofs.filter(|proofs| proofs.nonce == ticket.nonce) {
                let proof = proofs.shops.entry((ticket.index, shop)).or_default();
                proof.add(ticket.phase, &entry.outcome);
            }
        }
    }

    /// What is proved of a phase of a campaign at the shop that stands at a place of its list.
    fn of(&self, (campaign, phase): (Revision, Phase), (index, shop): (u32, &ShopId)) -> Proof {
        let proofs = self.0.get(&(campaign, phase));
        let proof = proofs.and_then(|it| it.shops.get(&(index, ShopFingerprint::of(shop))));
        proof.copied().unwrap_or_default()
    }
}
