//! What each request changed at its shop: which causes came, went and were dropped (I1, I2).

use catchment_domain::{
    Change, Code, Deadline, Lane, Origin, RELEASED_KEPT, ReleasedCause, Request, Revision,
    ShopState, Status, Timestamp,
};

use super::shops::Cause;
use super::wanted::Listed;
use super::{Judged, Witness};
use crate::simulator::coverage::Met;
use crate::simulator::world::floor;

/// What a request changed at its shop.
pub(super) struct Difference {
    pub(super) entered: Vec<Revision>,
    pub(super) left: Vec<Revision>,
    /// Released causes that are new.
    pub(super) ended: Vec<Revision>,
    /// Released causes that were dropped, with their deadlines. If the request replaces such a
    /// campaign, it released the campaign again, so the campaign is in `ended`, too.
    pub(super) dropped: Vec<(Revision, Deadline)>,
    pub(super) radius: bool,
}

impl Difference {
    fn of(judged: &Judged, before: &ShopState, after: &ShopState) -> Self {
        let (active, active_after) = (active(before), active(after));
        let released_after = released(after);
        let without = |some: &[Revision], others: &[Revision]| {
            some.iter().copied().filter(|one| !others.contains(one)).collect::<Vec<_>>()
        };
        // A repeat may keep a released cause for longer. Every other write drops old ones first.
        let drops_old = !judged.outcome.repeat && before.version != after.version;
        let is_old = |deadline: Deadline| kept_until(deadline) < judged.time.now;
        let released = before.released.iter();
        let (dropped, kept): (Vec<&ReleasedCause>, Vec<_>) = released.partition(|released| {
            !released_after.contains(&released.campaign) || drops_old && is_old(released.deadline)
        });
        let kept: Vec<_> = kept.into_iter().map(|released| released.campaign).collect();
        Self {
            entered: without(&active_after, &active),
            left: without(&active, &active_after),
            ended: without(&released_after, &kept),
            dropped: dropped.into_iter().map(|r| (r.campaign, r.deadline)).collect(),
            radius: before.radius != after.radius,
        }
    }
}

fn kept_until(deadline: Deadline) -> Timestamp {
    deadline.instant().saturating_add(RELEASED_KEPT)
}

pub(super) fn active(shop: &ShopState) -> Vec<Revision> {
    let campaign = |origin| match origin {
        Origin::Campaign(campaign) => Some(campaign),
        Origin::Request => None,
    };
    shop.active.iter().filter_map(|cause| campaign(cause.origin)).collect()
}

fn released(shop: &ShopState) -> Vec<Revision> {
    shop.released.iter().map(|released| released.campaign).collect()
}

impl Witness {
    /// A request was judged, and what that did is stored.
    pub(super) fn judged(&mut self, lane: Lane, judged: &Judged) {
        self.count(judged);
        let Judged { record, before, after, outcome, .. } = judged;
        let Ok(request) = &record.request else { return };
        let (Some(before), Some(after)) = (before, after) else {
            self.check(before.is_none() && after.is_none(), "I1", || {
                format!("{} came or went by a request", request.shop)
            });
            self.check(outcome.status == Status::Rejected, "I5", || {
                format!("{} is not there, and a request was {}", request.shop, outcome.status)
            });
            let is_there = self.shops.contains_key(&request.shop);
            self.check(!is_there || outcome.code != Some(Code::UnknownShop), "I5", || {
                format!("{} is there, and counts as unknown", request.shop)
            });
            return;
        };
        let at_home = self.places.lane_of(&request.shop) == lane;
        self.check(at_home || outcome.status == Status::Rejected, "I2", || {
            format!("{} was judged out of order, in lane {lane}", request.shop)
        });
        let known = self.shops.get(&request.shop).map(|view| &view.state);
        self.check(known == Some(before), "I1", || {
            format!("{} was changed by nobody", request.shop)
        });
        self.check_campaigns(request, outcome.code);
        self.check_terms(judged, request);
        let difference = Difference::of(judged, before, after);
        self.check_status(judged, &difference);
        self.enter(lane, judged, request, &difference);
        self.check_change(lane, judged, request, &difference);
        if let Some(view) = self.shops.get_mut(&request.shop) {
            view.state = after.clone();
        }
        self.check_radius(&request.shop);
        self.check_standing(judged, after);
    }

    /// A shop knows campaigns by their revisions, so no request of a forged one may come that far.
    fn check_campaigns(&mut self, request: &Request, code: Option<Code>) {
        let campaign = request.change.campaign();
        let known = campaign.is_none_or(|campaign| self.campaigns.contains_key(&campaign));
        let refused = matches!(code, Some(Code::UnknownCampaign | Code::WrongLane));
        self.check(known || refused, "I5", || format!("{:?} is forged", request.change));
    }

