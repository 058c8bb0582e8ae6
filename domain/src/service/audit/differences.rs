//! Outcomes that do not agree with what is stored elsewhere. Outcomes change while they are
//! compared, so each difference is looked at again before it is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::Bound::{Excluded, Unbounded};

use crate::campaign::Campaign;
use crate::chunk::Slot;
use crate::correlation::{Attempt, Phase};
use crate::damage::Found;
use crate::ports::{CampaignRepository, OutcomeFilter, ShopOutcome, ShopRepository, StoreError};
use crate::proof::{Proof, Verdict};
use crate::release::is_cause_missing;
use crate::revision::Revision;
use crate::scope::Scope;
use crate::service::ShopPages;
use crate::service::pages::OUTCOMES;
use crate::shop::{ShopId, ShopState};

use super::evidence::Evidence;
use super::{Audit, AuditPorts};

/// How often differences are looked at again while they change.
const LOOKS: usize = 3;

/// An outcome: its campaign, its phase, and the place of its shop in the campaign's list.
pub(super) type OutcomeKey = (Revision, Phase, u32);

/// An outcome that does not agree with what is stored elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The campaign.
    pub campaign: Revision,
    /// The phase.
    pub phase: Phase,
    /// The shop.
    pub shop: ShopId,
    /// The outcome.
    pub slot: Slot,
    /// How it does not agree.
    pub kind: DifferenceKind,
}

/// How an outcome does not agree with what is stored elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The receipts prove something else of the request.
    Wrong(Proof),
    /// It is the answer to a record that was no request of the campaign as it was stored then.
    Foreign {
        /// A retry asks for it again.
        may_be_retried: bool,
    },
    /// It is that of an activation, and the cause is not in force at the shop.
    Missing,
}

/// Looks again at outcomes that seemed to differ, and adds what became of them to an audit.
///
/// An outcome is judged if it is the same before and after everything else was read.
pub(super) async fn look_again(
    mut suspects: BTreeSet<OutcomeKey>,
    ports: AuditPorts<'_>,
    audit: &mut Audit,
) -> Result<(), StoreError> {
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            break;
        }
        let before = Look::read(&suspects, ports.campaigns).await?;
        let shops = before.shops(ports.shops).await?;
        // After the shops: a release and its receipt are stored together.
        let campaigns: Vec<Campaign> = before.campaigns.values().cloned().collect();
        let Found { found: evidence, .. } = Evidence::read(&campaigns, ports).await?;
        let after = Look::read(&suspects, ports.campaigns).await?;
        for key in mem::take(&mut suspects) {
            let Some((campaign, outcome)) = before.stable(key, &after) else {
                suspects.insert(key);
                continue;
            };
            let shop = shops.get(&outcome.shop);
            audit.judge((campaign, key.1), outcome, shop, &evidence);
        }
    }
    audit.moved = suspects.len() as u64;
    Ok(())
}

impl Audit {
    fn judge(
        &mut self,
        (campaign, phase): (&Campaign, Phase),
        outcome: &ShopOutcome,
        shop: Option<&ShopState>,
        evidence: &Evidence,
    ) {
        let revision = campaign.name.revision;
        let commands = evidence.commands(revision, &outcome.shop);
        let is_missing = phase == Phase::Activation
            && shop.is_some_and(|shop| is_cause_missing(campaign, outcome.slot, shop, commands));
        let kind = match evidence.judge(campaign, phase, outcome) {
            (proof, Verdict::Differs) => DifferenceKind::Wrong(proof),
            (_, Verdict::Foreign) => DifferenceKind::Foreign {
                may_be_retried: phase == Phase::Release || !campaign.state.is_ending_or_ended(),
            },
            (_, Verdict::Agrees | Verdict::Unproved) if is_missing => DifferenceKind::Missing,
            // It may have been opened again meanwhile.
            (_, Verdict::Agrees) => {
                self.agree += u64::from(matches!(outcome.slot, Slot::Closed(_)));
                return;
            }
            (_, Verdict::Unproved) => {
                self.unproved += 1;
                return;
            }
        };
        let (shop, slot) = (outcome.shop.clone(), outcome.slot);
        self.differences.push(Difference { campaign: revision, phase, shop, slot, kind });
    }
}

/// Some outcomes at one time, with their campaigns.
struct Look {
    campaigns: BTreeMap<Revision, Campaign>,
    outcomes: BTreeMap<OutcomeKey, ShopOutcome>,
}

