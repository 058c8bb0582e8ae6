//! `catchment shops generate`: stores a made-up city in the database.

use anyhow::Context as _;
use catchment_application::ImportedShops;
use clap::Args;

use super::import::{conclude, report, store};
use crate::city::City;
use crate::commands::Context;
use crate::ending::Ending;
use crate::shop_file::BadRows;

/// What `shops generate` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many shops.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,
    /// The same seed gives the same shops: gen-000001 and so on.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let result = generate(context, arguments.count, arguments.seed).await?;
    report(context, &result, &BadRows::default())?;
    Ok(conclude(result))
}

/// Stores the first `count` shops of the city of a seed.
pub(crate) async fn generate(
    context: &Context,
    count: u32,
    seed: u64,
) -> anyhow::Result<ImportedShops> {
    let city = City::new(seed).take(count as usize);
    store(context, city, false).await.context("could not generate shops")
}
