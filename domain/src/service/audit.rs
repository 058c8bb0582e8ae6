//! Whether the outcomes of campaigns agree with the receipts, and whether what is in force at
//! shops belongs there.

mod differences;
mod evidence;
mod in_force;

use std::collections::BTreeSet;
use std::mem;

use crate::campaign::{Campaign, CampaignError};
use crate::chunk::Slot;
use crate::correlation::Phase;
use crate::damage::{Damage, Found};
use crate::ports::{
    CampaignRepository, CommandError, OutcomeFilter, ShopLedger, ShopOutcome, ShopRepository,
    StoreError,
};
use crate::proof::Verdict;
use crate::revision::Revision;
use crate::service::{CampaignPages, OutcomePages};

use self::differences::OutcomeKey;
use self::evidence::Evidence;
use self::in_force::InForce;

pub use self::differences::{Difference, DifferenceKind};
pub use self::in_force::{Stray, UnknownBase};

/// What an audit reads.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct AuditPorts<'a> {
    /// The shops, and what imports and commands did to them.
    pub shops: &'a dyn ShopRepository,
    /// The campaigns and their outcomes.
    pub campaigns: &'a dyn CampaignRepository,
    /// The receipts of batches.
    pub ledger: &'a dyn ShopLedger,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many campaigns were audited.
    pub campaigns: usize,
    /// How many outcomes agree with what is stored elsewhere.
    pub agree: u64,
    /// How many outcomes cannot be checked: no receipt that is kept says enough.
    pub unproved: u64,
    /// How many outcomes changed with each look.
    pub moved: u64,
    /// The outcomes that do not agree with what is stored elsewhere.
    pub differences: Vec<Difference>,
    /// The causes in force that no campaign will release by itself.
    pub strays: Vec<Stray>,
    /// The base radii of revisions that were never given out. Only an audit of all campaigns
    /// looks for them.
    pub unknown_bases: Vec<UnknownBase>,
    /// What could not be read.
    pub damaged: BTreeSet<Damage>,
}

impl Audit {
    /// Whether nothing disagrees, as far as it can be read and checked.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        self.differences.is_empty() && self.strays.is_empty() && self.unknown_bases.is_empty()
    }

    /// The outcomes that receipts contradict.
    #[must_use]
    pub fn wrong(&self) -> Vec<&Difference> {
        self.different(|kind| matches!(kind, DifferenceKind::Wrong(_)))
    }

    /// The outcomes that are answers to records which did not agree with their campaign.
    #[must_use]
    pub fn foreign(&self) -> Vec<&Difference> {
        self.different(|kind| matches!(kind, DifferenceKind::Foreign { .. }))
    }

    /// The outcomes whose limits are not in force.
    #[must_use]
    pub fn missing(&self) -> Vec<&Difference> {
        self.different(|kind| matches!(kind, DifferenceKind::Missing))
    }

    fn different(&self, is: fn(DifferenceKind) -> bool) -> Vec<&Difference> {
        self.differences.iter().filter(|difference| is(difference.kind)).collect()
    }
}

/// Compares the outcomes of campaigns with the receipts, and what is in force at shops with the
/// lists and outcomes of campaigns. `wanted` names the campaigns; none means all of them.
///
/// It may run beside services: each difference is looked at again before it is told.
///
/// # Errors
///
/// When a wanted campaign is not there, or the store cannot be read.
pub async fn audit(ports: AuditPorts<'_>, wanted: &[Revision]) -> Result<Audit, CommandError> {
    let Found { found: mut campaigns, damaged } = CampaignPages::new(ports.campaigns).all().await?;
    let mut known: BTreeSet<Revision> = campaigns.iter().map(|it| it.name.revision).collect();
    known.extend(damaged.iter().filter_map(|damage| damage.item.campaign()));
    if let Some(unknown) = wanted.iter().find(|wanted| !known.contains(wanted)) {
        return Err(CampaignError::Unknown(*unknown).into());
    }
    if !wanted.is_empty() {
        campaigns.retain(|campaign| wanted.contains(&campaign.name.revision));
    }
    let mut first = FirstLook::read(ports, wanted, &campaigns).await?;
    first.audit.damaged.extend(damaged);
    for campaign in &campaigns {
        let mut is_whole = true;
        for phase in [Phase::Activation, Phase::Release] {
            is_whole &= first.look(campaign, phase).await?;
        }
        first.audit.strays.extend(first.in_force.unlisted(campaign, is_whole));
    }
    let FirstLook { in_force, mut audit, suspects, .. } = first;
    audit.strays.extend(in_force.of_unknown_campaigns(ports.campaigns).await?);
    differences::look_again(suspects, ports, &mut audit).await?;
    Ok(audit)
}

/// The first look at all outcomes, and at what is in force where they say so.
struct FirstLook<'a> {
    ports: AuditPorts<'a>,
    evidence: Evidence,
    in_force: InForce,
    audit: Audit,
    /// The outcomes that seem to differ, until they are looked at again.
    suspects: BTreeSet<OutcomeKey>,
}

impl<'a> FirstLook<'a> {
    async fn read(
        ports: AuditPorts<'a>,
        wanted: &[Revision],
        campaigns: &[Campaign],
    ) -> Result<Self, StoreError> {
        let mut audit = Audit { campaigns: campaigns.len(), ..Audit::default() };
        let Found { found: evidence, damaged } = Evidence::read(campaigns, ports).await?;
        audit.damaged.extend(damaged);
        // After the campaigns: what ended by then is in force nowhere from then on.
        let mut in_force = InForce::read(wanted, ports.shops).await?;
        audit.damaged.extend(mem::take(&mut in_force.damaged));
        audit.unknown_bases = mem::take(&mut in_force.unknown_bases);
        Ok(Self { ports, evidence, in_force, audit, suspects: BTreeSet::new() })
    }

    /// Looks at the outcomes of a phase of a campaign. Returns whether all of them can be read.
    async fn look(&mut self, campaign: &Campaign, phase: Phase) -> Result<bool, StoreError> {
        let filter = OutcomeFilter { phase, status: None };
        let mut pages = OutcomePages::new(self.ports.campaigns, campaign.name.revision, filter);
        while let Some(page) = pages.next().await? {
            for outcome in &page {
                self.look_at(campaign, phase, outcome);
            }
        }
        let is_whole = pages.damaged.is_empty();
        self.audit.damaged.extend(pages.damaged);
        Ok(is_whole)
    }

    fn look_at(&mut self, campaign: &Campaign, phase: Phase, outcome: &ShopOutcome) {
        let (revision, shop) = (campaign.name.revision, &outcome.shop);
        if phase == Phase::Release {
            self.audit.strays.extend(self.in_force.listed(campaign, outcome));
        }
        if outcome.slot == Slot::Open {
            return;
        }
        let is_missing = phase == Phase::Activation
            && outcome.slot.took_effect()
            && campaign.over().is_none()
            && !self.in_force.has(revision, shop)
            && self.evidence.commands(revision, shop) == 0;
        match self.evidence.judge(campaign, phase, outcome).1 {
            // A shop that was not asked has no outcome that could agree.
            Verdict::Agrees if !is_missing => {
                self.audit.agree += u64::from(outcome.slot != Slot::Idle);
            }
            Verdict::Unproved if !is_missing => self.audit.unproved += 1,
            Verdict::Agrees | Verdict::Unproved | Verdict::Foreign | Verdict::Differs => {
                self.suspects.insert((revision, phase, outcome.index));
            }
        }
    }
}
