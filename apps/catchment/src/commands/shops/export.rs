//! `catchment shops export`: writes shops as CSV, which `shops import` reads, or as JSON.

use std::future::pending;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catchment_api as api;
use catchment_application::ListedShop;
use catchment_domain::{Damage, Scope};
use catchment_seaorm::{OutputFile, irregular_file};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::list::{decided_by, visit};
use crate::commands::Context;
use crate::ending::{Ending, complain};
use crate::file_name::{self, is_gzip};
use crate::left_out::LeftOut;
use crate::run::Interrupts;
use crate::scope::FilterArguments;
use crate::shop_file::EXPORTED;

/// What `shops export` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// The file to write, which is replaced once all is written, and compressed with gzip where
    /// its name ends with `.gz`; `-`, and without it, is the standard output.
    #[arg(long, short, value_name = "FILE", value_parser = file_name::export())]
    output: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Ending> {
    let scope = arguments.filter.resolve(&context.stores).await?;
    // The standard output, under its name, may be a file to which the shell appends.
    let is_stdout = |path: &Path| ["-", "/dev/stdout"].iter().any(|name| path == Path::new(name));
    let Some(path) = arguments.output.as_deref().filter(|path| !is_stdout(path)) else {
        let stdout = io::BufWriter::new(io::stdout());
        let written = write(&scope, stdout, context).await;
        let (_, damaged) = written.context("could not write the shops")?;
        return Ok(LeftOut::from(damaged).conclude());
    };
    let attempt = || format!("could not write {}", path.display());
    // An interrupted export leaves nothing behind. A pipe or a device needs no clean-up, but may
    // block this process for ever, so there an interrupt ends the process.
    let is_stream = irregular_file(path).is_some();
    let listening = if is_stream { None } else { Some(Interrupts::listen()) };
    let mut interrupts = listening.transpose().context("could not listen to interrupts")?;
    let interrupted = async {
        match &mut interrupts {
            Some(interrupts) => interrupts.asked().await,
            None => pending().await,
        }
    };
    let file = OutputFile::create(path, context.stores.file()).with_context(attempt)?;
    let written = tokio::select! {
        written = write_file(&scope, (path, file), context) => written,
        () = interrupted => {
            complain(&format!("interrupted: {} is as it was", path.display()));
            return Ok(Ending::Interrupted);
        }
    };
    let (file, damaged) = written.with_context(attempt)?;
    file.finish().with_context(attempt)?;
    Ok(LeftOut::from(damaged).conclude())
}

/// Writes all shops, compressed if the file's name says so, and returns the file.
async fn write_file(
    scope: &Scope,
    (path, file): (&Path, OutputFile),
    context: &Context,
) -> anyhow::Result<(OutputFile, Vec<Damage>)> {
    if !is_gzip(path) {
        return write(scope, file, context).await;
    }
    let compressed = GzEncoder::new(file, Compression::default());
    let (compressed, damaged) = write(scope, compressed, context).await?;
    Ok((compressed.finish()?, damaged))
}

/// Writes all shops. Returns the file, and the damage of each shop that was left out.
async fn write<W: Write + Send>(
    scope: &Scope,
    mut file: W,
    context: &Context,
) -> anyhow::Result<(W, Vec<Damage>)> {
    if context.output.json {
        let damaged = visit(context, scope, usize::MAX, |shop| {
            Ok(writeln!(file, "{}", serde_json::to_string(&api::Shop::from(shop))?)?)
        });
        let damaged = damaged.await?;
        file.flush()?;
        return Ok((file, damaged));
    }
    let mut rows = csv::Writer::from_writer(file);
    rows.write_record(EXPORTED)?;
    let row = |shop: &ListedShop| Ok(rows.write_record(record(shop))?);
    let damaged = visit(context, scope, usize::MAX, row).await?;
    rows.flush()?;
    Ok((rows.into_inner().map_err(csv::IntoInnerError::into_error)?, damaged))
}

/// Returns a row in the order of [`EXPORTED`].
fn record(listed: &ListedShop) -> [String; EXPORTED.len()] {
    let (decided_by, campaign) = decided_by(listed);
    let shop = &listed.shop;
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
        campaign,
        shop.state.version.to_string(),
    ]
}
