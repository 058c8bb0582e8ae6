//! `catchment campaign outcomes`: lists the outcome of each shop.

use std::io;

use anyhow::Context as _;
use catchment_api::Outcome;
use catchment_application::campaign_outcomes;
use catchment_domain::ports::{CampaignRepository, OutcomeFilter, ShopOutcome};
use catchment_domain::{Phase, Revision, Slot, Status};
use clap::{Args, ValueEnum};

use crate::commands::Context;
use crate::ending::{Ending, WrongUsage};
use crate::left_out::LeftOut;
use crate::output::{note, one_line, table};

/// How many outcomes are read at a time.
const PAGE: usize = 5_000;
/// How many rows a table has by default.
const TABLE_ROWS: usize = 50;
const COLUMNS: [&str; 4] = ["shop", "status", "code", "message"];
const OPEN: &str = "open";

const AFTER_HELP: &str = "\
A shop without an outcome is `open`; in the release phase, one that has nothing to be released
is `idle`.";

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
    let format = format(arguments.format, context.output.json)?;
    let mut outcomes = Outcomes::new(arguments, format, context);
    match format {
        Format::Table => print_table(&mut outcomes, context).await,
        Format::Csv => print_csv(&mut outcomes).await,
        Format::Ndjson => print_ndjson(&mut outcomes, context).await,
    }
    .context("could not list the outcomes")?;
    Ok(outcomes.left_out.conclude())
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
struct Outcomes<'a> {
    campaigns: &'a dyn CampaignRepository,
    revision: Revision,
    filter: OutcomeFilter,
    /// How many outcomes may still be listed.
    left: usize,
    /// Where the next page begins, if there is one.
    next: Option<u32>,
    is_begun: bool,
    left_out: LeftOut,
}

impl<'a> Outcomes<'a> {
    fn new(arguments: &Arguments, format: Format, context: &'a Context) -> Self {
        let phase = match arguments.phase {
            PhaseName::Activation => Phase::Activation,
            PhaseName::Release => Phase::Release,
        };
        let most = if format == Format::Table { TABLE_ROWS } else { usize::MAX };
        Self {
            campaigns: &*context.stores.campaigns,
            revision: arguments.revision,
            filter: OutcomeFilter { phase, status: arguments.status },
            left: arguments.limit.unwrap_or(most),
            next: None,
            is_begun: false,
            left_out: LeftOut::default(),
        }
    }

    /// Reads the next page. Returns `None` if there are no more outcomes.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<ShopOutcome>>> {
        if self.is_begun && (self.left == 0 || self.next.is_none()) {
            return Ok(None);
        }
        self.is_begun = true;
        let (revision, filter, size) = (self.revision, self.filter, self.left.min(PAGE));
        let page = campaign_outcomes(self.campaigns, revision, filter, self.next, size).await?;
        self.left_out.add(page.damaged);
        self.next = page.next;
        self.left -= page.items.len();
        Ok(Some(page.items))
    }
}

async fn print_table(outcomes: &mut Outcomes<'_>, context: &Context) -> anyhow::Result<()> {
    let mut rows = table(&COLUMNS);
    while let Some(page) = outcomes.next().await? {
        rows.add_rows(page.iter().map(|outcome| cells(outcome).map(|cell| one_line(&cell))));
    }
    context.output.line(rows.trim_fmt())?;
    if outcomes.next.is_some() {
        note("and more: --limit shows them, --format csv and ndjson have all");
    }
    Ok(())
}

async fn print_csv(outcomes: &mut Outcomes<'_>) -> anyhow::Result<()> {
    let mut file = csv::Writer::from_writer(io::BufWriter::new(io::stdout()));
    let mut is_headed = false;
    while let Some(page) = outcomes.next().await? {
        if !is_headed {
            file.write_record(COLUMNS)?;
            is_headed = true;
        }
        page.iter().try_for_each(|outcome| file.write_record(cells(outcome)))?;
    }
    file.flush()?;
    Ok(())
}

async fn print_ndjson(outcomes: &mut Outcomes<'_>, context: &Context) -> anyhow::Result<()> {
    while let Some(page) = outcomes.next().await? {
        page.iter().try_for_each(|outcome| context.output.value(&Outcome::from(outcome)))?;
    }
    Ok(())
}

/// Returns an outcome in the order of [`COLUMNS`].
fn cells(outcome: &ShopOutcome) -> [String; COLUMNS.len()] {
    let Outcome { shop, status, code, message } = outcome.into();
    [shop, status, code.unwrap_or_default(), message.unwrap_or_default()]
}
