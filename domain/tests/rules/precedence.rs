//! The precedence rule: its list as a table, and its properties against a naive version.

use catchment_domain::{
    ActiveCause, DecidedBy, Effect, Limit, Origin, Radius, Rank, Resolution, Revision, TriggerKind,
    resolve,
};
use proptest::prelude::*;

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}

fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

fn campaign(revision: u64, rank: u8, limit: &str) -> ActiveCause {
    let origin = Origin::Campaign(Revision(revision));
    let limit = limit.parse().unwrap();
    ActiveCause { origin, kind: kind("k"), rank: Rank(rank), limit, effect: Effect::Unchanged }
}

fn request(name: &str, rank: u8, limit: &str) -> ActiveCause {
    let limit = limit.parse().unwrap();
    let (origin, effect) = (Origin::Request, Effect::Unchanged);
    ActiveCause { origin, kind: kind(name), rank: Rank(rank), limit, effect }
}

/// Resolves at a base radius of 5 km and a floor of 500 m.
fn check(causes: &[ActiveCause], radius: u32, decided_by: Option<&ActiveCause>) {
    let decided_by = decided_by.map_or(DecidedBy::Base, DecidedBy::cause);
    let expected = Resolution { radius: metres(radius), decided_by };
    assert_eq!(resolve(metres(5_000), metres(500), causes), expected, "{causes:?}");
}

#[test]
fn rule_1_without_a_cause_the_base_radius_counts() {
    check(&[], 5_000, None);
}

#[test]
fn rule_2_the_highest_rank_decides() {
    let (shortage, overrule) = (campaign(1, 10, "1km"), campaign(2, 20, "4km"));
    check(&[shortage, overrule], 4_000, Some(&overrule));
    let (closed, manual) = (campaign(1, 10, "closed"), request("manual", 20, "100%"));
    check(&[closed, manual], 5_000, Some(&manual));
}

#[test]
fn rule_3_among_one_rank_the_narrowest_limit_decides() {
    let (wide, narrow) = (campaign(1, 10, "3km"), campaign(2, 10, "1km"));
    check(&[wide, narrow], 1_000, Some(&narrow));
    let (narrow, wide) = (campaign(1, 10, "1km"), campaign(2, 10, "3km"));
    check(&[narrow, wide], 1_000, Some(&narrow));
    let (share, wide) = (campaign(1, 10, "50%"), campaign(2, 10, "2501m"));
    check(&[share, wide], 2_500, Some(&share));
    let (below_the_floor, closed) = (campaign(1, 10, "1m"), campaign(2, 10, "closed"));
    check(&[below_the_floor, closed], 0, Some(&closed));
    let (low, lower) = (campaign(1, 10, "400m"), campaign(2, 10, "300m"));
    check(&[low, lower], 500, Some(&lower));
}

#[test]
fn rule_3_closed_is_narrower_than_a_share_that_rounds_to_nothing() {
    let (share, closed) = (campaign(1, 10, "1%"), campaign(2, 10, "closed"));
    let resolution = resolve(metres(99), metres(50), &[share, closed]);
    let expected = Resolution { radius: Radius::CLOSED, decided_by: DecidedBy::cause(&closed) };
    assert_eq!(resolution, expected);
}

#[test]
fn rule_4_of_equals_the_oldest_is_named() {
    let (older, newer) = (campaign(1, 10, "3km"), campaign(2, 10, "3km"));
    check(&[older, newer], 3_000, Some(&older));
    let (older, newer) = (campaign(1, 10, "2500m"), campaign(2, 10, "50%"));
    check(&[older, newer], 2_500, Some(&older));
    let (dated, undated) = (campaign(9, 10, "3km"), request("a", 10, "3km"));
    check(&[dated, undated], 3_000, Some(&dated));
}

#[test]
fn rule_5_the_radius_lies_between_floor_and_base_or_is_closed() {
    for (limit, radius) in
        [("1m", 500), ("500m", 500), ("501m", 501), ("5km", 5_000), ("90km", 5_000), ("closed", 0)]
    {
        let cause = campaign(1, 10, limit);
        check(&[cause], radius, Some(&cause));
    }
    // A floor above the base is no floor for this shop.
    let cause = campaign(1, 10, "50m");
    assert_eq!(resolve(metres(300), metres(500), &[cause]).radius, metres(300));
    assert_eq!(resolve(Radius::CLOSED, metres(500), &[cause]).radius, Radius::CLOSED);
}

fn any_limit() -> impl Strategy<Value = Limit> {
    let text = prop_oneof![
        1 => Just("closed".to_owned()),
        // Few values, so that equals are common.
        4 => (1_u32..8).prop_map(|kilometres| format!("{kilometres}km")),
        2 => (1_u32..=100_000).prop_map(|metres| format!("{metres}m")),
        4 => (1_u32..=100).prop_map(|percent| format!("{percent}%")),
    ];
    text.prop_map(|text| text.parse().unwrap())
}

