//! Mending: what is lost of a chunk and of a shop.

use std::sync::Arc;

use catchment_domain::{
    Attempt, Campaign, CampaignState, CauseName, ChunkRemains, Deadline, DecidedBy, Effect,
    ImportEntry, ImportRemark, Lane, Origin, Outcome, Phase, Policy, Position, Radius, Rank,
    ReceiptEntry, RepairTerms, Revision, ShopFingerprint, ShopId, ShopState, Slot, Standing,
    StateRemains, Status, Ticket, Timestamp, Trace, TriggerRule, Unmendable, rebuild_chunk,
    rebuild_state,
};
use proptest::prelude::*;

use super::requests::begun;

pub(crate) fn campaign(revision: u64, limit: &str) -> Campaign {
    Campaign { limit: limit.parse().unwrap(), ..begun(revision, 1) }
}

fn metres(metres: u32) -> Radius {
    metres.try_into().unwrap()
}

fn terms() -> RepairTerms {
    let rule = TriggerRule { rank: Rank(3), default_limit: None };
    let triggers = [("rain".parse().unwrap(), rule)].into();
    let policy = Policy { floor: metres(500), triggers };
    RepairTerms { policy, default_base: metres(4_000), dry_run: false }
}

const OPEN: Slot = Slot::Open;
const IDLE: Slot = Slot::Idle;
const APPLIED: Slot = Slot::Closed(Status::Applied);
const REJECTED: Slot = Slot::Closed(Status::Rejected);
const SUPERSEDED: Slot = Slot::Closed(Status::Superseded);

/// Rebuilds one place of a chunk.
fn check_slots(
    (is_over, is_unsent): (bool, bool),
    (activation, release): (Option<Slot>, Option<Slot>),
    expected: (Slot, Slot),
) {
    let mut begun = campaign(1, "3km");
    if is_over {
        begun.state = CampaignState::Ended;
    }
    let (activations, releases) = (vec![activation], vec![release]);
    let remains = ChunkRemains { is_unsent, activations, releases, details: Vec::new() };
    let chunk = rebuild_chunk(&begun, (0, Lane(0), 0), 1, remains);
    let case = (is_over, is_unsent, activation, release);
    assert_eq!((chunk.activations()[0], chunk.releases()[0]), expected, "{case:?}");
    assert_eq!(chunk.may_have_been_sent(), !is_unsent, "{case:?}");
}

#[test]
fn what_is_lost_of_a_chunk_is_asked_for_again() {
    let (sending, over) = (false, true);
    for (is_over, activation, release, expected) in [
        (sending, None, None, (OPEN, IDLE)),
        (sending, Some(REJECTED), None, (REJECTED, IDLE)),
        (sending, None, Some(IDLE), (OPEN, IDLE)),
        (over, None, None, (OPEN, OPEN)),
        (over, Some(APPLIED), None, (APPLIED, OPEN)),
        (over, None, Some(APPLIED), (SUPERSEDED, APPLIED)),
        (over, None, Some(IDLE), (SUPERSEDED, IDLE)),
        (over, None, Some(OPEN), (OPEN, OPEN)),
        (over, Some(APPLIED), Some(APPLIED), (APPLIED, APPLIED)),
    ] {
        check_slots((is_over, false), (activation, release), expected);
    }
    check_slots((sending, true), (None, None), (OPEN, IDLE));
    check_slots((over, true), (None, None), (SUPERSEDED, IDLE));
    check_slots((over, true), (None, Some(OPEN)), (SUPERSEDED, OPEN));
    check_slots((over, true), (Some(SUPERSEDED), Some(IDLE)), (SUPERSEDED, IDLE));
}

fn trace(campaign: &Campaign, activation: Slot, release: Slot) -> Trace {
    let mut trace = Trace::new(Arc::new(campaign.clone()), 0, &shop("a"));
    trace.set_slots(Some(activation), Some(release));
    trace
}

fn entry(campaign: &Campaign, phase: Phase, status: Status, version: u64) -> ReceiptEntry {
    let (revision, nonce) = (campaign.name.revision, campaign.nonce);
    let id = Ticket { revision, phase, attempt: Attempt::FIRST, index: 0, nonce }.id();
    let (before, after) = (None, metres(1));
    let standing = Standing { before, after, decided_by: DecidedBy::Base, version };
    let standing = Some(standing);
    let outcome = Outcome { status, code: None, detail: None, standing, repeat: false };
    let shop = Some(ShopFingerprint::of(&shop("a")));
    ReceiptEntry { position: Position(0), id, shop, outcome }
}

fn shop(id: &str) -> ShopId {
    id.parse().unwrap()
}

fn rebuilt(traces: &[Trace]) -> ShopState {
    let remains = StateRemains { version: Some(7), ..StateRemains::default() };
    rebuild_state(remains, traces, &terms(), Deadline::MIN).unwrap().0
}

fn revisions(state: &ShopState) -> (Vec<Origin>, Vec<u64>) {
    let released = state.released.iter().map(|released| released.campaign.0);
    (state.active.iter().map(|cause| cause.origin).collect(), released.collect())
}

