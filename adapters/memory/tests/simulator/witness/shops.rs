//! What the witness knows of the shops: which requests took effect (I1, I2, I5), and what the
//! radius must be.

use std::collections::BTreeMap;

use catchment_domain::{
    CampaignRef, Change, Code, Deadline, DecidedBy, Lane, Limit, Origin, RELEASED_KEPT, Radius,
    Request, Revision, Shop, ShopImport, ShopState, Status, TriggerKind,
};

use super::{Judged, Witness};
use crate::coverage::Met;
use crate::oracle::{Wish, resolve_naively};
use crate::world::KINDS;

/// What is known of a shop.
pub(crate) struct ShopView {
    /// As it was stored last.
    pub(crate) state: ShopState,
    /// The base radius of the highest revision, and that revision.
    base: (Revision, Radius),
    pub(crate) causes: BTreeMap<CampaignRef, Cause>,
    /// The newest effective request without a campaign, by kind.
    requests: BTreeMap<TriggerKind, Limit>,
}

/// What one campaign did at one shop, each with whether that changed the radius.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    wish: Option<(TriggerKind, Limit)>,
    pub(crate) activated: Option<bool>,
    pub(crate) released: Option<bool>,
    /// A release was answered here.
    release_seen: bool,
    /// The store has forgotten that it was released.
    pub(crate) dropped: bool,
}

impl Cause {
    pub(crate) const fn is_active(&self) -> bool {
        self.activated.is_some() && self.released.is_none()
    }
}

impl ShopView {
    /// What the radius must be and what decides it, by the effective requests alone.
    pub(crate) fn expected(&self) -> (u32, DecidedBy) {
        let rank = |kind: TriggerKind| {
            KINDS.iter().find(|(name, _)| *name == kind.as_str()).map_or(0, |(_, rank)| *rank)
        };
        let campaigns = self.causes.iter().filter(|(_, cause)| cause.is_active());
        let campaigns = campaigns.filter_map(|(name, cause)| {
            let (kind, limit) = cause.wish?;
            Some(Wish { campaign: Some(name.revision), kind, rank: rank(kind), limit })
        });
        let requests = self.requests.iter().map(|(kind, limit)| Wish {
            campaign: None,
            kind: *kind,
            rank: rank(*kind),
            limit: *limit,
        });
        resolve_naively(self.base.1.metres(), campaigns.chain(requests).collect())
    }
}

/// What a request changed at its shop.
struct Difference {
    entered: Vec<CampaignRef>,
    left: Vec<CampaignRef>,
    /// Released causes that are new.
    ended: Vec<CampaignRef>,
    /// Released causes that are gone, with their deadlines.
    dropped: Vec<(CampaignRef, Deadline)>,
    radius: bool,
}

impl Difference {
    fn between(before: &ShopState, after: &ShopState) -> Self {
        let (active, released) = (active(before), released(before));
        let (active_after, released_after) = (self::active(after), self::released(after));
        let without = |some: &[CampaignRef], others: &[CampaignRef]| {
            some.iter().copied().filter(|one| !others.contains(one)).collect::<Vec<_>>()
        };
        let dropped = before.released.iter().filter(|r| !released_after.contains(&r.campaign));
        Self {
            entered: without(&active_after, &active),
            left: without(&active, &active_after),
            ended: without(&released_after, &released),
            dropped: dropped.map(|r| (r.campaign, r.deadline)).collect(),
            radius: before.radius != after.radius,
        }
    }
}

fn active(shop: &ShopState) -> Vec<CampaignRef> {
    let campaign = |origin| match origin {
        Origin::Campaign(campaign) => Some(campaign),
        Origin::Request => None,
    };
    shop.active.iter().filter_map(|cause| campaign(cause.origin)).collect()
}

fn released(shop: &ShopState) -> Vec<CampaignRef> {
    shop.released.iter().map(|released| released.campaign).collect()
}

impl Witness {
    /// Shops were brought in or updated.
    pub(crate) fn imported(&mut self, rows: &[ShopImport], revision: Revision, shops: &[Shop]) {
        self.coverage.met(Met::Import);
        self.note(|| format!("  import {revision} of {} shops", rows.len()));
        for row in rows {
            let shop = shops.iter().find(|shop| shop.id == row.id).expect("it was imported");
            let state = shop.state.clone();
            let view = self.shops.entry(row.id.clone()).or_insert_with(|| ShopView {
                base: (revision, state.base.radius),
                state: state.clone(),
                causes: BTreeMap::new(),
                requests: BTreeMap::new(),
            });
            let known = std::mem::replace(&mut view.state, state.clone());
            if let Some(radius) = row.base {
                view.base = view.base.max((revision, radius));
            }
            self.check(active(&known) == active(&state), "I2", || {
                format!("an import changed the causes of {}", row.id)
            });
            self.check(known.released == state.released, "I2", || {
                format!("an import changed the released causes of {}", row.id)
            });
            self.check_radius(&row.id);
        }
    }

