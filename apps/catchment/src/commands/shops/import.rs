//! `catchment shops import`: stores a file of shops in the database.

use anyhow::{Context as _, anyhow};
use catchment_api::{self as api, ImportResult};
use catchment_application::{ImportRules, ImportedShops, import_shops};
use catchment_bootstrap::settings::Settings;
use catchment_domain::{Imported, ShopImport};
use clap::Args;

use crate::commands::Context;
use crate::csv_file::Source;
use crate::ending::{Ending, complain};
use crate::left_out::LeftOut;
use crate::number::{counted, grouped};
use crate::output::note;
use crate::shop_file::{self, BadRow, BadRows};

/// How many of the shops that keep their base radii are named in lines. JSON names all.
const NAMED: usize = 10;

const AFTER_HELP: &str = "\
The file has a header line that names its columns, in any order:
  id,name,category,region,lat,lon[,base_radius]
lat and lon are degrees (WGS84), base_radius is metres or a distance such as 3km; without it a
new shop gets the setting shops.default_base and a known one keeps its own. Other columns are
named and not used. The text is UTF-8; values are separated by commas, semicolons, tabs or bars.
A file compressed with gzip is read as it is. Rows without any value are passed over.
Nothing is stored unless every row is good; --skip-bad stores the good ones. Shops are stored a few
hundred at a time; an import that failed half way says how many were stored, and can be repeated.
A base radius that was decided after the import began stands against it; such shops are named, and
the exit code is 1. With --overrule the file counts, and requests that took their revisions before a
shop was stored do not change its base radius afterwards.";

/// What `shops import` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The file; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Leaves bad rows out, with their lines and reasons on stderr.
    #[arg(long)]
    skip_bad: bool,
    /// Takes the file's base radii also where newer ones stand.
    #[arg(long)]
    overrule: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let source = Source::from(arguments.file.as_str());
    let attempt = || format!("could not import {source}");
    let lanes = context.stores.shops.lanes();
    let rows = shop_file::read(&source, lanes).with_context(attempt)?;
    let bad = rows.bad.clone();
    if 0 < bad.count && !arguments.skip_bad {
        return refuse(&bad, rows.len()).with_context(attempt);
    }
    tell(&bad, &format!("{source}: left out"));
    if rows.len() == 0 {
        return refuse_all(&bad).with_context(attempt);
    }
    let result = store(context, rows.good(), arguments.overrule).await.with_context(attempt)?;
    for remark in &rows.remarks {
        note(format_args!("{source}: {remark}"));
    }
    report(context, &result, &bad)?;
    Ok(conclude(result))
}

/// Stores shops, and says of a failure how many were stored before it.
pub(super) async fn store(
    context: &Context,
    rows: impl IntoIterator<Item = ShopImport, IntoIter: Send>,
    overrules: bool,
) -> anyhow::Result<ImportedShops> {
    let Settings { default_base, policy, .. } = &context.settings;
    let rules = ImportRules { overrules, default_base: *default_base, floor: policy.floor };
    let result = import_shops(&*context.stores.shops, rows, rules).await;
    result.map_err(|failed| anyhow::Error::from(failed.source).context(stored(failed.stored)))
}

/// Names the shops that differ from the file, and returns how the command ends.
pub(super) fn conclude(result: ImportedShops) -> Ending {
    let ending = LeftOut::from(result.damaged).conclude();
    for (shop, revision) in result.kept.iter().take(NAMED) {
        complain(&format!(
            "shop {shop} keeps its base radius: revision {revision} is newer than this import"
        ));
    }
    let more = result.kept.len().saturating_sub(NAMED);
    if 0 < more {
        complain(&format!("and {}", counted(more as u64, "more shop")));
    }
    if result.kept.is_empty() {
        return ending;
    }
    complain("import again with --overrule where the file is to count");
    Ending::Incomplete
}

/// Describes what was stored before an import failed.
fn stored(total: Imported) -> String {
    match total.added + total.updated {
        0 => "nothing was stored".to_owned(),
        shops => {
            format!("only {} were stored; the import can be repeated", counted(shops, "shop"))
        }
    }
}

/// Refuses a file with bad rows. A single bad row is described in the error itself.
fn refuse(bad: &BadRows, good: usize) -> anyhow::Result<Ending> {
    const NOTHING: &str = "nothing was stored (--skip-bad leaves bad rows out)";
    if let ([row], 1) = (bad.first(), bad.count) {
        return Err(anyhow!("line {}: {}; {NOTHING}", row.line, row.reason));
    }
    tell(bad, "bad");
    let rows = counted(bad.count + good as u64, "row");
    Err(anyhow!("{} of {rows} are bad; {NOTHING}", grouped(bad.count)))
}

/// Refuses a file without a good row, because nobody means to import nothing.
fn refuse_all(bad: &BadRows) -> anyhow::Result<Ending> {
    match bad.count {
        0 => Err(anyhow!("it has a header, but no shop")),
        1 => Err(anyhow!("its only row is bad; nothing was stored")),
        bad => Err(anyhow!("all its {} are bad; nothing was stored", counted(bad, "row"))),
    }
}

fn tell(bad: &BadRows, what: &str) {
    for row in bad.first() {
        complain(&format!("{what} line {}: {}", row.line, row.reason));
    }
    let more = bad.count - bad.first().len() as u64;
    if 0 < more {
        complain(&format!("and {}", counted(more, "more bad row")));
    }
}

/// Prints what was stored.
pub(super) fn report(
    context: &Context,
    result: &ImportedShops,
    bad: &BadRows,
) -> std::io::Result<()> {
    if context.output.json {
        let row = |row: &BadRow| api::BadRow { line: row.line, reason: row.reason.clone() };
        let rows = bad.first().iter().map(row).collect();
        return context.output.value(&ImportResult::new(result, bad.count, rows));
    }
    let Imported { added, updated } = result.imported;
    let (added, updated) = (grouped(added), grouped(updated));
    context
        .output
        .line(format_args!("added {added}, updated {updated}, bad {}", grouped(bad.count)))
}