#[test]
fn a_campaign_is_in_force_where_its_activation_took_effect_and_nothing_undid_it() {
    let (one, two, origin) = (campaign(1, "3km"), campaign(2, "2km"), Origin::Campaign);
    let state = rebuilt(&[trace(&two, APPLIED, IDLE), trace(&one, APPLIED, IDLE)]);
    assert_eq!(revisions(&state), (vec![origin(Revision(1)), origin(Revision(2))], vec![]));
    assert_eq!((state.radius, state.version), (metres(2_000), 8));
    assert_eq!(state.base.revision, Revision::NONE);
    for without_effect in [OPEN, REJECTED, SUPERSEDED, Slot::Closed(Status::Expired)] {
        let state = rebuilt(&[trace(&one, without_effect, IDLE)]);
        assert_eq!((revisions(&state), state.radius), ((vec![], vec![]), metres(4_000)));
    }
    let unreleased = rebuilt(&[trace(&one, APPLIED, OPEN), trace(&two, APPLIED, REJECTED)]);
    assert_eq!(unreleased.active.len(), 2);
}

#[test]
fn a_release_or_a_successor_leaves_a_released_cause() {
    let (mut one, two) = (campaign(1, "3km"), campaign(2, "2km"));
    let released = rebuilt(&[trace(&one, APPLIED, APPLIED)]);
    assert_eq!(revisions(&released), (vec![], vec![1]));
    one.replaced_by = Some(Revision(2));
    let replaced = rebuilt(&[trace(&one, APPLIED, IDLE), trace(&two, APPLIED, IDLE)]);
    assert_eq!(revisions(&replaced), (vec![Origin::Campaign(Revision(2))], vec![1]));
    let refused = rebuilt(&[trace(&one, APPLIED, IDLE), trace(&two, REJECTED, IDLE)]);
    assert_eq!(revisions(&refused), (vec![Origin::Campaign(Revision(1))], vec![]));
    for over in [CampaignState::Ending { open: 1 }, CampaignState::Ended] {
        one.state = over;
        for lost in [OPEN, SUPERSEDED, Slot::Closed(Status::Expired)] {
            let forgotten = rebuilt(&[trace(&one, APPLIED, IDLE), trace(&two, lost, IDLE)]);
            assert_eq!(revisions(&forgotten), (vec![], vec![1]), "{over:?} {lost:?}");
        }
        let alone = rebuilt(&[trace(&one, APPLIED, IDLE)]);
        assert_eq!(revisions(&alone), (vec![], vec![1]), "without a row of its successor");
        let failed = rebuilt(&[trace(&one, APPLIED, REJECTED)]);
        assert_eq!(failed.active.len(), 1, "{over:?}: nobody released it");
        let never = rebuilt(&[trace(&one, REJECTED, IDLE)]);
        assert_eq!(revisions(&never), (vec![], vec![]), "{over:?}");
    }
    let traces = [trace(&one, APPLIED, APPLIED)];
    let mark = one.deadline;
    let late = rebuild_state(StateRemains::default(), &traces, &terms(), mark).unwrap().0;
    assert_eq!(revisions(&late), (vec![], vec![]), "no late request takes effect");
}

#[test]
fn receipts_tell_what_no_reply_told_yet() {
    let one = campaign(1, "3km");
    let mut asked = trace(&one, OPEN, IDLE);
    asked.add_receipt(&entry(&campaign(2, "3km"), Phase::Activation, Status::Applied, 40));
    assert!(rebuilt(&[asked.clone()]).active.is_empty());
    asked.add_receipt(&entry(&one, Phase::Activation, Status::Unchanged, 41));
    asked.add_receipt(&entry(&one, Phase::Activation, Status::Rejected, 42));
    let state = rebuilt(&[asked.clone()]);
    assert_eq!((state.active[0].effect, state.version), (Effect::Unchanged, 43));
    asked.add_receipt(&entry(&one, Phase::Release, Status::Applied, 44));
    assert_eq!(revisions(&rebuilt(&[asked])), (vec![], vec![1]));
}

#[test]
fn a_copy_for_another_shop_proves_nothing_of_the_listed_one() {
    let one = campaign(1, "3km");
    for copied in [Some(ShopFingerprint::of(&shop("b"))), None] {
        let mut asked = trace(&one, OPEN, IDLE);
        let own = entry(&one, Phase::Activation, Status::Applied, 40);
        asked.add_receipt(&ReceiptEntry { shop: copied, ..own });
        let state = rebuilt(&[asked]);
        assert_eq!((revisions(&state), state.version), ((vec![], vec![]), 8));
    }
}

