//! `catchment audit`: whether the outcomes of campaigns agree with the receipts, and whether what
//! is in force at shops belongs there.

mod proofs;
mod strays;

use std::collections::HashMap;
use std::mem;

use catchment_domain::ports::{OutcomeFilter, ShopOutcome};
use catchment_domain::{
    Campaign, CauseEnds, CauseName, Damage, ImportNumber, ImportRemark, Phase, Proof, Revision,
    ShopId, Slot, Verdict,
};
use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};
use crate::output::shell_word;

use self::proofs::Proofs;
use self::strays::{InForce, Stray, UnknownBase};

/// How many outcomes are compared at a time.
const PAGE: usize = 10_000;

/// How many receipts of imports are read at a time.
const RECEIPTS: usize = 100;

/// How many findings of a kind are told.
const TOLD: usize = 20;

const AFTER_HELP: &str = "\
It compares each outcome with the receipts of what was applied. An outcome whose receipts are older
than `database.receipts_kept` cannot be checked.
It looks for limits in force at shops that no campaign will end: of a campaign that ended, that does
not list the shop, or that the database does not have. It looks for base radii whose revision the
database never gave out, so that no import outranks them. Each finding says what to type.
An outcome that no receipt confirms may be a forged reply: the shop is not limited, although the
campaign says so. A new campaign over that shop limits it.

Exit code 0: everything agrees. 1: something does not, or is damaged.";

/// What `audit` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The campaigns; all of them where none is named.
    #[arg(value_name = "N")]
    campaigns: Vec<Revision>,
}

#[derive(Debug, Default)]
struct Findings {
    agree: u64,
    wrong: Vec<String>,
    /// Outcomes that are answers to records that were no requests of their campaigns.
    foreign: Vec<String>,
    unproved: u64,
    strays: Vec<Stray>,
    bases: Vec<UnknownBase>,
}

impl Findings {
    /// Whether there is nothing for a human to do.
    const fn is_fine(&self) -> bool {
        self.wrong.is_empty()
            && self.foreign.is_empty()
            && self.strays.is_empty()
            && self.bases.is_empty()
    }
}

/// How often a command released a campaign at a shop.
type Released = HashMap<(Revision, ShopId), u32>;

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
    let (proofs, unread) = Proofs::read(&campaigns, context).await?;
    left_out.add(unread);
    let (released, unread) = released_by_command(context).await?;
    left_out.add(unread);
    // After the campaigns: what ended by then is in force nowhere from then on.
    let mut in_force = InForce::read(&arguments.campaigns, context).await?;
    left_out.merge(mem::take(&mut in_force.left_out));
    let mut findings = Findings { bases: mem::take(&mut in_force.bases), ..Findings::default() };
    for campaign in &campaigns {
        let mut is_whole = true;
        for phase in [Phase::Activation, Phase::Release] {
            let seen = (&mut in_force, &mut findings);
            let damaged = compare((campaign, phase), (&proofs, &released), context, seen).await?;
            is_whole &= damaged.is_empty();
            left_out.add(damaged);
        }
        findings.strays.extend(in_force.unlisted(campaign, is_whole));
    }
    findings.strays.extend(in_force.unknown(context).await?);
    report(&findings, campaigns.len(), context)?;
    let ending = left_out.conclude();
    Ok(if findings.is_fine() { ending } else { Ending::Incomplete })
}

/// What commands released, and which receipts cannot be read, as far as they are kept.
async fn released_by_command(context: &Context) -> anyhow::Result<(Released, Vec<Damage>)> {
    let shops = &context.stores.shops;
    let (mut released, mut damaged) = (Released::new(), Vec::new());
    for lane in shops.lanes().iter() {
        let mut behind = ImportNumber::default();
        loop {
            let page = shops.import_receipts(lane, behind, RECEIPTS).await?;
            damaged.extend(page.damaged);
            let Some(last) = page.found.last() else { break };
            behind = last.number;
            for entry in page.found.into_iter().flat_map(|receipt| receipt.entries) {
                if let Some(ImportRemark::Released(CauseName::Campaign(campaign))) = entry.remark {
                    *released.entry((campaign, entry.shop)).or_default() += 1;
                }
            }
        }
    }
    Ok((released, damaged))
}