fn any_radius() -> impl Strategy<Value = Radius> {
    prop_oneof![0_u32..10, 0_u32..10_000, 0_u32..=100_000].prop_map(metres)
}

/// Causes in the order of their keys, as a shop holds them.
fn any_causes() -> impl Strategy<Value = Vec<ActiveCause>> {
    let cause =
        (prop::option::of(1_u64..9), prop::sample::select(vec!["a", "b"]), 0_u8..3, any_limit());
    prop::collection::vec(cause, 0..8).prop_map(|drawn| {
        let mut causes: Vec<ActiveCause> = Vec::new();
        for (revision, name, rank, limit) in drawn {
            let like = match revision {
                Some(revision) => campaign(revision, rank, "closed"),
                None => request(name, rank, "closed"),
            };
            causes.push(ActiveCause { limit, ..like });
        }
        causes.sort_by_key(ActiveCause::key);
        causes.dedup_by_key(|cause| cause.key());
        causes
    })
}

/// Whether `cause` goes before `other` when a radius is decided.
fn goes_before(cause: &ActiveCause, other: &ActiveCause, base: u32) -> bool {
    // Closed lies below every number of metres.
    let asked = |cause: &ActiveCause| match cause.limit {
        Limit::Closed => -1,
        Limit::Metres(limit) => i64::from(limit.radius().metres()),
        Limit::Percent(share) => i64::from(base) * i64::from(share.get()) / 100,
    };
    if cause.rank != other.rank {
        return cause.rank > other.rank;
    }
    if asked(cause) != asked(other) {
        return asked(cause) < asked(other);
    }
    cause.key() < other.key()
}

/// The rule as prose: the cause that goes before all others, bounded by floor and base.
fn naive(base: Radius, floor: Radius, causes: &[ActiveCause]) -> Resolution {
    let first = |cause: &&ActiveCause| {
        causes
            .iter()
            .filter(|other| other.key() != cause.key())
            .all(|other| goes_before(cause, other, base.metres()))
    };
    let Some(cause) = causes.iter().find(first) else {
        return Resolution { radius: base, decided_by: DecidedBy::Base };
    };
    let asked = match cause.limit {
        Limit::Closed => 0,
        Limit::Metres(limit) => limit.radius().metres().max(floor.metres()),
        Limit::Percent(share) => (base.metres() * u32::from(share.get()) / 100).max(floor.metres()),
    };
    let radius = metres(asked.min(base.metres()));
    Resolution { radius, decided_by: DecidedBy::cause(cause) }
}

proptest! {
    #[test]
    fn prop_same_as_naive(base in any_radius(), floor in any_radius(), causes in any_causes()) {
        prop_assert_eq!(resolve(base, floor, &causes), naive(base, floor, &causes));
    }

    /// A shop holds its causes by age, so the order in which they came cannot matter. The
    /// radius does not even depend on the order in which they are held.
    #[test]
    fn prop_order_of_arrival_does_not_matter(
        base in any_radius(),
        floor in any_radius(),
        (causes, shuffled) in any_causes().prop_flat_map(|causes| {
            (Just(causes.clone()), Just(causes).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(
            resolve(base, floor, &causes).radius,
            resolve(base, floor, &shuffled).radius
        );
        let mut held = shuffled;
        held.sort_by_key(ActiveCause::key);
        prop_assert_eq!(resolve(base, floor, &causes), resolve(base, floor, &held));
    }

    #[test]
    fn prop_never_wider_than_base(
        base in any_radius(), floor in any_radius(), causes in any_causes()
    ) {
        prop_assert!(resolve(base, floor, &causes).radius <= base);
    }

    #[test]
    fn prop_only_a_closing_cause_goes_below_the_floor(
        base in any_radius(), floor in any_radius(), causes in any_causes()
    ) {
        let radius = resolve(base, floor, &causes).radius;
        let closes = causes.iter().any(|cause| cause.limit == Limit::Closed);
        prop_assert!(base.min(floor) <= radius || (closes && radius == Radius::CLOSED));
    }

    /// With one rank a further cause never widens; taking it away gives back what was.
    #[test]
    fn prop_within_one_rank_one_more_cause_never_widens(
        base in any_radius(), floor in any_radius(), causes in any_causes(), index in 0_usize..8
    ) {
        let level: Vec<ActiveCause> =
            causes.iter().map(|cause| ActiveCause { rank: Rank(1), ..*cause }).collect();
        let mut fewer = level.clone();
        if index < fewer.len() {
            fewer.remove(index);
        }
        prop_assert!(resolve(base, floor, &level).radius <= resolve(base, floor, &fewer).radius);
    }
}
