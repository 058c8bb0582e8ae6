//! `catchment audit`: whether the outcomes of campaigns agree with the receipts.

use std::collections::HashMap;

use catchment_domain::ports::OutcomeFilter;
use catchment_domain::{Campaign, Code, Damage, Outcome, Phase, Revision, Slot, Status, Ticket};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};

/// How many outcomes are compared at a time.
const PAGE: usize = 10_000;

/// What `audit` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The campaigns; all of them where none is named.
    #[arg(value_name = "N")]
    campaigns: Vec<Revision>,
}

/// What receipts prove of one request.
#[derive(Clone, Copy, Debug, Default)]
struct Proof {
    /// What it did the first time.
    effect: Option<Status>,
    /// What a repeat says that it did the first time.
    repeated: Option<Status>,
    /// How often it took effect: more than once must never be.
    effects: u8,
    /// Whether any receipt names it.
    seen: bool,
}

#[derive(Debug, Default)]
struct Findings {
    agree: u64,
    wrong: Vec<String>,
    unproved: u64,
}

/// Compares, outcome by outcome, the ledger with what the receipts prove.
///
/// # Errors
///
/// When a campaign is not there, or the database cannot be read.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let listed = context.stores.campaigns.list().await?;
    let (mut campaigns, mut left_out) = (listed.found, LeftOut::from(listed.damaged));
    for wanted in &arguments.campaigns {
        if !campaigns.iter().any(|campaign| campaign.name.revision == *wanted) {
            return Err(catchment_domain::CampaignError::Unknown(*wanted).into());
        }
    }
    if !arguments.campaigns.is_empty() {
        campaigns.retain(|campaign| arguments.campaigns.contains(&campaign.name.revision));
    }
    let proofs = proofs(&campaigns, context).await?;
    let mut findings = Findings::default();
    for campaign in &campaigns {
        for phase in [Phase::Activation, Phase::Release] {
            let proofs = proofs.get(&(campaign.name.revision, phase));
            let proofs = proofs.map_or(&[][..], Vec::as_slice);
            let damaged = compare((campaign, phase), proofs, context, &mut findings).await?;
            left_out.add(damaged);
        }
    }
    report(&findings, campaigns.len(), context)?;
    let ending = left_out.conclude();
    Ok(if findings.wrong.is_empty() { ending } else { Ending::Incomplete })
}

type Proofs = HashMap<(Revision, Phase), Vec<Proof>>;

/// What all receipts prove of these campaigns, by place in their lists.
async fn proofs(campaigns: &[Campaign], context: &Context) -> anyhow::Result<Proofs> {
    let mut proofs: Proofs = HashMap::new();
    for campaign in campaigns {
        for phase in [Phase::Activation, Phase::Release] {
            let empty = vec![Proof::default(); campaign.shops as usize];
            proofs.insert((campaign.name.revision, phase), empty);
        }
    }
    let visit = |_, receipt: catchment_domain::Receipt| {
        for entry in receipt.entries {
            let ticket = Ticket::read(entry.id).filter(|_| !is_of_others(&entry.outcome));
            let Some(ticket) = ticket else { continue };
            let proofs = proofs.get_mut(&(ticket.revision, ticket.phase));
            let proof = proofs.and_then(|proofs| proofs.get_mut(ticket.index as usize));
            if let Some(proof) = proof {
                proof.add(entry.outcome.status, entry.outcome.repeat, ticket.phase);
            }
        }
    };
    context.stores.visit_receipts(visit).await?;
    Ok(proofs)
}

/// Whether a record was no request of the campaign whose id it had: it proves nothing of that one.
const fn is_of_others(outcome: &Outcome) -> bool {
    matches!(
        outcome.code,
        Some(
            Code::Unreadable
                | Code::UnknownType
                | Code::ReservedId
                | Code::UnknownCampaign
                | Code::CampaignDiffers
        )
    )
}

impl Proof {
    fn add(&mut self, status: Status, repeat: bool, phase: Phase) {
        self.seen = true;
        if status.took_effect() && repeat {
            self.repeated = self.repeated.or(Some(status));
        }
        let took_effect = status.took_effect() && !repeat;
        // A release that comes after its cause was dropped is unchanged again.
        let is_late_release =
            phase == Phase::Release && 0 < self.effects && status == Status::Unchanged;
        if took_effect && !is_late_release {
            self.effect = self.effect.or(Some(status));
            self.effects = self.effects.saturating_add(1);
        }
    }

    /// Whether a slot says what is proved; `None` where the receipts are gone.
    fn judge(self, campaign: &Campaign, slot: Slot) -> Option<bool> {
        if 1 < self.effects {
            return Some(false);
        }
        match slot {
            Slot::Open | Slot::Closed(Status::Failed) => Some(true),
            Slot::Closed(Status::Superseded) => {
                Some(campaign.state.is_ending_or_ended() || campaign.replaced_by.is_some())
            }
            Slot::Closed(_) if !self.seen => None,
            Slot::Closed(status @ (Status::Applied | Status::Unchanged)) => {
                // Where another campaign's activation was the release, only repeats tell.
                let by_another = self.repeated.filter(|_| campaign.replaced_by.is_some());
                Some(self.effect.or(by_another) == Some(status))
            }
            Slot::Idle | Slot::Closed(Status::Rejected | Status::Expired) => {
                Some(self.effect.is_none())
            }
        }
    }
}

/// Compares the outcomes of a phase. Returns what is damaged of them.
async fn compare(
    (campaign, phase): (&Campaign, Phase),
    proofs: &[Proof],
    context: &Context,
    findings: &mut Findings,
) -> anyhow::Result<Vec<Damage>> {
    let mut damaged = Vec::new();
    let revision = campaign.name.revision;
    let filter = OutcomeFilter { phase, status: None };
    let mut from = 0;
    loop {
        let page = context.stores.campaigns.outcomes(revision, filter, from, PAGE).await?;
        damaged.extend(page.damaged);
        let page = page.found;
        let Some(last) = page.last() else { return Ok(damaged) };
        from = last.index + 1;
        for outcome in page {
            if outcome.slot == Slot::Open {
                continue;
            }
            let proof = proofs.get(outcome.index as usize).copied().unwrap_or_default();
            match proof.judge(campaign, outcome.slot) {
                // A shop that was not asked has no outcome that could agree.
                Some(true) => findings.agree += u64::from(outcome.slot != Slot::Idle),
                None => findings.unproved += 1,
                Some(false) => findings.wrong.push(format!(
                    "campaign {revision}, {}, shop {}: {:?}, but the receipts prove {:?} ({} times)",
                    phase.as_str(),
                    outcome.shop,
                    outcome.slot,
                    proof.effect,
                    proof.effects
                )),
            }
        }
    }
}

fn report(findings: &Findings, campaigns: usize, context: &Context) -> std::io::Result<()> {
    let Findings { agree, wrong, unproved } = findings;
    if context.output.json {
        return context.output.value(&json!({
            "campaigns": campaigns, "agree": agree, "unproved": unproved, "wrong": wrong.len(),
            "examples": wrong.iter().take(20).collect::<Vec<_>>(),
        }));
    }
    for line in wrong.iter().take(20) {
        context.output.line(line)?;
    }
    context.output.line(format_args!(
        "{}: {} outcomes agree with the receipts, {} could not be checked (receipts pruned), \
         {} wrong",
        counted(campaigns as u64, "campaign"),
        grouped(*agree),
        grouped(*unproved),
        grouped(wrong.len() as u64)
    ))
}
