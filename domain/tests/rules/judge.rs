//! The order of judging: every cell of it, and what follows from it.
//!
//! `judge/scenarios.rs` plays sequences of requests, `judge/properties.rs` compares with the
//! naive version of `judge/model.rs`.

mod model;
mod properties;
mod scenarios;

use catchment_domain::{
    ActiveCause, Base, Change, Code, Deadline, Disagreement, Effect, LaneTime, Limit, MAX_CAUSES,
    Origin, Outcome, Policy, Radius, Rank, ReleasedCause, Replaced, Revision, ShopState, Status,
    Timestamp, TriggerKind, TriggerRule, judge,
};

use super::requests::campaign;

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}

fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

fn limit(text: &str) -> Limit {
    text.parse().unwrap()
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn deadline(seconds: i64) -> Deadline {
    Deadline::at(instant(seconds))
}

/// Automatic kinds of one rank, one that overrules them, and a floor of 500 m.
fn policy() -> Policy {
    let rule = |rank| TriggerRule { rank: Rank(rank), default_limit: None };
    let automatic = ["rider_shortage", "system_failure"].map(|name| (kind(name), rule(10)));
    let triggers = automatic.into_iter().chain([(kind("manual"), rule(20))]).collect();
    Policy { floor: metres(500), triggers }
}

fn activate(revision: u64, text: &str, until: i64) -> Change {
    Change::Activate {
        campaign: campaign(revision),
        kind: kind("rider_shortage"),
        limit: limit(text),
        deadline: deadline(until),
        replaces: None,
    }
}

fn release(revision: u64, until: i64) -> Change {
    Change::Release { campaign: campaign(revision), deadline: deadline(until) }
}

fn cause(origin: Origin, text: &str) -> ActiveCause {
    let (kind, limit) = (kind("rider_shortage"), limit(text));
    ActiveCause { origin, kind, rank: Rank(10), limit, effect: Effect::Applied }
}

/// A shop, and the time of its lane.
struct Stand {
    shop: ShopState,
    time: LaneTime,
    /// Why the next request is refused, if it is refused.
    disagreement: Option<Disagreement>,
}

impl Stand {
    /// A shop of 5 km, seen at a second by the clock, in a lane that treated deadlines up to
    /// another as passed.
    fn new(now: i64, mark: i64) -> Self {
        let time = LaneTime { now: instant(now), expired_up_to: deadline(mark) };
        Self { shop: ShopState::new(metres(5_000), Revision(10)), time, disagreement: None }
    }

    /// Judges a request, and checks what holds of every outcome.
    fn judge(&mut self, change: Change) -> Outcome {
        let (before, mark) = (self.shop.clone(), self.time.expired_up_to);
        let checked = self.disagreement.take().map_or(Ok(()), Err);
        let outcome = judge(&mut self.shop, &change, checked, &policy(), &mut self.time);
        let standing = outcome.standing.unwrap();
        let resolution = self.shop.resolution(policy().floor);
        assert_eq!(standing.before, (!outcome.repeat).then_some(before.radius));
        assert_eq!(
            (standing.after, standing.decided_by),
            (self.shop.radius, resolution.decided_by)
        );
        assert_eq!((self.shop.radius, self.shop.version), (resolution.radius, standing.version));
        assert_eq!(
            before == self.shop,
            before.version == self.shop.version,
            "version is for writes"
        );
        assert!(before.version <= self.shop.version && mark <= self.time.expired_up_to);
        if !outcome.repeat {
            let changed = before.radius != self.shop.radius;
            assert_eq!(outcome.status == Status::Applied, changed, "{outcome:?}");
        }
        outcome
    }

    /// Fills the shop up with causes that do not limit it, and leaves so much room.
    fn fill(&mut self, room: usize) {
        let names = (0..MAX_CAUSES - room - self.shop.active.len()).map(|n| kind(&format!("f{n}")));
        let like = cause(Origin::Request, "100%");
        self.shop.active.extend(names.map(|kind| ActiveCause { kind, ..like }));
    }
}

/// What is there of the cause that a request is about.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Absent,
    Active,
    Released,
}

/// How a deadline lies to the clock and the lane's mark: (now, mark, deadline).
const IN_TIME: [(i64, i64, i64); 3] = [(1_000, 500, 2_000), (1_000, 500, 1_000), (400, 500, 501)];
/// Behind by the clock; at and below the mark while the clock stepped back.
const PASSED: [(i64, i64, i64); 3] = [(1_000, 500, 999), (400, 500, 500), (400, 500, 450)];

/// What a request should do: status, code, whether it is a repeat, whether the shop is
/// written, whether its deadline counts as passed from now on.
type Expected = (Status, Option<Code>, bool, bool, bool);

const APPLIED: Expected = (Status::Applied, None, false, true, false);
const EXPIRED: Expected = (Status::Expired, Some(Code::DeadlinePassed), false, false, true);
const NO_ROOM: Expected = (Status::Rejected, Some(Code::TooManyCauses), false, false, false);
const UNKNOWN_KIND: Expected = (Status::Rejected, Some(Code::UnknownKind), false, false, false);

