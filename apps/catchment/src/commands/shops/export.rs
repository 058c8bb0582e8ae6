//! `catchment shops export`: shops as CSV, which `shops import` reads back, or as JSON.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use catchment_domain::{Radius, Shop};
use clap::Args;

use super::list::{Pages, decided_by, view};
use crate::commands::Context;
use crate::ending::Ending;
use crate::scope::FilterArguments;
use crate::shop_file::{EXPORTED, create};

/// What `shops export` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// The file to write; without it the standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let scope = arguments.filter.resolve(&context.stores).await?;
    let floor = context.settings.policy.floor;
    let target = arguments.output.as_deref();
    let attempt = || match target {
        Some(path) => format!("could not write {}", path.display()),
        None => "could not write the shops".to_owned(),
    };
    let mut pages = Pages::new(context, scope, usize::MAX);
    let mut file = create(target).with_context(attempt)?;
    if context.output.json {
        while let Some(page) = pages.next().await? {
            for shop in &page {
                writeln!(file, "{}", view(shop, floor)).with_context(attempt)?;
            }
        }
        file.flush().with_context(attempt)?;
        return Ok(pages.left_out.conclude());
    }
    let mut file = csv::Writer::from_writer(file);
    file.write_record(EXPORTED).with_context(attempt)?;
    while let Some(page) = pages.next().await? {
        for shop in &page {
            file.write_record(record(shop, floor)).with_context(attempt)?;
        }
    }
    file.flush().with_context(attempt)?;
    Ok(pages.left_out.conclude())
}

/// A row in the order of [`EXPORTED`].
fn record(shop: &Shop, floor: Radius) -> [String; EXPORTED.len()] {
    let (decided_by, campaign) = decided_by(shop, floor);
    let location = shop.profile.location;
    [
        shop.id.to_string(),
        shop.profile.name.clone(),
        shop.profile.category.clone(),
        shop.profile.region.clone(),
        location.latitude().to_string(),
        location.longitude().to_string(),
        shop.state.base.radius.metres().to_string(),
        shop.state.radius.metres().to_string(),
        decided_by,
        campaign.map(|campaign| campaign.to_string()).unwrap_or_default(),
        shop.state.version.to_string(),
    ]
}
