//! Shops: what they are, and what is in force at each of them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::cause::{Causes, Effect, ReleasedCause};
use crate::lane::{Lane, Lanes, murmur2};
use crate::outcome::Standing;
use crate::precedence::{Resolution, resolve};
use crate::radius::Radius;
use crate::revision::Revision;

/// The name of a shop for machines: 1 to 128 bytes, without control characters or blanks
/// at either end. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopId(Arc<str>);

impl ShopId {
    /// The most bytes that an id has.
    pub const MAX_LENGTH: usize = 128;

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShopId {
    type Err = ShopIdError;

    fn from_str(text: &str) -> Result<Self, ShopIdError> {
        let allowed = !text.is_empty()
            && text.len() <= Self::MAX_LENGTH
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if allowed { Ok(Self(text.into())) } else { Err(ShopIdError) }
    }
}

impl fmt::Display for ShopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ShopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no shop id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a shop id is 1 to 128 bytes without control characters or blanks at its ends")]
pub struct ShopIdError;

/// A hash of a shop's id. Receipts use it because an id would take too much room. It is the murmur2
/// hash that also chooses the shop's lane. Of 500,000 shops about 30 pairs share a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShopFingerprint(NonZeroU32);

impl ShopFingerprint {
    /// The fingerprint of a shop.
    #[must_use]
    pub fn of(shop: &ShopId) -> Self {
        Self::from_number(murmur2(shop.as_str().as_bytes())).unwrap_or(Self(NonZeroU32::MIN))
    }

    /// The fingerprint with this number; `None` for 0, because no fingerprint is 0.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number, never 0.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// A place on the map (WGS84): latitude from -90 to 90 degrees, longitude from -180 to 180.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Location {
    latitude: f64,
    longitude: f64,
}

impl Location {
    /// The place at these degrees.
    ///
    /// # Errors
    ///
    /// When one is no number or outside its range.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, LocationError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(LocationError::Latitude);
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(LocationError::Longitude);
        }
        Ok(Self { latitude, longitude })
    }

    /// Degrees north.
    #[must_use]
    pub const fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east.
    #[must_use]
    pub const fn longitude(self) -> f64 {
        self.longitude
    }

    /// The distance along a sphere of 6,371,008.8 m radius (the IUGG's mean radius of the
    /// Earth), by the haversine formula, in metres.
    #[must_use]
    pub fn metres_to(self, other: Self) -> f64 {
        const EARTH_METRES: f64 = 6_371_008.8;
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_height = (to - from) / 2.0;
        let half_width = (other.longitude - self.longitude).to_radians() / 2.0;
        let chord = half_height.sin().powi(2) + from.cos() * to.cos() * half_width.sin().powi(2);
        2.0 * EARTH_METRES * chord.sqrt().min(1.0).asin()
    }
}

/// Why two numbers are no place on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LocationError {
    /// The latitude is out of range.
    #[error("a latitude lies between -90 and 90 degrees")]
    Latitude,
    /// The longitude is out of range.
    #[error("a longitude lies between -180 and 180 degrees")]
    Longitude,
}

/// What a shop is, apart from its radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name for people.
    pub name: String,
    /// What it sells, such as `cafe`.
    pub category: String,
    /// The district it lies in.
    pub region: String,
    /// Where it is.
    pub location: Location,
}

/// The radius of a shop while nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// How far the shop delivers.
    pub radius: Radius,
    /// When it was set: a change with a lower revision comes too late.
    pub revision: Revision,
    /// What setting it did, for repeats of that request.
    pub effect: Effect,
}

impl Base {
    /// Whether the database never gave out the revision of this base radius. Only an overruling
    /// import replaces such a base radius. `newest` is the newest revision that was given out; the
    /// caller must read it after the shop.
    #[must_use]
    pub fn is_of_unknown_revision(&self, newest: Revision) -> bool {
        newest < self.revision
    }
}