/// Judges a change in every position of its deadline, with and without room for a cause.
fn check(
    prepare: impl Fn(&mut ShopState),
    change: impl Fn(i64) -> Change,
    expected: impl Fn(bool, bool) -> Expected,
) {
    for (in_time, positions) in [(true, IN_TIME), (false, PASSED)] {
        for ((now, mark, until), room) in
            positions.into_iter().flat_map(|p| [(p, true), (p, false)])
        {
            let mut stand = Stand::new(now, mark);
            prepare(&mut stand.shop);
            stand.shop.radius = stand.shop.resolution(policy().floor).radius;
            if !room {
                stand.fill(0);
            }
            let version = stand.shop.version;
            let outcome = stand.judge(change(until));
            let (status, code, repeat, written, passed) = expected(in_time, room);
            let context = format!("{:?}: now {now}, mark {mark}, room {room}", change(until));
            assert_eq!((outcome.status, outcome.code), (status, code), "{context}");
            assert_eq!(
                (outcome.repeat, stand.shop.version > version),
                (repeat, written),
                "{context}"
            );
            let mark = if passed { mark.max(until) } else { mark };
            assert_eq!(stand.time.expired_up_to, deadline(mark), "{context}");
        }
    }
}

/// Campaign 7 at the shop: its activation changed the radius, its release did not.
fn prepare(there: Cause) -> impl Fn(&mut ShopState) {
    move |shop| match there {
        Cause::Absent => {}
        Cause::Active => shop.active.insert(cause(Origin::Campaign(Revision(7)), "3km")),
        Cause::Released => shop.released.push(ReleasedCause {
            campaign: Revision(7),
            deadline: deadline(2_000),
            effect: Effect::Unchanged,
        }),
    }
}

#[test]
fn an_activation_is_judged_by_cause_then_deadline_then_room() {
    for there in [Cause::Absent, Cause::Active, Cause::Released] {
        check(
            prepare(there),
            |until| activate(7, "3km", until),
            |in_time, room| match (there, in_time, room) {
                (Cause::Active, _, _) => (Status::Applied, None, true, false, false),
                (Cause::Released, _, _) => {
                    (Status::Superseded, Some(Code::CampaignEnded), false, false, false)
                }
                (Cause::Absent, false, _) => EXPIRED,
                (Cause::Absent, true, false) => NO_ROOM,
                (Cause::Absent, true, true) => APPLIED,
            },
        );
    }
}

#[test]
fn a_release_is_judged_by_cause_and_never_lacks_room_or_expires() {
    for there in [Cause::Absent, Cause::Active, Cause::Released] {
        check(
            prepare(there),
            |until| release(7, until),
            |in_time, _| match (there, in_time) {
                (Cause::Active, _) => APPLIED,
                (Cause::Released, _) => (Status::Unchanged, None, true, false, false),
                // It leaves a released cause behind, or else raises the mark.
                (Cause::Absent, true) => (Status::Unchanged, None, false, true, false),
                (Cause::Absent, false) => (Status::Unchanged, None, false, false, true),
            },
        );
    }
}

#[test]
fn an_activation_of_a_kind_is_judged_by_deadline_then_room() {
    let prepare = |active: bool| {
        move |shop: &mut ShopState| {
            shop.active.extend(active.then(|| cause(Origin::Request, "3km")));
        }
    };
    let change = |until: Option<i64>| Change::ActivateKind {
        kind: kind("rider_shortage"),
        limit: limit("2km"),
        deadline: until.map(deadline),
    };
    for active in [false, true] {
        let expected = |in_time, room| match (active, in_time, room) {
            (_, false, _) => EXPIRED,
            (false, true, false) => NO_ROOM,
            // The older of its kind makes room.
            (true, true, _) | (false, true, true) => APPLIED,
        };
        check(prepare(active), |until| change(Some(until)), expected);
        check(prepare(active), |_| change(None), |_, room| expected(true, room));
    }
}

#[test]
fn a_release_of_a_kind_is_judged_by_deadline_then_cause() {
    let change = |deadline| Change::ReleaseKind { kind: kind("rider_shortage"), deadline };
    let unchanged = (Status::Unchanged, None, false, false, false);
    for (prepare, in_time) in [
        ((|_| ()) as fn(&mut ShopState), unchanged),
        (|shop| shop.active.insert(cause(Origin::Request, "3km")), APPLIED),
    ] {
        let expected = |is_in_time, _| if is_in_time { in_time } else { EXPIRED };
        check(prepare, |until| change(Some(deadline(until))), expected);
        check(prepare, |_| change(None), |_, room| expected(true, room));
    }
}

