//! A city for trials: the same seed gives the same shops on every machine.

use catchment_domain::{Location, Profile, Radius, ShopId, ShopImport};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The base radius of every shop of the city.
const BASE_METRES: u32 = 5_000;

/// The districts of the city (after those of Seoul): name, middle, and how busy the district is.
const REGIONS: [(&str, f64, f64, u64); 25] = [
    ("Dobong-gu", 37.669, 127.047, 2),
    ("Dongdaemun-gu", 37.574, 127.040, 4),
    ("Dongjak-gu", 37.512, 126.940, 3),
    ("Eunpyeong-gu", 37.603, 126.929, 4),
    ("Gangbuk-gu", 37.640, 127.026, 3),
    ("Gangdong-gu", 37.530, 127.124, 4),
    ("Gangnam-gu", 37.517, 127.047, 11),
    ("Gangseo-gu", 37.551, 126.850, 5),
    ("Geumcheon-gu", 37.457, 126.896, 3),
    ("Guro-gu", 37.495, 126.888, 4),
    ("Gwanak-gu", 37.478, 126.952, 5),
    ("Gwangjin-gu", 37.539, 127.083, 4),
    ("Jongno-gu", 37.573, 126.979, 5),
    ("노원구", 37.654, 127.057, 4),
    ("마포구", 37.566, 126.902, 7),
    ("서대문구", 37.579, 126.937, 4),
    ("서초구", 37.484, 127.033, 7),
    ("성동구", 37.563, 127.037, 4),
    ("성북구", 37.589, 127.017, 4),
    ("송파구", 37.515, 127.106, 7),
    ("양천구", 37.517, 126.867, 4),
    ("영등포구", 37.526, 126.896, 5),
    ("용산구", 37.532, 126.990, 4),
    ("중구", 37.564, 126.997, 5),
    ("중랑구", 37.606, 127.093, 3),
];

const CATEGORIES: [(&str, u64); 8] = [
    ("cafe", 22),
    ("korean", 24),
    ("chicken", 15),
    ("pizza", 7),
    ("burger", 8),
    ("chinese", 9),
    ("bakery", 6),
    ("convenience", 9),
];

const FIRST_NAMES: [&str; 16] = [
    "한강",
    "남산",
    "청춘",
    "맛있는",
    "할머니",
    "우리",
    "행복한",
    "바다",
    "Seoul",
    "Golden",
    "Little",
    "Lucky",
    "Blue",
    "Corner",
    "Sunny",
    "Old Town",
];

/// The number of places in a district where shops crowd.
const CLUSTERS: usize = 6;

/// Yields shops without end: clusters in every district, more in busy districts.
#[derive(Debug)]
pub(crate) struct City {
    random: ChaCha8Rng,
    clusters: Vec<[Place; CLUSTERS]>,
    next: u64,
}

/// A place in degrees of latitude and longitude.
type Place = (f64, f64);

impl City {
    /// Makes the city of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let clusters = REGIONS
            .iter()
            .map(|(_, latitude, longitude, _)| {
                std::array::from_fn(|_| scattered(&mut random, (*latitude, *longitude), 0.010))
            })
            .collect();
        Self { random, clusters, next: 1 }
    }

    fn shop(&mut self) -> Option<ShopImport> {
        let id: ShopId = format!("gen-{:06}", self.next).parse().ok()?;
        let region_at = pick(&mut self.random, REGIONS.iter().map(|region| region.3));
        let category_at = pick(&mut self.random, CATEGORIES.iter().map(|category| category.1));
        let cluster_at = below(&mut self.random, CLUSTERS);
        let name_at = below(&mut self.random, FIRST_NAMES.len());
        let centre = *self.clusters.get(region_at)?.get(cluster_at)?;
        let (latitude, longitude) = scattered(&mut self.random, centre, 0.003);
        let (region, ..) = REGIONS.get(region_at)?;
        let (category, _) = CATEGORIES.get(category_at)?;
        let name = format!("{} {category} {}", FIRST_NAMES.get(name_at)?, self.next);
        self.next += 1;
        Some(ShopImport {
            id,
            profile: Profile {
                name,
                category: (*category).to_owned(),
                region: (*region).to_owned(),
                location: Location::new(latitude, longitude).ok()?,
            },
            base: Radius::try_from(BASE_METRES).ok(),
        })
    }
}

impl Iterator for City {
    type Item = ShopImport;

    fn next(&mut self) -> Option<ShopImport> {
        self.shop()
    }
}

/// Returns a place near another, in whole millionths of a degree. The sum of twelve steps is nearly
/// a normal distribution, and every machine rounds sums alike.
fn scattered(random: &mut ChaCha8Rng, (latitude, longitude): Place, spread: f64) -> Place {
    let mut step = || {
        let sum: f64 = (0..12).map(|_| unit(random)).sum();
        (sum - 6.0) * spread
    };
    // In Seoul, a degree of longitude is about 0.8 times as long as a degree of latitude.
    let (north, east) = (step(), step() * 1.25);
    (millionths(latitude + north), millionths(longitude + east))
}

fn millionths(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// Returns a number from 0 up to, but not including, 1.
fn unit(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / (f64::from(u32::MAX) + 1.0)
}

/// Returns a number below `count`. For so small a count, the bias is negligible.
fn below(random: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(random.next_u64() % (count as u64).max(1)).unwrap_or_default()
}

/// Returns the place of one of these weights, with a probability in proportion to the weight.
fn pick(random: &mut ChaCha8Rng, weights: impl Iterator<Item = u64> + Clone) -> usize {
    let total: u64 = weights.clone().sum();
    let mut rest = random.next_u64() % total.max(1);
    for (place, weight) in weights.enumerate() {
        match rest.checked_sub(weight) {
            Some(less) => rest = less,
            None => return place,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_seed_gives_the_same_shops_on_every_machine() {
        let shop = City::new(7).nth(99_999).unwrap();
        let Profile { name, category, region, location } = &shop.profile;
        let (latitude, longitude) = (location.latitude(), location.longitude());
        assert_eq!(
            format!("{} {name} / {category} / {region} / {latitude} {longitude}", shop.id),
            "gen-100000 Old Town pizza 100000 / pizza / Gangnam-gu / 37.499517 127.038648"
        );
        assert!(City::new(7).take(100).eq(City::new(7).take(100)));
        assert!(!City::new(7).take(100).eq(City::new(8).take(100)));
    }

    #[test]
    fn the_shops_are_like_those_of_a_city() {
        let mut regions: BTreeMap<String, u32> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let seoul = Location::new(37.55, 126.99).unwrap();
        for shop in City::new(1).take(20_000) {
            assert!(shop.profile.location.metres_to(seoul) < 25_000.0, "{shop:?}");
            *regions.entry(shop.profile.region).or_default() += 1;
            assert!(ids.insert(shop.id));
        }
        assert_eq!(regions.len(), REGIONS.len());
        assert!(regions["Dobong-gu"] * 3 < regions["Gangnam-gu"]);
    }
}
