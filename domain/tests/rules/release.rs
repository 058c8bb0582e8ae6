//! Releases by command: the table, and the comparison with a campaign's own release.

use catchment_domain::{
    ActiveCause, Campaign, CampaignState, CauseCampaign, CauseName, Change, Deadline, Effect,
    LaneTime, Origin, Policy, Radius, Rank, ReleaseTerms, ReleasedCause, Revision, ShopState, Slot,
    Standing, Status, StrayCause, Timestamp, TriggerKind, find_stray, is_cause_missing, judge,
    release_cause,
};

use super::requests::{begun, campaign as name};

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}

fn kind(name: &str) -> TriggerKind {
    name.parse().unwrap()
}

fn at(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

fn cause(origin: Origin, of: &str, limit: &str) -> ActiveCause {
    let (kind, limit, effect) = (kind(of), limit.parse().unwrap(), Effect::Applied);
    ActiveCause { origin, kind, rank: Rank(1), limit, effect }
}

/// A shop of 5 km. Campaign 7 wants 3 km there, campaign 9 wants 2 km, and a request wants 1 km.
/// Campaign 8 is over there.
fn shop() -> ShopState {
    let mut shop = ShopState::new(metres(5_000), Revision(1));
    shop.active.extend([
        cause(Origin::Campaign(Revision(7)), "rain", "3km"),
        cause(Origin::Campaign(Revision(9)), "rain", "2km"),
        cause(Origin::Request, "manual", "1km"),
    ]);
    shop.released = vec![released(8, 1, Effect::Unchanged)];
    shop.radius = shop.resolution(Radius::CLOSED).radius;
    shop
}

fn released(campaign: u64, deadline: i64, effect: Effect) -> ReleasedCause {
    ReleasedCause { campaign: Revision(campaign), deadline: at(deadline), effect }
}

fn release(shop: &mut ShopState, cause: CauseName, campaign: CauseCampaign) -> Option<Standing> {
    release_cause(shop, ReleaseTerms { cause, floor: Radius::CLOSED }, campaign)
}

#[test]
fn the_cause_that_is_named_goes_and_a_campaigns_stays_released() {
    let campaign = |revision| CauseName::Campaign(Revision(revision));
    let stored = |millis| CauseCampaign::Deadline(at(millis));
    let (unknown, damaged) = (CauseCampaign::Unknown, CauseCampaign::Damaged);
    let old = released(8, 1, Effect::Unchanged);
    let unchanged = |campaign, deadline| released(campaign, deadline, Effect::Unchanged);
    let last = Deadline::LAST.instant().millis();
    for (cause, stored, radius, kept) in [
        (campaign(7), stored(9_000), 1_000, vec![unchanged(7, 9_000), old]),
        // A deadline that has passed makes no difference.
        (campaign(9), stored(3), 1_000, vec![old, unchanged(9, 3)]),
        (campaign(9), damaged, 1_000, vec![old, unchanged(9, last)]),
        (campaign(9), unknown, 1_000, vec![old]),
        (CauseName::Kind(kind("manual")), unknown, 2_000, vec![old]),
    ] {
        let (before, mut after) = (shop(), shop());
        let standing = release(&mut after, cause, stored).unwrap();
        assert_eq!((after.radius, after.active.len()), (metres(radius), 2), "{cause}");
        assert_eq!((&after.released, after.version), (&kept, before.version + 1), "{cause}");
        let decided_by = after.resolution(Radius::CLOSED).decided_by;
        let (before, version) = (Some(before.radius), after.version);
        assert_eq!(standing, Standing { before, after: metres(radius), decided_by, version });
    }
}

#[test]
fn what_is_not_in_force_is_not_released() {
    for cause in [
        CauseName::Campaign(Revision(6)),
        CauseName::Campaign(Revision(8)),
        // The only cause of this kind belongs to a campaign.
        CauseName::Kind(kind("rain")),
    ] {
        let mut after = shop();
        assert_eq!(release(&mut after, cause, CauseCampaign::Damaged), None, "{cause}");
        assert_eq!(after, shop(), "{cause}");
    }
}

/// If the campaign's own release comes first, a command finds nothing to release. If the command
/// comes first, the campaign's release is a repeat. So both must leave the same state.
#[test]
fn a_command_leaves_what_the_campaigns_own_release_leaves() {
    let policy = Policy { floor: Radius::CLOSED, triggers: [].into() };
    for (revision, text) in [(7, "1500m"), (7, "closed"), (9, "2km"), (9, "50%")] {
        let mut shop = shop();
        shop.active.insert(cause(Origin::Request, "manual", text));
        shop.radius = shop.resolution(Radius::CLOSED).radius;
        let (mut by_request, mut by_command) = (shop.clone(), shop);
        let change = Change::Release { campaign: name(revision), deadline: at(9_000) };
        let mut time = LaneTime { now: NOW, expired_up_to: Deadline::MIN };
        let outcome = judge(&mut by_request, &change, Ok(()), &policy, &mut time);
        let cause = CauseName::Campaign(Revision(revision));
        let stored = CauseCampaign::Deadline(at(9_000));
        assert_eq!(release(&mut by_command, cause, stored), outcome.standing);
        assert_eq!(by_command, by_request);
        let repeat = judge(&mut by_command, &change, Ok(()), &policy, &mut time);
        assert_eq!((repeat.status, repeat.repeat), (outcome.status, true));
        assert_eq!(by_command, by_request);
    }
}

#[test]
fn a_cause_that_the_ledger_tells_of_is_missing_where_nothing_took_it_away() {
    let replaced = |by: u64| Campaign { replaced_by: Some(Revision(by)), ..begun(7, 10) };
    let over = |state| Campaign { state, ..begun(7, 10) };
    let mut without = shop();
    release(&mut without, CauseName::Campaign(Revision(7)), CauseCampaign::Unknown).unwrap();
    let mut commanded = shop();
    let stored = CauseCampaign::Deadline(at(9_000));
    release(&mut commanded, CauseName::Campaign(Revision(7)), stored).unwrap();
    let [applied, unchanged] = [Status::Applied, Status::Unchanged].map(Slot::Closed);
    for (campaign, activation, shop, commands, expected) in [
        (begun(7, 10), applied, &without, 0, true),
        (begun(7, 10), unchanged, &without, 0, true),
        (over(CampaignState::Settled), applied, &without, 0, true),
        (begun(7, 10), Slot::Open, &without, 0, false),
        (begun(7, 10), Slot::Closed(Status::Rejected), &without, 0, false),
        (begun(7, 10), applied, &shop(), 0, false),
        (begun(7, 10), applied, &commanded, 0, false),
        // The released cause was dropped, but the receipt is kept.
        (begun(7, 10), applied, &without, 1, false),
        (over(CampaignState::Ending { open: 1 }), applied, &without, 0, false),
        (over(CampaignState::Ended), applied, &without, 0, false),
        (replaced(9), applied, &without, 0, false),
    ] {
        let is_missing = is_cause_missing(&campaign, activation, shop, commands);
        assert_eq!(is_missing, expected, "{campaign:?} {activation:?} {shop:?} {commands}");
    }
}

#[test]
fn a_cause_that_no_campaign_will_release_is_stray() {
    let begun = begun(7, 10);
    for (state, expected) in [
        (CampaignState::Sending { open: 1 }, None),
        (CampaignState::Settled, None),
        (CampaignState::Ending { open: 1 }, None),
        (CampaignState::Ended, Some(StrayCause::Ended)),
    ] {
        let campaign = Campaign { state, ..begun.clone() };
        assert_eq!(find_stray(Some(&campaign), true), expected, "{state:?}");
        assert_eq!(find_stray(Some(&campaign), false), Some(StrayCause::NotListed), "{state:?}");
    }
    for is_listed in [true, false] {
        assert_eq!(find_stray(None, is_listed), Some(StrayCause::UnknownCampaign));
    }
}