/// What is in force at a shop: all that a request can change, and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopState {
    /// The radius while nothing limits it.
    pub base: Base,
    /// The radius now.
    pub radius: Radius,
    /// Rises with every change.
    pub version: u64,
    /// What limits the radius.
    pub active: Causes,
    /// Campaigns that are over here, in their order, kept so that late copies are noticed.
    pub released: Vec<ReleasedCause>,
}

impl ShopState {
    /// A shop that nothing limits.
    #[must_use]
    pub const fn new(base: Radius, revision: Revision) -> Self {
        Self {
            base: Base { radius: base, revision, effect: Effect::Applied },
            radius: base,
            version: 1,
            active: Causes::NONE,
            released: Vec::new(),
        }
    }

    /// What the radius should be by base, floor and active causes, and why.
    #[must_use]
    pub fn resolution(&self, floor: Radius) -> Resolution {
        resolve(self.base.radius, floor, &self.active)
    }

    /// Takes over a base radius from a file of shops, if the file names one, and resolves the
    /// radius again. Returns the shop's new standing.
    ///
    /// Released causes stay: only the owner of the shop's lane may drop them.
    pub fn import(&mut self, base: Option<Radius>, revision: Revision, floor: Radius) -> Standing {
        if let Some(radius) = base {
            self.base = Base { radius, revision, effect: Effect::Unchanged };
        }
        let before = self.radius;
        let Resolution { radius, decided_by } = self.resolution(floor);
        self.radius = radius;
        if self.base.revision == revision && before != radius {
            self.base.effect = Effect::Applied;
        }
        self.version += 1;
        Standing { before: Some(before), after: radius, decided_by, version: self.version }
    }
}

/// A shop with everything that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shop {
    /// Its id.
    pub id: ShopId,
    /// What it is.
    pub profile: Profile,
    /// What is in force there.
    pub state: ShopState,
}

/// Where a list of shops goes on: behind this shop, in the order of lane and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShopCursor {
    /// The lane of the last shop that was seen.
    pub lane: Lane,
    /// Its id.
    pub id: ShopId,
}

impl ShopCursor {
    /// Behind this shop.
    #[must_use]
    pub fn behind(id: &ShopId, lanes: Lanes) -> Self {
        Self { lane: lanes.lane_of(id), id: id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_visible_text() {
        for text in ["1", "seoul-00001", "a b", "가게", &"x".repeat(128)] {
            assert_eq!(text.parse::<ShopId>().unwrap().as_str(), text);
        }
        for text in ["", " a", "a ", "a\nb", "a\0", &"x".repeat(129)] {
            assert_eq!(text.parse::<ShopId>(), Err(ShopIdError), "{text:?}");
        }
    }

    #[test]
    fn a_fingerprint_tells_shops_apart_and_is_never_zero() {
        let of = |id: &str| ShopFingerprint::of(&id.parse().unwrap());
        // This value is from Kafka's own test of the hash.
        assert_eq!(of("foobar").get().cast_signed(), -790_332_482);
        assert_eq!(ShopFingerprint::from_number(of("a").get()), Some(of("a")));
        assert_ne!(of("a"), of("b"));
        assert_eq!(ShopFingerprint::from_number(0), None);
    }

    #[test]
    fn a_location_lies_on_the_globe() {
        assert!(Location::new(90.0, -180.0).is_ok());
        assert_eq!(Location::new(91.0, 0.0), Err(LocationError::Latitude));
        assert_eq!(Location::new(f64::NAN, 0.0), Err(LocationError::Latitude));
        assert_eq!(Location::new(0.0, 180.1), Err(LocationError::Longitude));
        assert_eq!(Location::new(0.0, f64::INFINITY), Err(LocationError::Longitude));
    }

    #[test]
    fn distances_agree_with_known_ones() {
        let london = Location::new(51.5074, -0.1278).unwrap();
        let seoul = Location::new(37.5665, 126.9780).unwrap();
        assert!((london.metres_to(seoul) - 8_855_000.0).abs() < 10_000.0);
        assert!(london.metres_to(london) < 0.001);
        let (east, west) =
            (Location::new(0.0, 180.0).unwrap(), Location::new(0.0, -180.0).unwrap());
        assert!(east.metres_to(west) < 0.001);
    }
}