impl Look {
    /// Reads outcomes; without those that cannot be read, or whose campaigns cannot be read.
    async fn read(
        keys: &BTreeSet<OutcomeKey>,
        stored: &dyn CampaignRepository,
    ) -> Result<Self, StoreError> {
        let mut look = Self { campaigns: BTreeMap::new(), outcomes: BTreeMap::new() };
        for revision in keys.iter().map(|(revision, ..)| *revision).collect::<BTreeSet<_>>() {
            match stored.get(revision).await {
                Ok(campaign) => look.campaigns.extend(campaign.map(|found| (revision, found))),
                Err(StoreError::BadData { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut next = keys.first().copied();
        while let Some((revision, phase, from)) = next {
            let filter = OutcomeFilter { phase, status: None };
            let last = keys.range(..=(revision, phase, u32::MAX)).next_back();
            let most = last.map_or(0, |(.., last)| last.saturating_sub(from)) as usize + 1;
            let page = stored.outcomes(revision, filter, from, most.min(OUTCOMES)).await?.found;
            let read_to = page.last().map_or(u32::MAX, |outcome| outcome.index);
            let of_page =
                page.into_iter().map(|outcome| ((revision, phase, outcome.index), outcome));
            look.outcomes.extend(of_page.filter(|(key, _)| keys.contains(key)));
            let behind = (revision, phase, read_to);
            next = keys.range((Excluded(behind), Unbounded)).next().copied();
        }
        Ok(look)
    }

    /// What is in force at the shops whose activations took effect by these outcomes, as far as it
    /// can be read.
    async fn shops(
        &self,
        stored: &dyn ShopRepository,
    ) -> Result<HashMap<ShopId, ShopState>, StoreError> {
        let took_effect = |(key, outcome): &(&OutcomeKey, &ShopOutcome)| {
            key.1 == Phase::Activation && outcome.slot.took_effect()
        };
        let ids = self.outcomes.iter().filter(took_effect).map(|(_, outcome)| outcome.shop.clone());
        let scope = Scope { ids: Some(ids.collect()), ..Scope::everything() };
        let (mut pages, mut shops) = (ShopPages::new(stored, scope, usize::MAX), HashMap::new());
        while let Some(page) = pages.next().await? {
            shops.extend(page.into_iter().map(|shop| (shop.id, shop.state)));
        }
        Ok(shops)
    }

    /// An outcome that did not change until a later look, and its campaign.
    fn stable(&self, key: OutcomeKey, later: &Self) -> Option<(&Campaign, &ShopOutcome)> {
        let of_key = |look: &Self| -> Option<(Attempt, bool, Option<Revision>, Slot)> {
            let Campaign { attempt, state, replaced_by, .. } = look.campaigns.get(&key.0)?;
            let slot = look.outcomes.get(&key)?.slot;
            Some((*attempt, state.is_ending_or_ended(), *replaced_by, slot))
        };
        if of_key(self)? != of_key(later)? {
            return None;
        }
        self.campaigns.get(&key.0).zip(self.outcomes.get(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::CampaignState;
    use crate::outcome::Status;

    fn look(change: impl FnOnce(&mut Campaign, &mut Slot)) -> Look {
        let mut campaign = Campaign::sample(7, 1);
        let mut slot = Slot::Closed(Status::Rejected);
        change(&mut campaign, &mut slot);
        let shop = "a".parse().unwrap();
        let outcome = ShopOutcome { index: 0, shop, slot, code: None, message: None };
        Look { campaigns: [(Revision(7), campaign)].into(), outcomes: [(KEY, outcome)].into() }
    }

    const KEY: OutcomeKey = (Revision(7), Phase::Activation, 0);

    #[test]
    fn an_outcome_that_changes_between_two_looks_is_not_judged() {
        let before = look(|_, _| {});
        assert!(before.stable(KEY, &look(|_, _| {})).is_some());
        // Other shops of the campaign go on.
        let open = CampaignState::Sending { open: 9 };
        assert!(before.stable(KEY, &look(|campaign, _| campaign.state = open)).is_some());
        for after in [
            look(|_, slot| *slot = Slot::Closed(Status::Applied)),
            look(|_, slot| *slot = Slot::Open),
            // It was asked for again, and has the same outcome again.
            look(|campaign, _| campaign.attempt = Attempt(2)),
            look(|campaign, _| campaign.state = CampaignState::Ended),
            look(|campaign, _| campaign.replaced_by = Some(Revision(8))),
        ] {
            assert!(before.stable(KEY, &after).is_none());
        }
    }
}