/// Compares the outcomes of a phase, and looks whether ended limits are still in force. Returns
/// what is damaged of the outcomes.
async fn compare(
    (campaign, phase): (&Campaign, Phase),
    (proofs, released): (&Proofs, &Released),
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
            let proof = proofs.of((revision, phase), (outcome.index, &outcome.shop));
            let is_over = campaign.state.is_ending_or_ended() || campaign.replaced_by.is_some();
            let commands = released.get(&(revision, outcome.shop.clone()));
            let ends = CauseEnds { is_over, commands: commands.copied().unwrap_or_default() };
            match proof.judge(phase, outcome.slot, ends) {
                // A shop that was not asked has no outcome that could agree.
                Verdict::Agrees => findings.agree += u64::from(outcome.slot != Slot::Idle),
                Verdict::Unproved => findings.unproved += 1,
                Verdict::Foreign => {
                    findings.foreign.push(describe_foreign((campaign, phase), &outcome));
                }
                Verdict::Differs => {
                    findings.wrong.push(describe((revision, phase), &outcome, proof));
                }
            }
        }
    }
}

/// Why an outcome is not the answer to the campaign's own request, and what to do.
fn describe_foreign((campaign, phase): (&Campaign, Phase), outcome: &ShopOutcome) -> String {
    let (revision, shop) = (campaign.name.revision, &outcome.shop);
    let is_over = phase == Phase::Activation && campaign.state.is_ending_or_ended();
    let advice = if is_over {
        "the campaign is over".to_owned()
    } else {
        format!("`catchment campaign retry {revision}` asks for it again")
    };
    format!(
        "campaign {revision}, shop {shop}: the {} counts as rejected because somebody sent another \
         record under the id of its request; {advice}",
        phase.as_str()
    )
}

/// How an outcome differs from the receipts, and what to look at.
fn describe((campaign, phase): (Revision, Phase), outcome: &ShopOutcome, proof: Proof) -> String {
    let told = match outcome.slot {
        Slot::Idle => "was not asked for".to_owned(),
        Slot::Open => "has no outcome".to_owned(),
        Slot::Closed(status) => format!("counts as {status}"),
    };
    let proved = match proof.effects() {
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
    let Findings { agree, wrong, foreign, unproved, strays, bases } = findings;
    if context.output.json {
        return context.output.value(&json!({
            "campaigns": campaigns, "agree": agree, "unproved": unproved, "wrong": wrong.len(),
            "examples": wrong.iter().take(TOLD).collect::<Vec<_>>(),
            "foreign": foreign.len(),
            "foreign_examples": foreign.iter().take(TOLD).collect::<Vec<_>>(),
            "stray": strays.len(),
            "strays": strays.iter().take(TOLD).map(Stray::view).collect::<Vec<_>>(),
            "unknown_bases": bases.len(),
            "bases": bases.iter().take(TOLD).map(UnknownBase::view).collect::<Vec<_>>(),
        }));
    }
    for line in wrong.iter().take(TOLD).chain(foreign.iter().take(TOLD)) {
        context.output.line(line)?;
    }
    for stray in strays.iter().take(TOLD) {
        context.output.line(stray)?;
    }
    if !strays.is_empty() {
        let limits = counted(strays.len() as u64, "limit");
        context.output.line(format_args!("{limits} in force that no campaign will end"))?;
    }
    for base in bases.iter().take(TOLD) {
        context.output.line(base)?;
    }
    if !bases.is_empty() {
        let radii =
            format!("{} of revisions that were never given out", base_radii(bases.len() as u64));
        context.output.line(radii)?;
    }
    let answered = match foreign.len() as u64 {
        0 => String::new(),
        count => format!(" {} answered to foreign records,", grouped(count)),
    };
    context.output.line(format_args!(
        "{}: {} outcomes agree with the receipts, {} could not be checked (receipts pruned),\
         {answered} {} wrong",
        counted(campaigns as u64, "campaign"),
        grouped(*agree),
        grouped(*unproved),
        grouped(wrong.len() as u64)
    ))
}

fn base_radii(count: u64) -> String {
    let noun = if count == 1 { "base radius" } else { "base radii" };
    format!("{} {noun}", grouped(count))
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Outcome, Status};

    use super::*;

    #[test]
    fn what_differs_is_told_in_words() {
        let told =
            |status| Outcome { status, code: None, detail: None, standing: None, repeat: false };
        let proof = |phase, times: usize| {
            let mut proof = Proof::default();
            for _ in 0..times {
                proof.add(phase, &told(Status::Applied));
            }
            proof
        };
        for (phase, slot, proof, words) in [
            (
                Phase::Activation,
                Slot::Closed(Status::Applied),
                proof(Phase::Activation, 0),
                "the activation counts as applied, but no receipt says that it took effect",
            ),
            (
                Phase::Release,
                Slot::Closed(Status::Rejected),
                proof(Phase::Release, 1),
                "the release counts as rejected, but a receipt says that it was applied",
            ),
            (
                Phase::Release,
                Slot::Idle,
                proof(Phase::Release, 2),
                "the release was not asked for, but receipts say that it took effect 2 times",
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
