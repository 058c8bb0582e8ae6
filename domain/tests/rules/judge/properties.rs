//! Random requests against the naive version, and what holds whatever comes.

use std::collections::BTreeSet;

use catchment_domain::{
    Change, Code, Deadline, Disagreement, LaneTime, Limit, Origin, Policy, Rank, Replaced,
    Revision, ShopState, Status, Timestamp, TriggerKind, TriggerRule, judge,
};
use proptest::prelude::*;

use super::super::requests::campaign;
use super::{kind, metres, model, policy};

const KINDS: [&str; 4] = ["rider_shortage", "system_failure", "manual", "removed"];
const CAMPAIGNS: usize = 4;

/// Ten minutes, so that a released cause is kept for six of them.
fn instant(tick: i64) -> Timestamp {
    Timestamp::from_millis(tick * 600_000)
}

/// What does not change in the life of a campaign.
#[derive(Clone, Copy, Debug)]
struct Plan {
    kind: usize,
    limit: Limit,
    replaces: Option<usize>,
    /// The deadline of its newest attempt, as its end and its replacement know it.
    newest: i64,
}

#[derive(Clone, Copy, Debug)]
enum Draw {
    Activate { plan: usize, earlier: i64 },
    Release { plan: usize },
    ActivateKind { kind: usize, limit: Limit, deadline: Option<i64> },
    ReleaseKind { kind: usize, deadline: Option<i64> },
    SetBase { revision: u64, radius: u32, deadline: Option<i64> },
}

impl Draw {
    fn change(self, plans: &[Plan]) -> Change {
        let at = |tick| Deadline::at(instant(tick));
        let name = |plan: usize| campaign(plan as u64 + 1);
        match self {
            Self::Activate { plan, earlier } => Change::Activate {
                campaign: name(plan),
                kind: kind(KINDS[plans[plan].kind]),
                limit: plans[plan].limit,
                deadline: at(plans[plan].newest - earlier),
                replaces: plans[plan].replaces.map(|older| Replaced {
                    campaign: name(older),
                    deadline: at(plans[older].newest),
                }),
            },
            Self::Release { plan } => {
                Change::Release { campaign: name(plan), deadline: at(plans[plan].newest) }
            }
            Self::ActivateKind { kind: index, limit, deadline } => {
                Change::ActivateKind { kind: kind(KINDS[index]), limit, deadline: deadline.map(at) }
            }
            Self::ReleaseKind { kind: index, deadline } => {
                Change::ReleaseKind { kind: kind(KINDS[index]), deadline: deadline.map(at) }
            }
            Self::SetBase { revision, radius, deadline } => Change::SetBase {
                revision: Revision(revision),
                radius: metres(radius),
                deadline: deadline.map(at),
            },
        }
    }
}

fn any_limit() -> impl Strategy<Value = Limit> {
    prop::sample::select(vec!["closed", "300m", "1km", "2km", "2500m", "50%", "100%"])
        .prop_map(|text| text.parse().unwrap())
}

/// Campaigns of which each may replace an older one.
fn any_plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan =
        (0..KINDS.len(), any_limit(), prop::option::of(any::<prop::sample::Index>()), 0_i64..20);
    prop::collection::vec(plan, CAMPAIGNS).prop_map(|drawn| {
        let plans = drawn.into_iter().enumerate().map(|(place, (kind, limit, older, newest))| {
            let replaces = older.filter(|_| 0 < place).map(|older| older.index(place));
            Plan { kind, limit, replaces, newest }
        });
        plans.collect()
    })
}

fn any_draw() -> impl Strategy<Value = Draw> {
    let deadline = || prop::option::of(0_i64..20);
    let kind = || 0..KINDS.len();
    prop_oneof![
        6 => (0..CAMPAIGNS, 0_i64..4).prop_map(|(plan, earlier)| Draw::Activate { plan, earlier }),
        4 => (0..CAMPAIGNS).prop_map(|plan| Draw::Release { plan }),
        2 => (kind(), any_limit(), deadline())
            .prop_map(|(kind, limit, deadline)| Draw::ActivateKind { kind, limit, deadline }),
        1 => (kind(), deadline())
            .prop_map(|(kind, deadline)| Draw::ReleaseKind { kind, deadline }),
        2 => (0_u64..6, prop::sample::select(vec![0_u32, 400, 3_000, 5_000]), deadline())
            .prop_map(|(revision, radius, deadline)| Draw::SetBase { revision, radius, deadline }),
    ]
}

