//! What all receipts prove of the requests of campaigns.

use std::collections::HashMap;

use catchment_domain::{
    Campaign, Damage, Nonce, Phase, Proof, Receipt, Revision, ShopFingerprint, ShopId, Ticket,
};

use crate::commands::Context;

/// What receipts prove, by campaign and phase.
#[derive(Debug)]
pub(super) struct Proofs(HashMap<(Revision, Phase), PhaseProofs>);

#[derive(Debug)]
struct PhaseProofs {
    nonce: Nonce,
    /// By place in the campaign's list, of the shop that the first receipt of that place names.
    places: Vec<Named>,
    /// Of other shops at a place: somebody copied a request.
    copies: HashMap<(usize, ShopFingerprint), Proof>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Named {
    shop: Option<ShopFingerprint>,
    proof: Proof,
}

impl Proofs {
    /// Reads all receipts that are kept. Returns what is damaged of them, too.
    pub(super) async fn read(
        campaigns: &[Campaign],
        context: &Context,
    ) -> anyhow::Result<(Self, Vec<Damage>)> {
        let mut proofs = HashMap::new();
        for campaign in campaigns {
            for phase in [Phase::Activation, Phase::Release] {
                let places = vec![Named::default(); campaign.shops as usize];
                let empty = PhaseProofs { nonce: campaign.nonce, places, copies: HashMap::new() };
                proofs.insert((campaign.name.revision, phase), empty);
            }
        }
        let mut proofs = Self(proofs);
        let damaged = context.stores.visit_receipts(|_, receipt| proofs.add(receipt)).await?;
        Ok((proofs, damaged))
    }

    fn add(&mut self, receipt: Receipt) {
        for entry in receipt.entries {
            let (Some(ticket), Some(shop)) = (Ticket::read(entry.id), entry.shop) else { continue };
            let proofs = self.0.get_mut(&(ticket.revision, ticket.phase));
            let proofs = proofs.filter(|proofs| proofs.nonce == ticket.nonce);
            let proof = proofs.and_then(|proofs| proofs.at(ticket.index as usize, shop));
            if let Some(proof) = proof {
                proof.add(ticket.phase, &entry.outcome);
            }
        }
    }

    /// What is proved of a phase of a campaign at the shop that stands at a place of its list.
    pub(super) fn of(
        &self,
        (campaign, phase): (Revision, Phase),
        (index, shop): (u32, &ShopId),
    ) -> Proof {
        let Some(proofs) = self.0.get(&(campaign, phase)) else { return Proof::default() };
        let (index, shop) = (index as usize, ShopFingerprint::of(shop));
        match proofs.places.get(index) {
            Some(Named { shop: named, proof }) if *named == Some(shop) => *proof,
            _ => proofs.copies.get(&(index, shop)).copied().unwrap_or_default(),
        }
    }
}

impl PhaseProofs {
    fn at(&mut self, index: usize, shop: ShopFingerprint) -> Option<&mut Proof> {
        let Named { shop: named, proof } = self.places.get_mut(index)?;
        if *named.get_or_insert(shop) == shop {
            Some(proof)
        } else {
            Some(self.copies.entry((index, shop)).or_default())
        }
    }
}