    /// The status says what became of the shop.
    fn check_status(&mut self, judged: &Judged, difference: &Difference) {
        let Judged { before, after, outcome, .. } = judged;
        let holds = match outcome.status {
            Status::Applied if !outcome.repeat => difference.radius,
            Status::Unchanged if !outcome.repeat => !difference.radius,
            Status::Applied | Status::Unchanged => {
                let Difference { entered, left, ended, .. } = difference;
                !difference.radius && entered.is_empty() && left.is_empty() && ended.is_empty()
            }
            Status::Superseded | Status::Rejected | Status::Expired => before == after,
            Status::Failed => false,
        };
        self.check(holds, "I5", || format!("{} does not say what happened", outcome.status));
    }

    /// The answer says how the request left the shop.
    fn check_standing(&mut self, judged: &Judged, after: &ShopState) {
        let Some(standing) = judged.outcome.standing else { return };
        let decided = after.resolution(floor()).decided_by;
        let expected = (after.radius, decided, after.version);
        let found = (standing.after, standing.decided_by, standing.version);
        self.check(expected == found, "I5", || {
            format!("the shop is at {expected:?}, and the answer says {found:?}")
        });
    }

    /// Enters which causes came, went and were dropped: each of it once.
    fn enter(&mut self, lane: Lane, judged: &Judged, request: &Request, changes: &Difference) {
        let shop = &request.shop;
        let now = judged.time.now;
        for campaign in &changes.entered {
            let expired = self.lanes[usize::from(lane.0)].expired;
            let Change::Activate { campaign: name, kind, limit, deadline, .. } = request.change
            else {
                return self.broken("I1", format!("{shop}: a cause came without activation"));
            };
            let wanted = self.campaigns.get(&name).map(|wanted| (wanted.kind, wanted.limit));
            self.check(wanted == Some((kind, limit)), "I5", || {
                format!("{shop}: {campaign:?} never wanted {limit}")
            });
            self.count_copy(request);
            let by_copy = self.listed(request) != Listed::There;
            let cause = self.cause(request, *campaign);
            let known = cause.clone();
            let comes_back = known.may_come_back(deadline);
            cause.activate((kind, limit), changes.radius, by_copy);
            if comes_back {
                self.coverage.met(Met::CameBack);
            }
            let is_over = known.released.is_some() && !comes_back || known.release_seen;
            self.check(!is_over, "I2", || {
                format!("{shop}: {campaign:?} was released, and is active again: {known:?}")
            });
            self.check(known.activated.is_none() || comes_back, "I1", || {
                format!("{shop}: {campaign:?} was activated twice")
            });
            self.check(!deadline.is_passed(now) && expired < deadline, "I5", || {
                format!("{shop}: {campaign:?} was activated by {deadline:?}, which had passed")
            });
        }
        for (campaign, deadline) in &changes.dropped {
            self.coverage.met(Met::Dropped);
            self.cause(request, *campaign).dropped = true;
            self.treated_as_passed(lane, *deadline);
            self.check(kept_until(*deadline) < now, "I2", || {
                format!("{shop}: {campaign:?} dropped early")
            });
        }
        for campaign in &changes.ended {
            let cause = self.cause(request, *campaign);
            let known = cause.clone();
            cause.released = Some(changes.radius);
            cause.dropped = false;
            // A retry after a forged rejection releases once more. If the released cause was
            // dropped meanwhile, the release makes a new one, although no cause was in force.
            let ends_nothing = !changes.left.contains(campaign);
            let is_forgotten = known.dropped && (known.by_command || ends_nothing);
            self.check(known.released.is_none() || is_forgotten, "I1", || {
                format!("{shop}: {campaign:?} was released twice")
            });
            if !changes.left.contains(campaign) {
                self.coverage.met(Met::Tombstone);
                self.count_copy(request);
            }
        }
        let forgotten = changes.left.iter().any(|campaign| !changes.ended.contains(campaign));
        self.check(!forgotten, "I2", || format!("{shop}: a cause went without a trace"));
    }

    pub(super) fn cause(&mut self, request: &Request, campaign: Revision) -> &mut Cause {
        let view = self.shops.get_mut(&request.shop).expect("the shop is known");
        view.causes.entry(campaign).or_default()
    }

    pub(super) fn treated_as_passed(&mut self, lane: Lane, deadline: Deadline) {
        let expired = &mut self.lanes[usize::from(lane.0)].expired;
        *expired = deadline.max(*expired);
    }
}
