//! `catchment audit`: checks that the outcomes of campaigns agree with the receipts, and that the
//! states of shops have no causes or base radii that do not belong there.

mod wording;

use catchment_api as api;
use catchment_application::audit;
use catchment_domain::Revision;
use catchment_domain::service::{Audit, AuditPorts};
use clap::Args;

use crate::commands::Context;
use crate::ending::Ending;
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};

use self::wording::{base_radii, describe, describe_base, describe_stray};

/// How many findings of each kind are shown.
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

/// Compares each outcome in the ledger with the receipts, and the states of shops with the lists
/// and outcomes of campaigns.
///
/// # Errors
///
/// When a campaign does not exist, or the database cannot be read.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let stores = &context.stores;
    let ports = AuditPorts {
        shops: &*stores.shops,
        campaigns: &*stores.campaigns,
        ledger: &*stores.ledger,
    };
    let found = audit(ports, &arguments.campaigns).await?;
    if context.output.json {
        context.output.value(&api::Audit::new(&found, TOLD))?;
    } else {
        report(&found, context)?;
    }
    let is_fine = found.is_fine();
    let ending = LeftOut::from(found.damaged).conclude();
    Ok(if is_fine { ending } else { Ending::Incomplete })
}

/// Prints the findings for people.
fn report(audit: &Audit, context: &Context) -> std::io::Result<()> {
    let output = context.output;
    let [wrong, foreign, missing] = [audit.wrong(), audit.foreign(), audit.missing()];
    for differences in [&wrong, &foreign, &missing] {
        for difference in differences.iter().take(TOLD) {
            output.line(describe(difference))?;
        }
    }
    for stray in audit.strays.iter().take(TOLD) {
        output.line(describe_stray(stray))?;
    }
    if !audit.strays.is_empty() {
        let limits = counted(audit.strays.len() as u64, "limit");
        output.line(format_args!("{limits} in force that no campaign will end"))?;
    }
    for base in audit.unknown_bases.iter().take(TOLD) {
        output.line(describe_base(base))?;
    }
    if !audit.unknown_bases.is_empty() {
        let radii = base_radii(audit.unknown_bases.len() as u64);
        output.line(format_args!("{radii} of revisions that were never given out"))?;
    }
    let more = [
        (foreign.len() as u64, "answered to foreign records"),
        (missing.len() as u64, "whose limits are not in force"),
        (audit.moved, "changed meanwhile"),
    ];
    let more = more.into_iter().filter(|(count, _)| 0 < *count);
    let more = more.map(|(count, what)| format!(" {} {what},", grouped(count)));
    let more = more.collect::<Vec<_>>().concat();
    output.line(format_args!(
        "{}: {} outcomes agree with the receipts, {} could not be checked (receipts pruned),\
         {more} {} wrong",
        counted(audit.campaigns as u64, "campaign"),
        grouped(audit.agree),
        grouped(audit.unproved),
        grouped(wrong.len() as u64)
    ))
}
