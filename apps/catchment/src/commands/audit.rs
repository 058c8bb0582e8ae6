//! `catchment audit`: whether the outcomes of campaigns agree with the receipts, and whether what
//! is in force at shops belongs there.

mod strays;

use std::collections::{HashMap, HashSet};

use catchment_domain::ports::{OutcomeFilter, ShopOutcome};
use catchment_domain::{
    Campaign, CauseName, Code, Damage, ImportNumber, ImportRemark, Outcome, Phase, Revision,
    ShopId, Slot, Status, Ticket,
};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};
use crate::output::shell_word;

use self::strays::{InForce, Stray};

/// How many outcomes are compared at a time.
const PAGE: usize = 10_000;

/// How many receipts of imports are read at a time.
const RECEIPTS: usize = 100;

/// How many findings of a kind are told.
const TOLD: usize = 20;

const AFTER_HELP: &str = "\
It compares each outcome with the receipts of what was applied, and looks for limits in force at
shops that no campaign will end: of a campaign that ended, that does not list the shop, or that the
database does not have. Each finding says what to type.

Exit code 0: everything agrees. 1: something does not, or is damaged.";

/// What `audit` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
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
    strays: Vec<Stray>,
}

/// Campaigns that a command released at a shop.
type Released = HashSet<(Revision, ShopId)>;

/// Compares, outcome by outcome, the ledger with what the receipts prove, and what is in force at
/// shops with the lists of campaigns.
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
    let released = released_by_command(context).await?;
    // After the campaigns: what ended by then is in force nowhere from then on.
    let (mut in_force, unread) = InForce::read(&arguments.campaigns, context).await?;
    left_out.merge(unread);
    let mut findings = Findings::default();
    for campaign in &campaigns {
        let mut is_whole = true;
        for phase in [Phase::Activation, Phase::Release] {
            let proofs = proofs.get(&(campaign.name.revision, phase));
            let proofs = proofs.map_or(&[][..], Vec::as_slice);
            let evidence = (proofs, &released);
            let seen = (&mut in_force, &mut findings);
            let damaged = compare((campaign, phase), evidence, context, seen).await?;
            is_whole &= damaged.is_empty();
            left_out.add(damaged);
        }
        findings.strays.extend(in_force.unlisted(campaign, is_whole));
    }
    findings.strays.extend(in_force.unknown(context).await?);
    report(&findings, campaigns.len(), context)?;
    let ending = left_out.conclude();
    let agrees = findings.wrong.is_empty() && findings.strays.is_empty();
    Ok(if agrees { ending } else { Ending::Incomplete })
}

/// What commands released, as far as their receipts are kept.
async fn released_by_command(context: &Context) -> anyhow::Result<Released> {
    let shops = &context.stores.shops;
    let mut released = Released::new();
    for lane in shops.lanes().iter() {
        let mut behind = ImportNumber::default();
        loop {
            let receipts = shops.import_receipts(lane, behind, RECEIPTS).await?;
            let Some(last) = receipts.last() else { break };
            behind = last.number;
            for entry in receipts.into_iter().flat_map(|receipt| receipt.entries) {
                if let Some(ImportRemark::Released(CauseName::Campaign(campaign))) = entry.remark {
                    released.insert((campaign, entry.shop));
                }
            }
        }
    }
    Ok(released)
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

    /// Whether a slot says what is proved; `None` where the receipts are gone. `is_over`: the
    /// campaign was ended or replaced, or a command released it at the shop.
    fn judge(self, phase: Phase, slot: Slot, is_over: bool) -> Option<bool> {
        if 1 < self.effects {
            return Some(false);
        }
        match slot {
            Slot::Open | Slot::Closed(Status::Failed) => Some(true),
            Slot::Closed(Status::Superseded) if is_over => Some(true),
            Slot::Closed(_) if !self.seen => None,
            Slot::Closed(Status::Superseded) => Some(false),
            Slot::Closed(status @ (Status::Applied | Status::Unchanged)) => {
                // Where another campaign's activation or a command was the release, only repeats
                // tell.
                let by_another = self.repeated.filter(|_| phase == Phase::Release);
                Some(self.effect.or(by_another) == Some(status))
            }
            Slot::Idle | Slot::Closed(Status::Rejected | Status::Expired) => {
                Some(self.effect.is_none())
            }
        }
    }
}

