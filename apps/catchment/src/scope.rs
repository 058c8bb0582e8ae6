//! Which shops a command is for: the options, and what they mean in this database.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context as _, anyhow, bail};
use catchment_bootstrap::nearest::suggest;
use catchment_domain::{Circle, Location, Radius, Scope, ShopId};
use clap::Args;

use crate::shop_file::{RECORD_MAX, Source};
use crate::stores::Stores;

/// Conditions that shops meet, all at once.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FilterArguments {
    /// In this region; given several times: in one of them.
    #[arg(long, value_name = "R")]
    region: Vec<String>,
    /// Of this category; given several times: of one of them.
    #[arg(long, value_name = "C")]
    category: Vec<String>,
    /// In this circle, such as 37.5665,126.978,3km.
    #[arg(
        long, value_name = "LAT,LON,RADIUS",
        value_parser = parse_circle, allow_hyphen_values = true
    )]
    within: Option<Circle>,
}

/// The shops of a campaign: conditions, a list, or everything; something must be said.
#[derive(Clone, Debug, Args)]
#[group(
    id = "scope", required = true, multiple = true,
    args = ["all", "ids", "region", "category", "within"]
)]
pub(crate) struct ScopeArguments {
    /// Every shop.
    #[arg(long, conflicts_with_all = ["ids", "region", "category", "within"])]
    all: bool,
    /// The shops of this file, one id a line; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    ids: Option<String>,
    #[command(flatten)]
    filter: FilterArguments,
}

impl FilterArguments {
    /// The scope, of regions and categories that there are.
    ///
    /// # Errors
    ///
    /// When there is no such region or category.
    pub(crate) async fn resolve(&self, stores: &Stores) -> anyhow::Result<Scope> {
        if !self.region.is_empty() {
            check_known("region", &self.region, &stores.shops.regions().await?)?;
        }
        if !self.category.is_empty() {
            check_known("category", &self.category, &stores.shops.categories().await?)?;
        }
        Ok(Scope {
            ids: None,
            regions: self.region.iter().cloned().collect(),
            categories: self.category.iter().cloned().collect(),
            within: self.within,
        })
    }
}

impl ScopeArguments {
    /// The scope, of regions and categories that there are.
    ///
    /// # Errors
    ///
    /// When there is no such region or category, or the list of ids cannot be read.
    pub(crate) async fn resolve(&self, stores: &Stores) -> anyhow::Result<Scope> {
        let scope = self.filter.resolve(stores).await?;
        let ids = self.ids.as_deref().map(|file| read_ids(&Source::from(file))).transpose()?;
        Ok(Scope { ids, ..scope })
    }
}

fn check_known(what: &str, names: &[String], known: &[String]) -> anyhow::Result<()> {
    for name in names {
        if !known.contains(name) {
            let hint = suggest(name, known.iter().map(String::as_str));
            bail!("there is no {what} `{name}`{hint}");
        }
    }
    Ok(())
}

fn parse_circle(text: &str) -> Result<Circle, String> {
    let expected = || "expected a circle such as `37.5665,126.978,3km`".to_owned();
    let mut parts = text.split(',').map(str::trim);
    let (Some(latitude), Some(longitude), Some(radius), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(expected());
    };
    let degrees = |text: &str| text.parse::<f64>().map_err(|_| expected());
    let centre = Location::new(degrees(latitude)?, degrees(longitude)?);
    let radius: Radius = radius.parse().map_err(|error| format!("{error}"))?;
    Ok(Circle {
        centre: centre.map_err(|error| error.to_string())?,
        metres: f64::from(radius.metres()),
    })
}

/// Reads one id a line. Blank lines do not count, and an id counts once.
fn read_ids(source: &Source) -> anyhow::Result<BTreeSet<ShopId>> {
    let attempt = || format!("could not read ids from {source}");
    let mut reader = BufReader::new(source.open().with_context(attempt)?);
    let mut ids = BTreeSet::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let count = (&mut reader).take(RECORD_MAX).read_until(b'\n', &mut line);
        if count.with_context(attempt)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map(str::trim);
        if text == Ok("") {
            continue;
        }
        let id = text.map_err(|_| anyhow!("it is not UTF-8")).and_then(|id| Ok(id.parse()?));
        ids.insert(id.with_context(|| format!("line {number}")).with_context(attempt)?);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_a_place_and_a_radius() {
        let circle = parse_circle("-33.8, 151.2, 1.5km").unwrap();
        assert_eq!(circle.centre, Location::new(-33.8, 151.2).unwrap());
        assert_eq!(circle.metres.to_string(), "1500");
        for (text, expected) in [
            ("37.5,127", "expected a circle such as `37.5665,126.978,3km`"),
            ("a,127,3km", "expected a circle such as `37.5665,126.978,3km`"),
            ("91,127,3km", "a latitude lies between -90 and 90 degrees"),
            ("NaN,127,3km", "a latitude lies between -90 and 90 degrees"),
            ("37,127,3 parsecs", "expected a distance such as `3km` or `1500m`"),
        ] {
            assert_eq!(parse_circle(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn ids_are_trimmed_and_counted_once() {
        let ids = |text: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            read_ids(&Source::Path(file.path().into()))
        };
        let read = ids(b" b \r\n\n  \na\nb").unwrap();
        assert_eq!(read.iter().map(ShopId::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert!(ids(b"").unwrap().is_empty());
        for bad in [&b"a\n\xff\n"[..], b"a\nx\x07y\n", &b"x".repeat(3 << 20)] {
            let error = format!("{:#}", ids(bad).unwrap_err());
            assert!(error.contains(": line "), "{error}");
        }
    }
}
