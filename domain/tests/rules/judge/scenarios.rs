//! Sequences of requests at one shop.

use catchment_domain::{
    ActiveCause, Change, Code, Deadline, DecidedBy, Effect, Origin, Outcome, ReleasedCause,
    Replaced, Revision, Status,
};

use super::super::requests::campaign;
use super::{Stand, activate, cause, deadline, instant, kind, limit, metres, release};

/// Plays requests one after the other and compares status, code, radius and repeat.
fn check(stand: &mut Stand, steps: &[(Change, Status, Option<Code>, u32, bool)]) {
    for (change, status, code, radius, repeat) in steps {
        let outcome = stand.judge(*change);
        let expected = (*status, *code, metres(*radius), *repeat);
        assert_eq!(
            (outcome.status, outcome.code, stand.shop.radius, outcome.repeat),
            expected,
            "{change:?}"
        );
    }
}

fn replace(revision: u64, text: &str, until: i64, (older, older_until): (u64, i64)) -> Change {
    let replaced = Replaced { campaign: campaign(older), deadline: deadline(older_until) };
    match activate(revision, text, until) {
        Change::Activate { campaign, kind, limit, deadline, .. } => {
            Change::Activate { campaign, kind, limit, deadline, replaces: Some(replaced) }
        }
        other => other,
    }
}

fn released(stand: &Stand) -> Vec<(u64, Deadline)> {
    stand.shop.released.iter().map(|r| (r.campaign.0, r.deadline)).collect()
}

fn active(stand: &Stand) -> Vec<Origin> {
    stand.shop.active.iter().map(|cause| cause.origin).collect()
}

#[test]
fn the_narrowest_limit_holds_whatever_came_last_and_gives_way_when_it_ends() {
    for (first, second) in [((1, "3km"), (2, "1km")), ((1, "1km"), (2, "3km"))] {
        let mut stand = Stand::new(0, -1);
        stand.judge(activate(first.0, first.1, 10));
        stand.judge(activate(second.0, second.1, 10));
        assert_eq!(stand.shop.radius, metres(1_000));
        let narrow = if first.1 == "1km" { first.0 } else { second.0 };
        stand.judge(release(narrow, 10));
        assert_eq!(stand.shop.radius, metres(3_000));
        stand.judge(release(3 - narrow, 10));
        assert_eq!(stand.shop.radius, metres(5_000));
    }
}

#[test]
fn a_repeat_is_answered_with_its_first_status_and_the_present_standing() {
    let mut stand = Stand::new(0, -1);
    check(
        &mut stand,
        &[
            (activate(1, "1km", 10), Status::Applied, None, 1_000, false),
            (activate(2, "3km", 10), Status::Unchanged, None, 1_000, false),
            (release(1, 10), Status::Applied, None, 3_000, false),
            // It decides now, and its first application still changed nothing.
            (activate(2, "3km", 10), Status::Unchanged, None, 3_000, true),
            (release(1, 10), Status::Applied, None, 3_000, true),
        ],
    );
    let outcome: Outcome = stand.judge(activate(2, "3km", 10));
    let standing = outcome.standing.unwrap();
    assert_eq!((standing.before, standing.version), (None, 4));
    let decided_by = DecidedBy::cause(&cause(Origin::Campaign(Revision(2)), "3km"));
    assert_eq!(standing.decided_by, decided_by);
}

#[test]
fn a_repeat_after_its_deadline_is_no_late_request() {
    let mut stand = Stand::new(0, -1);
    stand.judge(activate(1, "1km", 10));
    stand.time.now = instant(11);
    check(&mut stand, &[(activate(1, "1km", 10), Status::Applied, None, 1_000, true)]);
    assert_eq!(stand.time.expired_up_to, deadline(-1));
}

#[test]
fn a_release_before_its_activation_supersedes_it() {
    let mut stand = Stand::new(0, -1);
    check(
        &mut stand,
        &[
            (release(1, 10), Status::Unchanged, None, 5_000, false),
            (activate(1, "1km", 10), Status::Superseded, Some(Code::CampaignEnded), 5_000, false),
            (release(1, 10), Status::Unchanged, None, 5_000, true),
        ],
    );
}

