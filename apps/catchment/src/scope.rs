//! The options that select shops, and their meaning in this database.

use anyhow::{Context as _, bail};
use catchment_application::{ResolvedScope, UseCaseError, has_shop, resolve_scope};
use catchment_bootstrap::stores::Stores;
use catchment_domain::{Circle, Location, Radius, Scope, ShopId};
use clap::Args;

use crate::csv_file::Source;
use crate::id_file::{self, IdFile};
use crate::number::counted;
use crate::output::note;

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
    /// The shops of this file: one id a line, or CSV with a column `id`, `shop_id`, `shop`,
    /// `store_id` or `store`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    ids: Option<String>,
    #[command(flatten)]
    filter: FilterArguments,
}

impl FilterArguments {
    fn scope(&self) -> Scope {
        Scope {
            ids: None,
            regions: self.region.iter().cloned().collect(),
            categories: self.category.iter().cloned().collect(),
            within: self.within,
        }
    }

    /// Returns the scope, and checks that its regions and categories exist.
    ///
    /// # Errors
    ///
    /// When a region or a category does not exist.
    pub(crate) async fn resolve(&self, stores: &Stores) -> anyhow::Result<Scope> {
        Ok(resolve_scope(&*stores.shops, self.scope()).await?.into())
    }
}

impl ScopeArguments {
    /// Returns the scope, and checks that its regions and categories exist.
    ///
    /// # Errors
    ///
    /// When a region or a category does not exist, or the list of ids cannot be read or names no
    /// shop.
    pub(crate) async fn resolve(&self, stores: &Stores) -> anyhow::Result<ResolvedScope> {
        let scope = self.filter.scope();
        let Some(file) = self.ids.as_deref() else {
            return Ok(resolve_scope(&*stores.shops, scope).await?);
        };
        let source = Source::from(file);
        let read = id_file::read(&source);
        let IdFile { ids, first, column } =
            read.with_context(|| format!("could not read ids from {source}"))?;
        let Some(example) = ids.first().map(id_file::shown) else {
            bail!("there is no shop id in {source}");
        };
        if let Some(column) = column {
            note(format_args!("{source}: the ids are those of its column `{column}`"));
        }
        let count = counted(ids.len() as u64, "id");
        let advice = first.as_ref().map(id_file::advice);
        match resolve_scope(&*stores.shops, Scope { ids: Some(ids), ..scope }).await {
            Ok(scope) => {
                note_header(first, &source, stores).await?;
                Ok(scope)
            }
            Err(UseCaseError::Invalid(error)) if error.field == "ids" => {
                let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                bail!("there is no shop of the {count} in {source}, such as `{example}`{advice}");
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Names a first line that is not a shop, because it may be a header.
async fn note_header(
    first: Option<ShopId>,
    source: &Source,
    stores: &Stores,
) -> anyhow::Result<()> {
    let Some(first) = first else { return Ok(()) };
    let (shown, advice) = (id_file::shown(&first), id_file::advice(&first));
    if !has_shop(&*stores.shops, &[first].into()).await? {
        note(format_args!("{source}: there is no shop `{shown}`; {advice}"));
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
}