/// One step: the clock's time, one of the lane's two shops, the request, and whether the request
/// differs from its campaign.
type Step = (i64, usize, Draw, bool);

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let differs = prop::bool::weighted(0.1);
    prop::collection::vec((0_i64..30, 0_usize..2, any_draw(), differs), 0..40)
}

/// The check's answer about a request that shall differ from its campaign. A request without a
/// campaign cannot differ.
fn checked(change: Change, differs: bool) -> Result<(), Disagreement> {
    checked_code(change, differs)
        .map_or(Ok(()), |code| Err(Disagreement { status: Status::Rejected, code, detail: None }))
}

fn checked_code(change: Change, differs: bool) -> Option<Code> {
    let code = match change {
        Change::Activate { .. } | Change::Release { .. } => Code::CampaignDiffers,
        Change::SetBase { .. } => Code::UnknownRevision,
        Change::ActivateKind { .. } | Change::ReleaseKind { .. } => return None,
    };
    differs.then_some(code)
}

fn fresh() -> (ShopState, LaneTime) {
    let time = LaneTime { now: instant(0), expired_up_to: Deadline::MIN };
    (ShopState::new(metres(5_000), Revision(2)), time)
}

/// Kinds that fill a shop up, of the lowest rank.
fn crowd(policy: &mut Policy, size: usize) -> Vec<TriggerKind> {
    let names: Vec<TriggerKind> = (0..size).map(|n| kind(&format!("f{n}"))).collect();
    let rule = TriggerRule { rank: Rank(0), default_limit: None };
    policy.triggers.extend(names.iter().map(|name| (*name, rule)));
    names
}

/// Judges the steps and the naive version side by side.
fn check(plans: &[Plan], steps: &[Step], size: usize) -> Result<(), TestCaseError> {
    let mut policy = policy();
    let limit = "100%".parse().unwrap();
    let crowd = crowd(&mut policy, size).into_iter().map(|kind| Change::ActivateKind {
        kind,
        limit,
        deadline: None,
    });
    let drawn = steps
        .iter()
        .map(|(tick, shop, draw, differs)| (*tick, *shop, draw.change(plans), *differs));
    let (shop, mut time) = fresh();
    let mut shops = [shop.clone(), shop];
    let mut lane = model::Lane::default();
    let mut models = [(); 2].map(|()| model::Shop::new(metres(5_000), Revision(2)));
    for (tick, place, change, differs) in crowd.map(|change| (0, 0, change, false)).chain(drawn) {
        time.now = instant(tick);
        let checked = checked(change, differs);
        let outcome = judge(&mut shops[place], &change, checked, &policy, &mut time);
        let standing = outcome.standing.unwrap();
        let answer = model::Answer {
            status: outcome.status,
            code: outcome.code,
            repeat: outcome.repeat,
            after: standing.after,
            decided_by: standing.decided_by,
        };
        let refused = checked_code(change, differs);
        let expected = models[place].answer(&mut lane, time.now, &policy, change, refused);
        prop_assert_eq!(answer, expected, "{:?} at {}", change, tick);
    }
    Ok(())
}

fn campaigns(shop: &ShopState) -> BTreeSet<Revision> {
    let active = shop.active.iter().filter_map(|cause| match cause.origin {
        Origin::Campaign(campaign) => Some(campaign),
        Origin::Request => None,
    });
    active.collect()
}

/// What the requests of a set leave: causes without what their first application did, and
/// the radius.
fn end_of(changes: &[Change]) -> impl PartialEq + std::fmt::Debug + use<> {
    let (mut shop, mut time) = fresh();
    for change in changes {
        judge(&mut shop, change, Ok(()), &policy(), &mut time);
    }
    let causes: Vec<_> =
        shop.active.iter().map(|cause| (cause.key(), cause.rank, cause.limit)).collect();
    let released: Vec<_> =
        shop.released.iter().map(|cause| (cause.campaign, cause.deadline)).collect();
    (causes, released, shop.radius)
}

