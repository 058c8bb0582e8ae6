//! `catchment campaign outcomes`: lists the outcome of each shop.

use std::io;

use anyhow::Context as _;
use catchment_domain::ports::{OutcomeFilter, ShopOutcome};
use catchment_domain::{CampaignError, Code, Phase, Revision, Slot, Status};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::commands::Context;
use crate::ending::{Ending, WrongUsage};
use crate::left_out::LeftOut;
use crate::output::{note, table};

/// How many outcomes are read at a time.
const PAGE: usize = 5_000;
/// How many rows a table has by default.
const TABLE_ROWS: usize = 50;
const COLUMNS: [&str; 4] = ["shop", "status", "code", "message"];
const OPEN: &str = "open";

const AFTER_HELP: &str = "\
A shop without an outcome is `open`; in the release phase, one that has nothing to be released
is `-`.";

/// What `campaign outcomes` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The campaign's number.
    #[arg(value_name = "N")]
    revision: Revision,
    /// Only shops with this outcome, such as rejected, or open ones.
    #[arg(long, value_name = "S", value_parser = parse_status)]
    status: Option<Slot>,
    /// What was asked of the shops: the limit, or its end.
    #[arg(long, value_enum, default_value_t = PhaseName::Activation)]
    phase: PhaseName,
    /// How they are printed: as a table unless said otherwise; --json is ndjson.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The most shops that are listed; without it a table has 50, other formats all.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PhaseName {
    Activation,
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Ndjson,
}

fn parse_status(text: &str) -> Result<Slot, String> {
    if text == OPEN {
        return Ok(Slot::Open);
    }
    text.parse().map(Slot::Closed).map_err(|()| {
        let closed = Status::ALL.iter().map(|status| status.as_str());
        let words: Vec<&str> = closed.chain([OPEN]).collect();
        format!("expected one of {}", words.join(", "))
    })
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let revision = arguments.revision;
    let attempt = || "could not list the outcomes";
    let format = format(arguments.format, context.output.json)?;
    let campaign = context.stores.campaigns.get(revision).await.with_context(attempt)?;
    campaign.ok_or(CampaignError::Unknown(revision)).with_context(attempt)?;
    let mut pages = Pages::new(arguments, format, context);
    match format {
        Format::Table => print_table(&mut pages, context).await,
        Format::Csv => print_csv(&mut pages).await,
        Format::Ndjson => print_ndjson(&mut pages, context).await,
    }
    .with_context(attempt)?;
    Ok(pages.left_out.conclude())
}

/// Returns the wanted format, if the options agree.
fn format(format: Option<Format>, json: bool) -> anyhow::Result<Format> {
    match (format, json) {
        (None | Some(Format::Ndjson), true) => Ok(Format::Ndjson),
        (Some(Format::Table | Format::Csv), true) => {
            Err(WrongUsage("--json is ndjson: leave out --json or --format").into())
        }
        (format, false) => Ok(format.unwrap_or(Format::Table)),
    }
}

/// The outcomes, page by page.
struct Pages<'a> {
    context: &'a Context,
    revision: Revision,
    filter: OutcomeFilter,
    from: u32,
    left: usize,
    left_out: LeftOut,
}

impl<'a> Pages<'a> {
    fn new(arguments: &Arguments, format: Format, context: &'a Context) -> Self {
        let phase = match arguments.phase {
            PhaseName::Activation => Phase::Activation,
            PhaseName::Release => Phase::Release,
        };
        let most = if format == Format::Table { TABLE_ROWS } else { usize::MAX };
        Self {
            context,
            revision: arguments.revision,
            filter: OutcomeFilter { phase, status: arguments.status },
            from: 0,
            left: arguments.limit.unwrap_or(most),
            left_out: LeftOut::default(),
        }
    }

    /// Reads the next page. It is empty when there are no more outcomes.
    async fn next(&mut self) -> anyhow::Result<Vec<ShopOutcome>> {
        let (campaigns, limit) = (&self.context.stores.campaigns, self.left.min(PAGE));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let page = campaigns.outcomes(self.revision, self.filter, self.from, limit).await?;
        self.left_out.add(page.damaged);
        if let Some(last) = page.found.last() {
            self.from = last.index + 1;
        }
        self.left -= page.found.len();
        Ok(page.found)
    }

    /// Returns whether there are outcomes behind the last wanted one.
    async fn has_more(&mut self) -> anyhow::Result<bool> {
        self.left = 1;
        Ok(!self.next().await?.is_empty())
    }
}

async fn print_table(pages: &mut Pages<'_>, context: &Context) -> anyhow::Result<()> {
    let mut rows = table(&COLUMNS);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        rows.add_rows(page.iter().map(cells));
    }
    context.output.line(rows.trim_fmt())?;
    if pages.has_more().await? {
        note("and more: --limit shows them, --format csv and ndjson have all");
    }
    Ok(())
}

async fn print_csv(pages: &mut Pages<'_>) -> anyhow::Result<()> {
    let mut file = csv::Writer::from_writer(io::BufWriter::new(io::stdout()));
    file.write_record(COLUMNS)?;
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        page.iter().try_for_each(|outcome| file.write_record(cells(outcome)))?;
    }
    file.flush()?;
    Ok(())
}

async fn print_ndjson(pages: &mut Pages<'_>, context: &Context) -> anyhow::Result<()> {
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(());
        }
        for outcome in &page {
            let [shop, status, code, message] = cells(outcome);
            let (code, message) = (Some(code), Some(message));
            context.output.value(&json!({
                "shop": shop,
                "status": status,
                "code": code.filter(|code| !code.is_empty()),
                "message": message.filter(|message| !message.is_empty()),
            }))?;
        }
    }
}

/// Returns an outcome in the order of [`COLUMNS`].
fn cells(outcome: &ShopOutcome) -> [String; COLUMNS.len()] {
    let word = match outcome.slot {
        Slot::Idle => "-",
        Slot::Open => OPEN,
        Slot::Closed(status) => status.as_str(),
    };
    let message = outcome.message.as_deref().or_else(|| outcome.code.map(Code::message));
    [
        outcome.shop.to_string(),
        word.to_owned(),
        outcome.code.map(|code| code.to_string()).unwrap_or_default(),
        message.unwrap_or_default().to_owned(),
    ]
}
