//! Scopes: which shops belong to one, and that a circle's bounds lose none of its places.

use std::collections::BTreeSet;

use catchment_domain::{Circle, Location, Profile, Scope, ShopId};
use proptest::prelude::*;

fn location(latitude: f64, longitude: f64) -> Location {
    Location::new(latitude, longitude).unwrap()
}

fn profile(region: &str, category: &str, location: Location) -> Profile {
    Profile { name: "shop".into(), category: category.into(), region: region.into(), location }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_shop_belongs_where_every_condition_holds() {
    let (seoul, near) = (location(37.5665, 126.978), location(37.57, 126.978));
    let id: ShopId = "1".parse().unwrap();
    let everything = Scope::everything();
    let ids = |name: &str| Some(BTreeSet::from([name.parse().unwrap()]));
    let within = |metres| Some(Circle { centre: seoul, metres });
    let check = |scope: &Scope, expected| {
        assert_eq!(scope.contains(&id, &profile("Jung", "cafe", near)), expected, "{scope:?}");
    };
    check(&everything, true);
    for (named, expected) in [("1", true), ("2", false)] {
        check(&Scope { ids: ids(named), ..everything.clone() }, expected);
    }
    for (region, expected) in [("Jung", true), ("Mapo", false), ("jung", false)] {
        check(&Scope { regions: names(["Nowon", region]), ..everything.clone() }, expected);
    }
    for (category, expected) in [("cafe", true), ("bar", false)] {
        check(&Scope { categories: names(["pub", category]), ..everything.clone() }, expected);
    }
    // 0.0035 degrees of latitude are 389.2 m.
    for (metres, expected) in [(390.0, true), (389.0, false), (0.0, false)] {
        check(&Scope { within: within(metres), ..everything.clone() }, expected);
    }
    let all = Scope {
        ids: ids("1"),
        regions: names(["Jung"]),
        categories: names(["cafe"]),
        within: within(390.0),
    };
    check(&all, true);
    check(&Scope { ids: ids("2"), ..all.clone() }, false);
    check(&Scope { ids: Some(BTreeSet::new()), ..all.clone() }, false);
    check(&Scope { regions: names(["Mapo"]), ..all.clone() }, false);
    check(&Scope { categories: names(["bar"]), ..all.clone() }, false);
    check(&Scope { within: within(1.0), ..all }, false);
}

#[test]
fn a_list_of_ids_and_nothing_else_is_named_only() {
    let ids: BTreeSet<ShopId> = BTreeSet::from(["1".parse().unwrap()]);
    let named = Scope { ids: Some(ids.clone()), ..Scope::default() };
    assert_eq!(named.named_only(), Some(&ids));
    let circle = Circle { centre: location(0.0, 0.0), metres: 1.0 };
    for other in [
        Scope::everything(),
        Scope { regions: names(["Jung"]), ..named.clone() },
        Scope { categories: names(["cafe"]), ..named.clone() },
        Scope { within: Some(circle), ..named },
    ] {
        assert_eq!(other.named_only(), None, "{other:?}");
    }
}

/// A place may lie on the map's edge, where it has two longitudes, and at a pole, where it has
/// all of them.
fn any_location() -> impl Strategy<Value = Location> {
    let latitude = prop_oneof![
        4 => -90.0..=90.0_f64,
        1 => 88.0..=90.0_f64,
        1 => -90.0..=-88.0_f64,
        1 => prop::sample::select(vec![-90.0, 0.0, 90.0]),
    ];
    let longitude = prop_oneof![
        4 => -180.0..=180.0_f64,
        1 => 179.0..=180.0_f64,
        1 => -180.0..=-179.0_f64,
        1 => prop::sample::select(vec![-180.0, 0.0, 180.0]),
    ];
    (latitude, longitude).prop_map(|(latitude, longitude)| location(latitude, longitude))
}

/// The place at a distance (as an angle at the Earth's centre) and a course from another.
fn place_at(from: Location, angle: f64, course: f64) -> Location {
    let (latitude, longitude) = (from.latitude().to_radians(), from.longitude().to_radians());
    let height = latitude.sin() * angle.cos() + latitude.cos() * angle.sin() * course.cos();
    let there = height.clamp(-1.0, 1.0).asin();
    let east = (course.sin() * angle.sin() * latitude.cos())
        .atan2(angle.cos() - latitude.sin() * there.sin());
    let degrees = (longitude + east).to_degrees();
    let around = if degrees < -180.0 {
        degrees + 360.0
    } else if 180.0 < degrees {
        degrees - 360.0
    } else {
        degrees
    };
    location(there.to_degrees().clamp(-90.0, 90.0), around.clamp(-180.0, 180.0))
}

/// From a room to half the globe.
fn any_metres() -> impl Strategy<Value = f64> {
    (0.0..=7.4_f64).prop_map(|exponent| 10.0_f64.powf(exponent))
}

fn check_bounds(circle: Circle, place: Location) -> Result<(), TestCaseError> {
    let [south, north, west, east] = circle.bounds();
    let inside =
        (south..=north).contains(&place.latitude()) && (west..=east).contains(&place.longitude());
    prop_assert!(inside || !circle.contains(place), "{place:?} of {circle:?}");
    Ok(())
}

/// The distance by the angle between two vectors from the Earth's centre.
fn naive_metres(from: Location, to: Location) -> f64 {
    let vector = |place: Location| {
        let (latitude, longitude) = (place.latitude().to_radians(), place.longitude().to_radians());
        let flat = latitude.cos();
        [flat * longitude.cos(), flat * longitude.sin(), latitude.sin()]
    };
    let (from, to) = (vector(from), vector(to));
    let length_with = |sign: f64| {
        let parts = from.iter().zip(to).map(|(one, other)| (one + sign * other).powi(2));
        parts.sum::<f64>().sqrt()
    };
    6_371_008.8 * 2.0 * length_with(-1.0).atan2(length_with(1.0))
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let some = |names: &'static [&'static str]| {
        prop::collection::btree_set(prop::sample::select(names).prop_map(str::to_owned), 0..3)
    };
    let ids = prop::collection::btree_set(
        prop::sample::select(&["1", "2", "3"][..]).prop_map(|id| id.parse().unwrap()),
        0..3,
    );
    let circle =
        (any_location(), any_metres()).prop_map(|(centre, metres)| Circle { centre, metres });
    (prop::option::of(ids), some(&["a", "b"]), some(&["c", "d"]), prop::option::of(circle))
        .prop_map(|(ids, regions, categories, within)| Scope { ids, regions, categories, within })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prop_same_as_naive(
        scope in any_scope(),
        id in prop::sample::select(&["1", "2", "3"][..]),
        region in prop::sample::select(&["a", "b"][..]),
        category in prop::sample::select(&["c", "d"][..]),
        place in any_location(),
    ) {
        let mut belongs = true;
        if let Some(ids) = &scope.ids {
            belongs &= ids.iter().any(|other| other.as_str() == id);
        }
        if !scope.regions.is_empty() {
            belongs &= scope.regions.iter().any(|other| other == region);
        }
        if !scope.categories.is_empty() {
            belongs &= scope.categories.iter().any(|other| other == category);
        }
        if let Some(circle) = scope.within {
            let metres = naive_metres(circle.centre, place);
            // On the very edge the last bit decides.
            prop_assume!(0.01 < (metres - circle.metres).abs());
            belongs &= metres < circle.metres;
        }
        let profile = profile(region, category, place);
        prop_assert_eq!(scope.contains(&id.parse().unwrap(), &profile), belongs);
    }

    #[test]
    fn prop_bounds_exclude_no_place_of_the_circle(
        centre in any_location(), metres in any_metres(), place in any_location()
    ) {
        check_bounds(Circle { centre, metres }, place)?;
    }

    /// Places just inside the edge, where bounds that are too narrow would show.
    #[test]
    fn prop_bounds_exclude_no_place_at_the_edge(
        centre in any_location(),
        metres in any_metres(),
        share in 0.99..1.0_f64,
        course in 0.0..std::f64::consts::TAU,
    ) {
        let circle = Circle { centre, metres };
        check_bounds(circle, place_at(centre, metres * share / 6_371_008.8, course))?;
    }
}