/// A whole set of campaign requests. What is ended, or replaced before all of its activations
/// took effect, may have left the campaign that it replaces in force: so that one is ended too,
/// for what is left of it.
fn any_set() -> impl Strategy<Value = Vec<Change>> {
    let chosen = prop::collection::vec((any::<bool>(), any::<bool>()), CAMPAIGNS);
    (any_plans(), chosen).prop_map(|(drawn, chosen)| {
        // The last of the kinds is not in the configuration.
        let plans: Vec<Plan> =
            drawn.iter().map(|plan| Plan { kind: plan.kind % 3, ..*plan }).collect();
        let activated = || (0..CAMPAIGNS).filter(|plan| chosen[*plan].0);
        let replaced: BTreeSet<usize> =
            activated().filter_map(|plan| plans[plan].replaces).collect();
        let mut ended: BTreeSet<usize> = (0..CAMPAIGNS).filter(|plan| chosen[*plan].1).collect();
        for plan in (0..CAMPAIGNS).rev() {
            let left = plans[plan].replaces;
            ended.extend(left.filter(|_| ended.contains(&plan) || replaced.contains(&plan)));
        }
        let activations = activated().map(|plan| Draw::Activate { plan, earlier: 0 });
        let releases = ended.iter().map(|plan| Draw::Release { plan: *plan });
        activations.chain(releases).map(|draw| draw.change(&plans)).collect()
    })
}

/// The set once, in its order, and with some twice, in another.
fn any_two_orders() -> impl Strategy<Value = (Vec<Change>, Vec<Change>)> {
    any_set().prop_flat_map(|set| {
        let again = prop::sample::subsequence(set.clone(), 0..=set.len());
        (Just(set), again).prop_flat_map(|(set, again)| {
            let twice = [set.clone(), again].concat();
            (Just(set), Just(twice).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn prop_same_as_naive(plans in any_plans(), steps in any_steps()) {
        check(&plans, &steps, 0)?;
    }

    #[test]
    fn prop_the_final_state_is_a_function_of_the_set((first, second) in any_two_orders()) {
        prop_assert_eq!(end_of(&first), end_of(&second));
    }

    #[test]
    fn prop_nothing_is_applied_that_is_late_by_clock_or_mark(
        plans in any_plans(), steps in any_steps()
    ) {
        let (mut shop, mut time) = fresh();
        for (tick, _, draw, differs) in steps {
            time.now = instant(tick);
            let (before, change) = (time, draw.change(&plans));
            let checked = checked(change, differs);
            let outcome = judge(&mut shop, &change, checked, &policy(), &mut time);
            let took_effect =
                matches!(outcome.status, Status::Applied | Status::Unchanged) && !outcome.repeat;
            if let Some(deadline) = change.deadline() {
                prop_assert!(
                    !took_effect || (before.now <= deadline.instant() && before.expired_up_to < deadline)
                );
                prop_assert!(outcome.status != Status::Expired || deadline <= time.expired_up_to);
            }
            prop_assert!(before.expired_up_to <= time.expired_up_to, "the mark only rises");
        }
    }

    #[test]
    fn prop_a_cause_never_goes_from_released_to_active(
        plans in any_plans(), steps in any_steps()
    ) {
        let (mut shop, mut time) = fresh();
        let mut over: BTreeSet<Revision> = BTreeSet::new();
        for (tick, _, draw, differs) in steps {
            time.now = instant(tick);
            let (before, change) = (campaigns(&shop), draw.change(&plans));
            judge(&mut shop, &change, checked(change, differs), &policy(), &mut time);
            let now = campaigns(&shop);
            over.extend(before.difference(&now));
            over.extend(shop.released.iter().map(|released| released.campaign));
            if let Change::Release { campaign, .. } = change
                && !differs
            {
                over.insert(campaign.revision);
            }
            prop_assert!(over.is_disjoint(&now), "{:?}", change);
        }
    }
}

proptest! {
    // Each case asks the naive version 255 questions first.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn prop_same_as_naive_in_a_crowded_shop(
        plans in any_plans(), steps in any_steps(), size in 253_usize..=255
    ) {
        check(&plans, &steps, size)?;
    }
}