#[test]
fn a_replacement_is_one_step() {
    let mut stand = Stand::new(0, -1);
    check(
        &mut stand,
        &[
            (activate(1, "3km", 10), Status::Applied, None, 3_000, false),
            (replace(2, "4km", 20, (1, 15)), Status::Applied, None, 4_000, false),
            // What is still under way of the older one comes too late,
            (activate(1, "3km", 15), Status::Superseded, Some(Code::CampaignEnded), 4_000, false),
            // and its release was that activation.
            (release(1, 15), Status::Applied, None, 4_000, true),
            (replace(2, "4km", 20, (1, 15)), Status::Applied, None, 4_000, true),
        ],
    );
    assert_eq!(released(&stand), [(1, deadline(15))]);
    assert_eq!(stand.shop.version, 3);
}

#[test]
fn a_replacement_in_any_order_ends_at_the_new_campaign() {
    let mut stand = Stand::new(0, -1);
    check(
        &mut stand,
        &[
            (replace(2, "4km", 20, (1, 10)), Status::Applied, None, 4_000, false),
            (activate(1, "3km", 10), Status::Superseded, Some(Code::CampaignEnded), 4_000, false),
        ],
    );
    assert_eq!(active(&stand), [Origin::Campaign(Revision(2))]);
}

#[test]
fn a_replacement_behind_the_older_deadline_leaves_a_mark_and_no_released_cause() {
    let mut stand = Stand::new(12, 3);
    stand.judge(replace(2, "4km", 20, (1, 10)));
    assert_eq!((released(&stand), stand.time.expired_up_to), (vec![], deadline(10)));
    // A clock that steps back does not let the older one in.
    stand.time.now = instant(5);
    let late = (activate(1, "3km", 10), Status::Expired, Some(Code::DeadlinePassed), 4_000, false);
    check(&mut stand, &[late]);
}

#[test]
fn a_replacement_of_a_released_campaign_keeps_the_later_deadline_and_its_status() {
    for (has, brings, kept) in [(10, 15, 15), (15, 10, 15)] {
        let mut stand = Stand::new(0, -1);
        stand.judge(release(1, has));
        stand.judge(replace(2, "4km", 20, (1, brings)));
        assert_eq!(released(&stand), [(1, deadline(kept))]);
        assert_eq!(stand.shop.released[0].effect, Effect::Unchanged);
    }
}

#[test]
fn a_replacement_that_does_not_take_effect_leaves_the_older_campaign_in_force() {
    let expired = (Status::Expired, Some(Code::DeadlinePassed));
    let superseded = (Status::Superseded, Some(Code::CampaignEnded));
    for (now, prior, (status, code)) in [(30, None, expired), (0, Some(release(2, 20)), superseded)]
    {
        let mut stand = Stand::new(0, -1);
        stand.judge(activate(1, "3km", 10));
        prior.map(|change| stand.judge(change));
        stand.time.now = instant(now);
        check(&mut stand, &[(replace(2, "1km", 20, (1, 10)), status, code, 3_000, false)]);
        assert_eq!(active(&stand), [Origin::Campaign(Revision(1))]);
    }
}

#[test]
fn a_replacement_takes_the_place_of_the_older_cause_in_a_full_shop() {
    let mut stand = Stand::new(0, -1);
    stand.judge(activate(1, "3km", 10));
    stand.fill(0);
    check(
        &mut stand,
        &[
            (
                replace(2, "2km", 20, (9, 10)),
                Status::Rejected,
                Some(Code::TooManyCauses),
                3_000,
                false,
            ),
            (replace(3, "2km", 20, (1, 10)), Status::Applied, None, 2_000, false),
            // The release of what is not there needs no room.
            (release(4, 10), Status::Unchanged, None, 2_000, false),
        ],
    );
    assert_eq!(released(&stand), [(1, deadline(10)), (4, deadline(10))]);
}

#[test]
fn a_released_cause_keeps_the_later_deadline() {
    let mut stand = Stand::new(0, -1);
    stand.judge(activate(1, "3km", 10));
    for (until, kept, version) in [(10, 10, 3), (20, 20, 4), (15, 20, 4)] {
        stand.judge(release(1, until));
        assert_eq!((released(&stand), stand.shop.version), (vec![(1, deadline(kept))], version));
    }
}

