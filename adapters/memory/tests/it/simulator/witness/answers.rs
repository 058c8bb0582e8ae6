//! Whether each answer says what its request did, and had the right to do (I1, I5).

use catchment_domain::{Change, Code, Deadline, Lane, Radius, Request, Revision, Status};

use super::effects::Difference;
use super::{Judged, Witness};
use crate::simulator::coverage::Met;

impl Witness {
    /// What was answered is what this change did, and had the right to do.
    pub(super) fn check_change(
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
                self.check_activation(judged, request, campaign.revision, changes);
            }
            Change::Release { campaign, deadline } => {
                self.check_release(lane, judged, request, (campaign.revision, deadline), changes);
            }
            Change::ActivateKind { kind, limit, .. } => {
                if is_effective(outcome.status) {
                    let view = self.shops.get_mut(&request.shop).expect("the shop is known");
                    view.requests.insert(kind, limit);
                }
            }
            Change::ReleaseKind { kind, .. } => {
                if is_effective(outcome.status) {
                    let view = self.shops.get_mut(&request.shop).expect("the shop is known");
                    view.requests.remove(&kind);
                }
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
        campaign: Revision,
        changes: &Difference,
    ) {
        let outcome = &judged.outcome;
        let cause = self.cause(request, campaign).clone();
        if !changes.entered.is_empty() && !changes.ended.is_empty() {
            self.coverage.met(Met::Replacement);
        }
        if outcome.status == Status::Superseded && cause.released.is_none() {
            self.coverage.met(Met::LateActivation);
        }
        if outcome.status == Status::Superseded && cause.by_command && !judged.is_over {
            self.coverage.met(Met::KeptOut);
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
            Status::Superseded => cause.released.is_some() || judged.is_over,
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
        (campaign, deadline): (Revision, Deadline),
        changes: &Difference,
    ) {
        let outcome = &judged.outcome;
        let cause = self.cause(request, campaign);
        // A forged release that comes before the end may be answered as a repeat of a release by
        // command.
        cause.release_seen |= judged.is_over;
        let cause = cause.clone();
        if outcome.repeat && cause.by_command {
            self.coverage.met(Met::ReleasedAlready);
        }
        let left_nothing = !outcome.repeat && !changes.ended.contains(&campaign);
        if left_nothing {
            self.coverage.met(Met::LeftNothing);
            self.treated_as_passed(lane, deadline);
            self.check(cause.released.is_none() || cause.dropped, "I1", || {
                format!("{}: {campaign:?} was released twice", request.shop)
            });
        }
        self.check(judged.is_over || outcome.repeat, "I5", || {
            format!("{}: {campaign:?} was released before its end", request.shop)
        });
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
        if holds && self.has_id_of_shop(request) {
            self.cause(request, campaign).answer_release(outcome.status == Status::Applied);
        }
    }

    fn check_base(
        &mut self,
        judged: &Judged,
        request: &Request,
        (revision, radius): (Revision, Radius),
    ) {
        let outcome = &judged.outcome;
        let view = self.shops.get_mut(&request.shop).expect("the shop is known");
        let (newest, stands) = view.base;
        let is_same = revision == newest && radius == stands;
        let holds = match outcome.status {
            Status::Applied | Status::Unchanged if outcome.repeat => is_same,
            Status::Applied | Status::Unchanged => newest < revision && revision <= judged.newest,
            Status::Superseded => revision <= newest && !is_same,
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

    pub(super) fn count(&mut self, judged: &Judged) {
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
            // `wanted` counts these by the field that differs.
            Some(Code::CampaignDiffers) => return,
            Some(Code::ReservedId) => Met::ReservedId,
            Some(Code::UnknownRevision) => Met::UnknownRevision,
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