#[test]
fn a_base_radius_is_judged_by_revision_then_deadline() {
    for (revision, radius, effect) in [
        (9, 4_000, Effect::Applied),
        (9, 5_000, Effect::Applied),
        (10, 5_000, Effect::Applied),
        (10, 5_000, Effect::Unchanged),
        (10, 4_000, Effect::Applied),
        (11, 4_000, Effect::Applied),
    ] {
        let prepare = |shop: &mut ShopState| {
            shop.base = Base { radius: metres(5_000), revision: Revision(10), effect };
        };
        let change = |until: Option<i64>| Change::SetBase {
            revision: Revision(revision),
            radius: metres(radius),
            deadline: until.map(deadline),
        };
        let expected = |in_time| match (revision, radius, effect, in_time) {
            (9, ..) | (10, 4_000, ..) => {
                (Status::Superseded, Some(Code::NewerBase), false, false, false)
            }
            (10, _, Effect::Applied, _) => (Status::Applied, None, true, false, false),
            (10, _, Effect::Unchanged, _) => (Status::Unchanged, None, true, false, false),
            (.., true) => APPLIED,
            (.., false) => EXPIRED,
        };
        check(prepare, |until| change(Some(until)), |in_time, _| expected(in_time));
        check(prepare, |_| change(None), |_, _| expected(true));
    }
}

/// A disagreement counts only if the request is not a repeat. Then it counts before deadline, kind
/// and room are checked.
#[test]
fn a_refused_request_is_refused_unless_it_is_a_repeat_and_changes_nothing() {
    let disagreements = [
        Disagreement {
            status: Status::Rejected,
            code: Code::CampaignDiffers,
            detail: Some("so".into()),
        },
        Disagreement { status: Status::Superseded, code: Code::CampaignEnded, detail: None },
    ];
    let base = |revision, radius| Change::SetBase {
        revision: Revision(revision),
        radius: metres(radius),
        deadline: Some(deadline(999)),
    };
    let unknown_kind = Change::Activate {
        campaign: campaign(7),
        kind: kind("removed"),
        limit: limit("1km"),
        deadline: deadline(2_000),
        replaces: Some(Replaced { campaign: campaign(6), deadline: deadline(3_000) }),
    };
    for disagreement in disagreements {
        let refused = (disagreement.status, Some(disagreement.code), false);
        let superseded = |code| (Status::Superseded, Some(code), false);
        for (there, change, expected) in [
            (Cause::Absent, activate(7, "3km", 2_000), refused),
            (Cause::Absent, activate(7, "3km", 999), refused),
            (Cause::Absent, unknown_kind, refused),
            (Cause::Active, activate(7, "3km", 2_000), (Status::Applied, None, true)),
            (Cause::Active, unknown_kind, (Status::Applied, None, true)),
            (Cause::Released, activate(7, "3km", 2_000), superseded(Code::CampaignEnded)),
            (Cause::Absent, release(7, 2_000), refused),
            (Cause::Absent, release(7, 999), refused),
            (Cause::Active, release(7, 2_000), refused),
            // If this counted, the later deadline would keep the released cause longer.
            (Cause::Released, release(7, 9_000), (Status::Unchanged, None, true)),
            (Cause::Absent, base(11, 4_000), refused),
            (Cause::Absent, base(10, 5_000), (Status::Applied, None, true)),
            (Cause::Absent, base(10, 4_000), superseded(Code::NewerBase)),
            (Cause::Absent, base(9, 4_000), superseded(Code::NewerBase)),
        ] {
            let mut stand = Stand::new(1_000, 500);
            prepare(there)(&mut stand.shop);
            stand.shop.radius = stand.shop.resolution(policy().floor).radius;
            stand.shop.active.insert(cause(Origin::Campaign(Revision(6)), "100%"));
            stand.disagreement = Some(disagreement.clone());
            let (before, time) = (stand.shop.clone(), stand.time);
            let outcome = stand.judge(change);
            assert_eq!((outcome.status, outcome.code, outcome.repeat), expected, "{change:?}");
            assert_eq!(outcome.detail, disagreement.detail.clone().filter(|_| expected == refused));
            assert_eq!((stand.shop, stand.time), (before, time), "{change:?}");
        }
    }
}

#[test]
fn an_unknown_kind_is_rejected_unless_its_cause_is_there() {
    for there in [Cause::Absent, Cause::Active, Cause::Released] {
        let change = |until| Change::Activate {
            campaign: campaign(7),
            kind: kind("removed"),
            limit: limit("1km"),
            deadline: deadline(until),
            replaces: None,
        };
        check(prepare(there), change, |_, _| match there {
            Cause::Absent => UNKNOWN_KIND,
            Cause::Active => (Status::Applied, None, true, false, false),
            Cause::Released => (Status::Superseded, Some(Code::CampaignEnded), false, false, false),
        });
    }
    let change = |until| Change::ActivateKind {
        kind: kind("removed"),
        limit: limit("1km"),
        deadline: Some(deadline(until)),
    };
    check(|_| (), change, |_, _| UNKNOWN_KIND);
}