#[test]
fn a_released_cause_is_kept_for_an_hour_and_dropped_by_a_later_write_only() {
    let mut stand = Stand::new(0, -1);
    stand.judge(activate(1, "3km", 10));
    stand.judge(release(1, 10));
    stand.time.now = instant(10 + 3_600);
    stand.judge(activate(2, "2km", 5_000));
    assert_eq!(released(&stand), [(1, deadline(10))], "the hour is not over");
    stand.time.now = instant(10 + 3_601);
    let superseded = Some(Code::CampaignEnded);
    check(
        &mut stand,
        &[
            // None of these writes the shop.
            (activate(2, "2km", 5_000), Status::Applied, None, 2_000, true),
            (activate(1, "3km", 10), Status::Superseded, superseded, 2_000, false),
            (release(1, 10), Status::Applied, None, 2_000, true),
            (activate(4, "1km", 20), Status::Expired, Some(Code::DeadlinePassed), 2_000, false),
        ],
    );
    assert_eq!(released(&stand), [(1, deadline(10))]);
    stand.judge(release(2, 5_000));
    assert_eq!(released(&stand), [(2, deadline(5_000))]);
}

#[test]
fn a_late_copy_of_a_dropped_cause_is_expired_even_when_the_clock_steps_back() {
    let mut stand = Stand::new(5_000, 3);
    let (campaign, effect) = (Revision(1), Effect::Applied);
    stand.shop.released.push(ReleasedCause { campaign, deadline: deadline(10), effect });
    stand.judge(activate(2, "2km", 6_000));
    assert_eq!((released(&stand), stand.time.expired_up_to), (vec![], deadline(10)));
    stand.time.now = instant(0);
    check(
        &mut stand,
        &[
            (activate(1, "1km", 10), Status::Expired, Some(Code::DeadlinePassed), 2_000, false),
            // Nothing is left to repeat.
            (release(1, 10), Status::Unchanged, None, 2_000, false),
            // A retry's deadline lies above the mark.
            (activate(3, "1km", 11), Status::Applied, None, 1_000, false),
        ],
    );
}

#[test]
fn the_newest_request_of_a_kind_replaces_the_older_and_never_a_campaign() {
    let request = |text: &str| Change::ActivateKind {
        kind: kind("rider_shortage"),
        limit: limit(text),
        deadline: None,
    };
    let over = Change::ReleaseKind { kind: kind("rider_shortage"), deadline: None };
    check(
        &mut Stand::new(0, -1),
        &[
            (activate(1, "4km", 10), Status::Applied, None, 4_000, false),
            (request("1km"), Status::Applied, None, 1_000, false),
            (request("3km"), Status::Applied, None, 3_000, false),
            // A client's own re-send is a new request.
            (request("3km"), Status::Unchanged, None, 3_000, false),
            (over, Status::Applied, None, 4_000, false),
            (over, Status::Unchanged, None, 4_000, false),
        ],
    );
}

#[test]
fn a_new_base_radius_is_resolved_under_the_causes_and_repeats_keep_its_status() {
    let base = |revision, radius| Change::SetBase {
        revision: catchment_domain::Revision(revision),
        radius: metres(radius),
        deadline: None,
    };
    let newer = Some(Code::NewerBase);
    check(
        &mut Stand::new(0, -1),
        &[
            (activate(1, "50%", 10), Status::Applied, None, 2_500, false),
            (base(11, 8_000), Status::Applied, None, 4_000, false),
            (activate(2, "1km", 10), Status::Applied, None, 1_000, false),
            (base(12, 9_000), Status::Unchanged, None, 1_000, false),
            (base(12, 9_000), Status::Unchanged, None, 1_000, true),
            (base(11, 8_000), Status::Superseded, newer, 1_000, false),
            (release(2, 10), Status::Applied, None, 4_500, false),
            (base(12, 9_000), Status::Unchanged, None, 4_500, true),
        ],
    );
}

#[test]
fn a_cause_keeps_the_rank_that_its_kind_had() {
    let mut stand = Stand::new(0, -1);
    let overruled = ActiveCause {
        rank: catchment_domain::Rank(30),
        ..cause(Origin::Campaign(Revision(1)), "3km")
    };
    stand.shop.active.insert(overruled);
    stand.shop.radius = metres(3_000);
    check(&mut stand, &[(activate(2, "1km", 10), Status::Unchanged, None, 3_000, false)]);
}
