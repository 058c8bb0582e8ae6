//! Scopes: which shops a campaign is for.

use std::collections::BTreeSet;

use crate::shop::{Location, Profile, ShopId};

/// Which shops: those that match every condition that is set. No condition is everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// One of these shops.
    pub ids: Option<BTreeSet<ShopId>>,
    /// In one of these regions; empty = in any.
    pub regions: BTreeSet<String>,
    /// Of one of these categories; empty = of any.
    pub categories: BTreeSet<String>,
    /// In this circle.
    pub within: Option<Circle>,
}

/// A circle on the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// Its middle.
    pub centre: Location,
    /// How far from it, in metres; its edge counts as inside.
    pub metres: f64,
}

impl Circle {
    /// Latitudes and longitudes that no shop of the circle lies outside of, in degrees:
    /// south, north, west, east. A coarse bound for a database; `contains` has the last word.
    #[must_use]
    pub fn bounds(&self) -> [f64; 4] {
        // A degree of latitude is nowhere shorter than this on the sphere of `metres_to`.
        const METRES_A_DEGREE: f64 = 111_000.0;
        let height = self.metres / METRES_A_DEGREE;
        let (south, north) = (self.centre.latitude() - height, self.centre.latitude() + height);
        let narrowest = south.abs().max(north.abs()).to_radians().cos();
        let width = height / narrowest;
        let (west, east) = (self.centre.longitude() - width, self.centre.longitude() + width);
        if 89.0 < south.abs().max(north.abs()) || west <= -180.0 || 180.0 <= east {
            return [south.max(-90.0), north.min(90.0), -180.0, 180.0];
        }
        [south, north, west, east]
    }

    /// Whether a place lies in the circle.
    #[must_use]
    pub fn contains(&self, location: Location) -> bool {
        self.centre.metres_to(location) <= self.metres
    }
}

impl Scope {
    /// Every shop there is.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether it is a list of shops and nothing else. Such a scope holds each shop that it
    /// names, one that is not there too: so the caller learns the outcome of every one.
    #[must_use]
    pub fn named_only(&self) -> Option<&BTreeSet<ShopId>> {
        let others = self.regions.is_empty() && self.categories.is_empty() && self.within.is_none();
        self.ids.as_ref().filter(|_| others)
    }

    /// Whether a shop belongs to it.
    #[must_use]
    pub fn contains(&self, id: &ShopId, profile: &Profile) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(id))
            && (self.regions.is_empty() || self.regions.contains(&profile.region))
            && (self.categories.is_empty() || self.categories.contains(&profile.category))
            && self.within.is_none_or(|circle| circle.contains(profile.location))
    }
}