/// Compares the outcomes of a phase, and looks whether ended limits are still in force. Returns
/// what is damaged of the outcomes.
async fn compare(
    (campaign, phase): (&Campaign, Phase),
    (proofs, released): (&[Proof], &Released),
    context: &Context,
    (in_force, findings): (&mut InForce, &mut Findings),
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
            if phase == Phase::Release {
                findings.strays.extend(in_force.listed(campaign, &outcome));
            }
            if outcome.slot == Slot::Open {
                continue;
            }
            let proof = proofs.get(outcome.index as usize).copied().unwrap_or_default();
            let is_over = campaign.state.is_ending_or_ended()
                || campaign.replaced_by.is_some()
                || released.contains(&(revision, outcome.shop.clone()));
            match proof.judge(phase, outcome.slot, is_over) {
                // A shop that was not asked has no outcome that could agree.
                Some(true) => findings.agree += u64::from(outcome.slot != Slot::Idle),
                None => findings.unproved += 1,
                Some(false) => {
                    findings.wrong.push(describe((revision, phase), &outcome, proof));
                }
            }
        }
    }
}

/// How an outcome differs from the receipts, and what to look at.
fn describe((campaign, phase): (Revision, Phase), outcome: &ShopOutcome, proof: Proof) -> String {
    let told = match outcome.slot {
        Slot::Idle => "was not asked for".to_owned(),
        Slot::Open => "has no outcome".to_owned(),
        Slot::Closed(status) => format!("counts as {status}"),
    };
    let proved = match (proof.effects, proof.effect) {
        (0, _) if outcome.slot == Slot::Closed(Status::Superseded) => {
            "the campaign goes on".to_owned()
        }
        (0, _) => "no receipt says that it took effect".to_owned(),
        (1, Some(effect)) => format!("a receipt says that it was {effect}"),
        (times, _) => format!("receipts say that it took effect {times} times"),
    };
    let (phase, shop) = (phase.as_str(), &outcome.shop);
    let typed = shell_word(shop.as_str());
    format!(
        "campaign {campaign}, shop {shop}: the {phase} {told}, but {proved}; \
         `catchment shops show {typed}` shows what is in force there"
    )
}

fn report(findings: &Findings, campaigns: usize, context: &Context) -> std::io::Result<()> {
    let Findings { agree, wrong, unproved, strays } = findings;
    if context.output.json {
        return context.output.value(&json!({
            "campaigns": campaigns, "agree": agree, "unproved": unproved, "wrong": wrong.len(),
            "examples": wrong.iter().take(TOLD).collect::<Vec<_>>(),
            "stray": strays.len(),
            "strays": strays.iter().take(TOLD).map(Stray::view).collect::<Vec<_>>(),
        }));
    }
    for line in wrong.iter().take(TOLD) {
        context.output.line(line)?;
    }
    for stray in strays.iter().take(TOLD) {
        context.output.line(stray)?;
    }
    if !strays.is_empty() {
        let limits = counted(strays.len() as u64, "limit");
        context.output.line(format_args!("{limits} in force that no campaign will end"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_in_words() {
        let proof = |effect, effects| Proof { effect, effects, ..Proof::default() };
        let applied = Some(Status::Applied);
        for (phase, slot, proof, words) in [
            (
                Phase::Activation,
                Slot::Closed(Status::Applied),
                proof(None, 0),
                "the activation counts as applied, but no receipt says that it took effect",
            ),
            (
                Phase::Release,
                Slot::Closed(Status::Rejected),
                proof(applied, 1),
                "the release counts as rejected, but a receipt says that it was applied",
            ),
            (
                Phase::Release,
                Slot::Idle,
                proof(applied, 2),
                "the release was not asked for, but receipts say that it took effect 2 times",
            ),
            (
                Phase::Activation,
                Slot::Closed(Status::Superseded),
                proof(None, 0),
                "the activation counts as superseded, but the campaign goes on",
            ),
        ] {
            let shop = "a b".parse().unwrap();
            let outcome = ShopOutcome { index: 0, shop, slot, code: None, message: None };
            let line = describe((Revision(7), phase), &outcome, proof);
            let expected = format!(
                "campaign 7, shop a b: {words}; \
                 `catchment shops show 'a b'` shows what is in force there"
            );
            assert_eq!(line, expected);
        }
    }
}