    /// The radius and its reason are those of the effective requests, in every moment.
    fn check_radius(&mut self, shop: &catchment_domain::ShopId) {
        let view = &self.shops[shop];
        let expected = view.expected();
        let decided = view.state.resolution(crate::world::terms(Revision::NONE).floor).decided_by;
        let found = (view.state.radius.metres(), decided);
        self.check(expected == found, "radius", || {
            format!("{shop} must be {expected:?}, and is {found:?}")
        });
    }

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
            return;
        };
        let known = self.shops.get(&request.shop).map(|view| &view.state);
        self.check(known == Some(before), "I1", || {
            format!("{} was changed by nobody", request.shop)
        });
        let difference = Difference::between(before, after);
        self.check_status(judged, &difference);
        self.enter(lane, judged, request, &difference);
        self.check_change(lane, judged, request, &difference);
        if let Some(view) = self.shops.get_mut(&request.shop) {
            view.state = after.clone();
        }
        self.check_radius(&request.shop);
        self.check_standing(judged, after);
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
        let decided = after.resolution(crate::world::terms(Revision::NONE).floor).decided_by;
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
            let Change::Activate { kind, limit, deadline, .. } = request.change else {
                return self.broken("I1", format!("{shop}: a cause came without activation"));
            };
            let cause = self.cause(request, *campaign);
            cause.wish = Some((kind, limit));
            let known = cause.clone();
            cause.activated = Some(changes.radius);
            self.check(known.activated.is_none(), "I1", || {
                format!("{shop}: {campaign:?} was activated twice")
            });
            self.check(known.released.is_none() && !known.release_seen, "I2", || {
                format!("{shop}: {campaign:?} was released, and is active again")
            });
            self.check(!deadline.is_passed(now) && expired < deadline, "I5", || {
                format!("{shop}: {campaign:?} was activated by {deadline:?}, which had passed")
            });
        }
        for campaign in &changes.ended {
            let cause = self.cause(request, *campaign);
            let known = cause.clone();
            cause.released = Some(changes.radius);
            self.check(known.released.is_none(), "I1", || {
                format!("{shop}: {campaign:?} was released twice")
            });
            if !changes.left.contains(campaign) {
                self.coverage.met(Met::Tombstone);
            }
        }
        let forgotten = changes.left.iter().any(|campaign| !changes.ended.contains(campaign));
        self.check(!forgotten, "I2", || format!("{shop}: a cause went without a trace"));
        for (campaign, deadline) in &changes.dropped {
            self.coverage.met(Met::Dropped);
            self.cause(request, *campaign).dropped = true;
            self.treated_as_passed(lane, *deadline);
            let kept_until = deadline.instant().saturating_add(RELEASED_KEPT);
            self.check(kept_until < now, "I2", || format!("{shop}: {campaign:?} dropped early"));
        }
    }

    fn cause(&mut self, request: &Request, campaign: CampaignRef) -> &mut Cause {
        let view = self.shops.get_mut(&request.shop).expect("the shop is known");
        view.causes.entry(campaign).or_default()
    }

    fn treated_as_passed(&mut self, lane: Lane, deadline: Deadline) {
        let expired = &mut self.lanes[usize::from(lane.0)].expired;
        *expired = deadline.max(*expired);
    }

    /// What was answered is what this change did, and had the right to do.
    fn check_change(
        &mut self,
        lane: Lane,
        judged: &Judged,
        request: &Request,
        changes: &Difference,
    ) {
        let Judged { outcome, .. } = judged;
        if outcome.status == Status::Rejected {
            return;
        }
        if outcome.status == Status::Expired {
            let deadline = request.change.deadline().unwrap_or(Deadline::MIN);
            self.treated_as_passed(lane, deadline);
            self.check(judged.time.is_passed(deadline), "I5", || {
                format!("{}: expired before {deadline:?}", request.shop)
            });
        }
        match request.change {
            Change::Activate { campaign, .. } => {
                self.check_activation(judged, request, campaign, changes);
            }
            Change::Release { campaign, deadline } => {
                self.check_release(lane, judged, request, (campaign, deadline), changes);
            }
            Change::ActivateKind { kind, limit, .. } => {
                if is_effective(outcome.status) {
                    let view = self.shops.get_mut(&request.shop).expect("the shop is known");
                    view.requests.insert(kind, limit);
                }
            }
            Change::ReleaseKind { kind } => {
                let view = self.shops.get_mut(&request.shop).expect("the shop is known");
                view.requests.remove(&kind);
            }
            Change::SetBase { revision, radius, .. } => {
                self.check_base(judged, request, (revision, radius));
            }
        }
    }

    fn check_activation(
        &mut self,
        judged: &Judged,
        request: &Request,
        campaign: CampaignRef,
        changes: &Difference,
    ) {
        let outcome = &judged.outcome;
        let cause = self.cause(request, campaign).clone();
        if !changes.entered.is_empty() && !changes.ended.is_empty() {
            self.coverage.met(Met::Replacement);
        }
        let again = is_effective(outcome.status)
            && !outcome.repeat
            && !changes.entered.contains(&campaign)
            && cause.activated.is_some();
        self.check(!again, "I1", || format!("{}: {campaign:?} was activated twice", request.shop));
        let holds = match outcome.status {
            Status::Applied if outcome.repeat => cause.activated == Some(true),
            Status::Unchanged if outcome.repeat => cause.activated == Some(false),
            Status::Applied | Status::Unchanged => changes.entered.contains(&campaign),
            Status::Superseded => cause.released.is_some(),
            // A copy that comes so late that its release was forgotten.
            Status::Expired => cause.activated.is_none() || cause.dropped,
            Status::Rejected | Status::Failed => false,
        };
        self.check(holds, "I5", || {
            format!("{}: {campaign:?} {}: {cause:?}", request.shop, outcome.status)
        });
    }

    fn check_release(
        &mut self,
        lane: Lane,
        judged: &Judged,
        request: &Request,
        (campaign, deadline): (CampaignRef, Deadline),
        changes: &Difference,
    ) {
        let outcome = &judged.outcome;
        let cause = self.cause(request, campaign);
        cause.release_seen = true;
        let cause = cause.clone();
        let left_nothing = !outcome.repeat && !changes.ended.contains(&campaign);
        if left_nothing {
            self.coverage.met(Met::LeftNothing);
            self.treated_as_passed(lane, deadline);
            self.check(cause.released.is_none() || cause.dropped, "I1", || {
                format!("{}: {campaign:?} was released twice", request.shop)
            });
        }
        let holds = match outcome.status {
            Status::Applied if outcome.repeat => cause.released == Some(true),
            Status::Unchanged if outcome.repeat => cause.released == Some(false),
            Status::Applied => changes.ended.contains(&campaign),
            Status::Unchanged => !cause.is_active(),
            Status::Superseded | Status::Rejected | Status::Expired | Status::Failed => false,
        };
        self.check(holds, "I5", || {
            format!("{}: release of {campaign:?} {}: {cause:?}", request.shop, outcome.status)
        });
    }

    fn check_base(
        &mut self,
        judged: &Judged,
        request: &Request,
        (revision, radius): (Revision, Radius),
    ) {
        let outcome = &judged.outcome;
        let view = self.shops.get_mut(&request.shop).expect("the shop is known");
        let (newest, _) = view.base;
        let holds = match outcome.status {
            Status::Applied | Status::Unchanged if outcome.repeat => revision == newest,
            Status::Applied | Status::Unchanged => newest < revision,
            Status::Superseded => revision < newest,
            Status::Expired => true,
            Status::Rejected | Status::Failed => false,
        };
        if is_effective(outcome.status) && newest < revision {
            view.base = (revision, radius);
            self.coverage.met(Met::BaseSet);
        }
        self.check(holds, "I5", || {
            format!("{}: base {revision} {} beside {newest}", request.shop, outcome.status)
        });
    }

    fn count(&mut self, judged: &Judged) {
        let outcome = &judged.outcome;
        self.coverage.met(match outcome.status {
            Status::Applied => Met::Applied,
            Status::Unchanged => Met::Unchanged,
            Status::Superseded => Met::Superseded,
            Status::Expired => Met::Expired,
            Status::Rejected | Status::Failed => Met::Rejected,
        });
        if outcome.repeat {
            self.coverage.met(Met::Repeat);
        }
        let met = match outcome.code {
            Some(Code::BadData) => Met::BadData,
            Some(Code::Unreadable) => Met::Unreadable,
            Some(Code::WrongLane) => Met::WrongLane,
            Some(Code::UnknownCampaign) => Met::UnknownCampaign,
            Some(Code::UnknownShop) => Met::UnknownShop,
            _ => return self.count_change(judged),
        };
        self.coverage.met(met);
    }

    fn count_change(&mut self, judged: &Judged) {
        let Ok(request) = &judged.record.request else { return };
        if let Change::ActivateKind { .. } | Change::ReleaseKind { .. } = request.change {
            self.coverage.met(Met::KindWithoutCampaign);
        }
        let passed = |deadline: Deadline| deadline.is_passed(judged.time.now);
        if judged.outcome.status == Status::Expired
            && request.change.deadline().is_some_and(|deadline| !passed(deadline))
        {
            self.coverage.met(Met::ExpiredByMark);
        }
    }
}

const fn is_effective(status: Status) -> bool {
    matches!(status, Status::Applied | Status::Unchanged)
}
