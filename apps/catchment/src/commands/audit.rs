//! `catchment audit`: whether the outcomes of campaigns agree with the receipts, and whether what
//! is in force at shops belongs there.

mod differences;
mod evidence;
mod strays;

use std::collections::BTreeSet;
use std::mem;

use catchment_domain::ports::OutcomeFilter;
use catchment_domain::{Campaign, Damage, Phase, Revision, Slot, Verdict};
use clap::Args;
use serde_json::{Value, json};

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};

use self::differences::{Differences, Key};
use self::evidence::Evidence;
use self::strays::{InForce, Stray, UnknownBase};

/// How many outcomes are compared at a time.
const PAGE: usize = 10_000;

/// How many findings of a kind are told.
const TOLD: usize = 20;

const AFTER_HELP: &str = "\
It compares each outcome with the receipts of what was applied. An outcome whose receipts are older
than `database.receipts_kept` cannot be checked.
It looks whether the limits of campaigns that go on are in force where their outcomes say so. A limit
that is missing, or an outcome that no receipt confirms, may be a forged reply: the shop is not
limited, although the campaign says so. A new campaign over that shop limits it. A limit is also
missing where `catchment shops release` ended it so long ago that the receipt is gone.
It looks for limits in force at shops that no campaign will end by itself: of a campaign that ended,
that does not list the shop, or that the database does not have. It looks for base radii whose
revision the database never gave out, so that no import outranks them. Each finding says what to type.
It may run beside a running system: it looks at each difference again before it tells it.

Exit code 0: nothing disagrees, as far as it can be checked. 1: something does, or is damaged.";

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
    unproved: u64,
    /// What seems to differ, until it is looked at again.
    suspects: BTreeSet<Key>,
    differences: Differences,
    strays: Vec<Stray>,
    bases: Vec<UnknownBase>,
}

impl Findings {
    /// Whether there is nothing for a human to do.
    const fn is_fine(&self) -> bool {
        let Differences { wrong, foreign, missing, .. } = &self.differences;
        wrong.is_empty()
            && foreign.is_empty()
            && missing.is_empty()
            && self.strays.is_empty()
            && self.bases.is_empty()
    }
}

/// Compares, outcome by outcome, the ledger with what the receipts prove, and what is in force at
/// shops with the lists and outcomes of campaigns.
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
    let (evidence, unread) = Evidence::read(&campaigns, context).await?;
    left_out.add(unread);
    // After the campaigns: what ended by then is in force nowhere from then on.
    let mut in_force = InForce::read(&arguments.campaigns, context).await?;
    left_out.merge(mem::take(&mut in_force.left_out));
    let mut findings = Findings { bases: mem::take(&mut in_force.bases), ..Findings::default() };
    for campaign in &campaigns {
        let mut is_whole = true;
        for phase in [Phase::Activation, Phase::Release] {
            let seen = (&mut in_force, &mut findings);
            let damaged = compare((campaign, phase), &evidence, context, seen).await?;
            is_whole &= damaged.is_empty();
            left_out.add(damaged);
        }
        findings.strays.extend(in_force.unlisted(campaign, is_whole));
    }
    findings.strays.extend(in_force.unknown(context).await?);
    let suspects = mem::take(&mut findings.suspects);
    let differences = Differences::look_again(suspects, context).await?;
    findings.agree += differences.agree;
    findings.unproved += differences.unproved;
    findings.differences = differences;
    report(&findings, campaigns.len(), context)?;
    let ending = left_out.conclude();
    Ok(if findings.is_fine() { ending } else { Ending::Incomplete })
}

/// Compares the outcomes of a phase, and looks whether ended limits are still in force. Returns
/// what is damaged of the outcomes.
async fn compare(
    (campaign, phase): (&Campaign, Phase),
    evidence: &Evidence,
    context: &Context,
    (in_force, findings): (&mut InForce, &mut Findings),
) -> anyhow::Result<Vec<Damage>> {
    let mut damaged = Vec::new();
    let revision = campaign.name.revision;
    let goes_on = !campaign.state.is_ending_or_ended() && campaign.replaced_by.is_none();
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
            let may_lack = phase == Phase::Activation && goes_on && outcome.slot.took_effect();
            let is_missing = may_lack
                && !in_force.has(revision, &outcome.shop)
                && evidence.commands(revision, &outcome.shop) == 0;
            match evidence.judge(campaign, phase, &outcome).1 {
                // A shop that was not asked has no outcome that could agree.
                Verdict::Agrees if !is_missing => {
                    findings.agree += u64::from(outcome.slot != Slot::Idle);
                }
                Verdict::Unproved if !is_missing => findings.unproved += 1,
                Verdict::Agrees | Verdict::Unproved | Verdict::Foreign | Verdict::Differs => {
                    findings.suspects.insert((revision, phase, outcome.index));
                }
            }
        }
    }
}

fn report(findings: &Findings, campaigns: usize, context: &Context) -> std::io::Result<()> {
    if context.output.json {
        return context.output.value(&view(findings, campaigns));
    }
    let Findings { agree, unproved, strays, bases, differences, .. } = findings;
    let Differences { wrong, foreign, missing, moved, .. } = differences;
    for lines in [wrong, foreign, missing] {
        for line in lines.iter().take(TOLD) {
            context.output.line(line)?;
        }
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
    let more = [
        (foreign.len() as u64, "answered to foreign records"),
        (missing.len() as u64, "whose limits are not in force"),
        (*moved, "changed meanwhile"),
    ];
    let more = more.into_iter().filter(|(count, _)| 0 < *count);
    let more = more.map(|(count, what)| format!(" {} {what},", grouped(count)));
    let more = more.collect::<Vec<_>>().concat();
    context.output.line(format_args!(
        "{}: {} outcomes agree with the receipts, {} could not be checked (receipts pruned),\
         {more} {} wrong",
        counted(campaigns as u64, "campaign"),
        grouped(*agree),
        grouped(*unproved),
        grouped(wrong.len() as u64)
    ))
}

/// The findings for machines.
fn view(findings: &Findings, campaigns: usize) -> Value {
    let Findings { agree, unproved, strays, bases, differences, .. } = findings;
    let Differences { wrong, foreign, missing, moved, .. } = differences;
    let told = |lines: &[String]| lines.iter().take(TOLD).cloned().collect::<Vec<_>>();
    json!({
        "campaigns": campaigns, "agree": agree, "unproved": unproved, "moved": moved,
        "wrong": wrong.len(), "examples": told(wrong),
        "foreign": foreign.len(), "foreign_examples": told(foreign),
        "missing": missing.len(), "missing_examples": told(missing),
        "stray": strays.len(),
        "strays": strays.iter().take(TOLD).map(Stray::view).collect::<Vec<_>>(),
        "unknown_bases": bases.len(),
        "bases": bases.iter().take(TOLD).map(UnknownBase::view).collect::<Vec<_>>(),
    })
}

fn base_radii(count: u64) -> String {
    let noun = if count == 1 { "base radius" } else { "base radii" };
    format!("{} {noun}", grouped(count))
}