/// A repair does not bring back a cause that a command released, unless the campaign was in force
/// again after the release.
#[test]
fn a_release_by_command_is_not_undone() {
    let one = campaign(1, "3km");
    let released = |id: &str, campaign: u64, version| {
        let remark = Some(ImportRemark::Released(CauseName::Campaign(Revision(campaign))));
        let (before, after) = (Some(metres(3_000)), metres(4_000));
        let standing = Standing { before, after, decided_by: DecidedBy::Base, version };
        ImportEntry { shop: shop(id), standing, remark }
    };
    let (in_force, over) = ((vec![Origin::Campaign(Revision(1))], vec![]), (vec![], vec![1]));
    let at = Timestamp::from_millis;
    for (import, stored_at, activated_at, expected) in [
        (released("a", 1, 5), 100, None, &over),
        (released("a", 1, 5), 100, Some(4), &over),
        (released("a", 1, 5), 100, Some(6), &in_force),
        // The release is too old: the receipt of a later activation may have been pruned.
        (released("a", 1, 5), 99, None, &in_force),
        (released("a", 2, 5), 100, None, &in_force),
        (released("b", 1, 5), 100, None, &in_force),
        (ImportEntry { remark: None, ..released("a", 1, 5) }, 100, None, &in_force),
    ] {
        let mut asked = trace(&one, APPLIED, IDLE);
        if let Some(version) = activated_at {
            asked.add_receipt(&entry(&one, Phase::Activation, Status::Applied, version));
        }
        asked.add_import(&import, (at(stored_at), at(100)));
        let state = rebuilt(&[asked]);
        assert_eq!(&revisions(&state), expected, "{import:?} {stored_at} {activated_at:?}");
        assert!(state.released.iter().all(|released| released.effect == Effect::Applied));
    }
}

#[test]
fn a_cause_of_a_kind_that_the_rules_lack_is_not_guessed() {
    let mut one = campaign(1, "3km");
    one.kind = "snow".parse().unwrap();
    let rebuild = |slot| {
        let traces = [trace(&one, slot, IDLE)];
        rebuild_state(StateRemains::default(), &traces, &terms(), Deadline::MIN)
    };
    assert_eq!(rebuild(APPLIED).unwrap_err(), Unmendable::Kind(one.kind));
    assert!(rebuild(REJECTED).is_ok());
}

fn slot() -> impl Strategy<Value = Slot> {
    let closed = proptest::sample::select(Status::ALL.to_vec()).prop_map(Slot::Closed);
    prop_oneof![Just(OPEN), Just(IDLE), closed]
}

proptest! {
    /// Whatever the order of the campaigns: each one by itself is in force, released, or
    /// neither, and the radius is what their narrowest limit says.
    #[test]
    fn prop_same_as_naive(
        slots in proptest::collection::vec((slot(), slot(), any::<[bool; 2]>(), 1_u32..9), 0..6),
        shift in 0_usize..6,
    ) {
        let took_effect = |slot: &Slot| {
            matches!(slot, Slot::Closed(Status::Applied | Status::Unchanged))
        };
        let mut traces: Vec<Trace> = (1..).zip(&slots).map(|(revision, slots)| {
            let (activation, release, [is_over, is_replaced], km) = slots;
            let mut campaign = campaign(revision, &format!("{km}km"));
            if *is_over {
                campaign.state = CampaignState::Ended;
            }
            // Nothing is known of the successor at this shop.
            campaign.replaced_by = is_replaced.then_some(Revision(99));
            trace(&campaign, *activation, *release)
        }).collect();
        let places = traces.len().max(1);
        traces.rotate_left(shift % places);
        let state = rebuilt(&traces);
        let (mut radius, mut active, mut released) = (4_000, Vec::new(), Vec::new());
        for (revision, (activation, release, [is_over, is_replaced], km)) in (1..).zip(&slots) {
            let is_left =
                *is_over && *is_replaced && *release == IDLE && took_effect(activation);
            if took_effect(release) || is_left {
                released.push(revision);
            } else if took_effect(activation) {
                active.push(Origin::Campaign(Revision(revision)));
                radius = radius.min(km * 1_000);
            }
        }
        prop_assert_eq!(revisions(&state), (active, released));
        prop_assert_eq!(state.radius, metres(radius));
    }

    /// Place by place, what can be read stays. A lost activation is open only where somebody asks
    /// for it: before the end, or beside an open release.
    #[test]
    fn prop_what_can_be_read_stays(
        slots in proptest::collection::vec(
            (proptest::option::of(slot()), proptest::option::of(slot())), 0..20),
        is_over: bool,
        is_unsent: bool,
    ) {
        let mut begun = campaign(1, "3km");
        if is_over {
            begun.state = CampaignState::Ended;
        }
        let (activations, releases) = slots.iter().copied().unzip();
        let remains = ChunkRemains { is_unsent, activations, releases, details: Vec::new() };
        let chunk = rebuild_chunk(&begun, (0, Lane(0), 0), slots.len(), remains);
        prop_assert_eq!(chunk.len(), slots.len());
        for (place, (activation, release)) in slots.iter().enumerate() {
            let (a, r) = (chunk.activations()[place], chunk.releases()[place]);
            prop_assert!(activation.is_none_or(|known| known == a));
            prop_assert!(release.is_none_or(|known| known == r));
            prop_assert!(activation.is_some() || a == OPEN || a == SUPERSEDED);
            let is_asked_for = r == OPEN && !(is_over && is_unsent) || r == IDLE && !is_over;
            prop_assert!(activation.is_some() || (a == OPEN) == is_asked_for);
        }
    }
}
