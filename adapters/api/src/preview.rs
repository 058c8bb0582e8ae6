//! What a campaign would change, as programs read it.

use catchment_application::{EndPreview, Forecast, StartPreview};
use catchment_domain::Radius;
use serde::{Deserialize, Serialize};

/// What a start or an end of a campaign would change. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// How many shops would be asked. For an end: where the campaign is in force.
    pub shops: u64,
    /// At how many shops the radius would change.
    pub changed: u64,
    /// At how many shops the radius would stay the same.
    pub unchanged: u64,
    /// How many shops would reject the campaign.
    pub rejected: u64,
    /// How many shops of a campaign would be released: of the one that is ended, or of the one that
    /// is replaced and has shops that the new one does not reach.
    pub released: u64,
    /// The narrowest radius afterwards, in metres.
    pub narrowest: Option<u32>,
    /// The widest radius afterwards, in metres.
    pub widest: Option<u32>,
    /// The regions, those in which the most shops would change first.
    pub regions: Vec<RegionPreview>,
}

/// What would change in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionPreview {
    /// The region.
    pub region: String,
    /// How many shops would be asked.
    pub shops: u64,
    /// At how many shops the radius would change.
    pub changed: u64,
}

impl Preview {
    fn new(forecast: &Forecast, unknown: u64, released: u64) -> Self {
        let regions = forecast.regions().into_iter().map(|(name, region)| RegionPreview {
            region: name.to_owned(),
            shops: region.shops,
            changed: region.changed,
        });
        Self {
            shops: forecast.shops + unknown,
            changed: forecast.changed,
            unchanged: forecast.unchanged(),
            rejected: forecast.rejected + unknown,
            released,
            narrowest: forecast.range.map(|(narrowest, _)| narrowest).map(Radius::metres),
            widest: forecast.range.map(|(_, widest)| widest).map(Radius::metres),
            regions: regions.collect(),
        }
    }
}

impl From<&StartPreview> for Preview {
    fn from(preview: &StartPreview) -> Self {
        Self::new(&preview.forecast, preview.unknown, preview.released)
    }
}

impl From<&EndPreview> for Preview {
    fn from(preview: &EndPreview) -> Self {
        Self::new(&preview.forecast, 0, preview.forecast.shops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_counts_unknown_ids_as_rejected() {
        let preview = StartPreview { forecast: Forecast::default(), unknown: 2, released: 1 };
        insta::assert_json_snapshot!(Preview::from(&preview), @r#"
        {
          "shops": 2,
          "changed": 0,
          "unchanged": 0,
          "rejected": 2,
          "released": 1,
          "narrowest": null,
          "widest": null,
          "regions": []
        }
        "#);
    }

    #[test]
    fn an_end_releases_the_shops_where_the_campaign_is_in_force() {
        let metres = |metres: u32| Radius::try_from(metres).unwrap();
        let mut forecast = Forecast::default();
        (forecast.shops, forecast.changed) = (3, 2);
        forecast.range = Some((metres(1_000), metres(5_000)));
        let preview = EndPreview { forecast, damaged: Vec::new() };
        insta::assert_json_snapshot!(Preview::from(&preview), @r#"
        {
          "shops": 3,
          "changed": 2,
          "unchanged": 1,
          "rejected": 0,
          "released": 3,
          "narrowest": 1000,
          "widest": 5000,
          "regions": []
        }
        "#);
    }
}
