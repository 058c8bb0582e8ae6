//! The rules of judging as the design tells them, slow and plain: a log of what happened,
//! read from its beginning for every question.

use catchment_domain::{
    CampaignRef, Change, Code, Deadline, DecidedBy, Limit, MAX_CAUSES, Policy, Radius, Rank,
    Replaced, Revision, Status, Timestamp, TriggerKind,
};

/// Something that happened at one shop. Each is written in the shop's row.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Activated { campaign: CampaignRef, kind: TriggerKind, limit: Limit, status: Status },
    Released { campaign: CampaignRef, deadline: Deadline, status: Status },
    ReleaseMetAgain { campaign: CampaignRef, deadline: Deadline },
    Dropped { campaign: CampaignRef },
    KindActivated { kind: TriggerKind, limit: Limit },
    KindReleased { kind: TriggerKind },
    BaseSet { revision: Revision, radius: Radius, status: Status },
}

/// What a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    pub(crate) repeat: bool,
    pub(crate) after: Radius,
    pub(crate) decided_by: DecidedBy,
}

/// What a lane treated as passed, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    passed: Vec<Deadline>,
}

impl Lane {
    fn is_passed(&self, now: Timestamp, deadline: Deadline) -> bool {
        deadline.instant() < now || self.passed.iter().any(|passed| deadline <= *passed)
    }
}

/// A shop as the log of what happened there.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    facts: Vec<Fact>,
}

impl Shop {
    pub(crate) fn new(base: Radius, revision: Revision) -> Self {
        let status = Status::Applied;
        Self { facts: vec![Fact::BaseSet { revision, radius: base, status }] }
    }

    /// What the first activation of a campaign was answered, while nothing released it.
    fn activation(&self, campaign: CampaignRef) -> Option<Status> {
        self.facts.iter().rev().find_map(|fact| match fact {
            Fact::Activated { campaign: at, status, .. } if *at == campaign => Some(Some(*status)),
            Fact::Released { campaign: at, .. } if *at == campaign => Some(None),
            _ => None,
        })?
    }

    /// The status and the latest deadline of a campaign's release, unless it was dropped.
    fn release(&self, campaign: CampaignRef) -> Option<(Status, Deadline)> {
        let mut found = None;
        for fact in &self.facts {
            match fact {
                Fact::Released { campaign: at, deadline, status } if *at == campaign => {
                    found = Some((*status, *deadline));
                }
                Fact::ReleaseMetAgain { campaign: at, deadline } if *at == campaign => {
                    found = found.map(|(status, had)| (status, had.max(*deadline)));
                }
                Fact::Dropped { campaign: at } if *at == campaign => found = None,
                _ => {}
            }
        }
        found
    }

    fn kind_limit(&self, kind: TriggerKind) -> Option<Limit> {
        self.facts.iter().rev().find_map(|fact| match fact {
            Fact::KindActivated { kind: at, limit } if *at == kind => Some(Some(*limit)),
            Fact::KindReleased { kind: at } if *at == kind => Some(None),
            _ => None,
        })?
    }

    fn base(&self) -> (Revision, Radius, Status) {
        let set = self.facts.iter().rev().find_map(|fact| match fact {
            Fact::BaseSet { revision, radius, status } => Some((*revision, *radius, *status)),
            _ => None,
        });
        set.unwrap()
    }

    /// The limits in force, the oldest first: campaigns by revision, then kinds by name.
    fn limits(&self) -> Vec<(DecidedBy, TriggerKind, Limit)> {
        let mut campaigns: Vec<(CampaignRef, TriggerKind, Limit)> = Vec::new();
        let mut kinds: Vec<TriggerKind> = Vec::new();
        for fact in &self.facts {
            match fact {
                Fact::Activated { campaign, kind, limit, .. }
                    if self.activation(*campaign).is_some() =>
                {
                    campaigns.push((*campaign, *kind, *limit));
                }
                Fact::KindActivated { kind, .. } => kinds.push(*kind),
                _ => {}
            }
        }
        campaigns.sort_by_key(|(campaign, ..)| *campaign);
        kinds.sort();
        kinds.dedup();
        let campaigns = campaigns.into_iter().map(|(campaign, kind, limit)| {
            (DecidedBy::Campaign { revision: campaign.revision, kind }, kind, limit)
        });
        let kinds = kinds
            .into_iter()
            .filter_map(|kind| Some((DecidedBy::Request { kind }, kind, self.kind_limit(kind)?)));
        campaigns.chain(kinds).collect()
    }

    fn resolved(&self, policy: &Policy) -> (Radius, DecidedBy) {
        let (_, base, _) = self.base();
        let limits = self.limits();
        let rank = |kind: &TriggerKind| policy.rank(*kind).unwrap();
        let highest: Option<Rank> = limits.iter().map(|(_, kind, _)| rank(kind)).max();
        let mut narrowest: Option<(Limit, DecidedBy)> = None;
        for (by, kind, limit) in &limits {
            let narrower = match narrowest {
                None => true,
                Some((Limit::Closed, _)) => false,
                Some((other, _)) => *limit == Limit::Closed || limit.of(base) < other.of(base),
            };
            if Some(rank(kind)) == highest && narrower {
                narrowest = Some((*limit, *by));
            }
        }
        match narrowest {
            None => (base, DecidedBy::Base),
            Some((Limit::Closed, by)) => (Radius::CLOSED, by),
            Some((limit, by)) => (base.min(policy.floor.max(limit.of(base))), by),
        }
    }

    fn is_full(&self, but: usize) -> bool {
        MAX_CAUSES <= self.limits().len() - but
    }

    /// Answers a request and writes down what happens.
    pub(crate) fn answer(
        &mut self,
        lane: &mut Lane,
        now: Timestamp,
        policy: &Policy,
        change: Change,
        differs: Option<Code>,
    ) -> Answer {
        let (before, _) = self.resolved(policy);
        let refused = match (self.known(change), differs) {
            (Some(known), _) => Some(known),
            (None, Some(code)) => Some((Status::Rejected, Some(code), false)),
            (None, None) => self.obstacle(lane, now, policy, change),
        };
        let (status, code, repeat) = refused.unwrap_or_else(|| {
            let status = self.happen(lane, now, policy, change, before);
            (status, None, false)
        });
        if let (Change::Release { campaign, deadline }, true, None) = (change, repeat, differs) {
            self.facts.push(Fact::ReleaseMetAgain { campaign, deadline });
        }
        if status == Status::Expired {
            lane.passed.extend(change.deadline());
        }
        let (after, decided_by) = self.resolved(policy);
        Answer { status, code, repeat, after, decided_by }
    }

    /// "Is its cause there": the answer where it is.
    fn known(&self, change: Change) -> Option<(Status, Option<Code>, bool)> {
        let superseded = |code| (Status::Superseded, Some(code), false);
        match change {
            Change::Activate { campaign, .. } if self.release(campaign).is_some() => {
                Some(superseded(Code::CampaignEnded))
            }
            Change::Activate { campaign, .. } => Some((self.activation(campaign)?, None, true)),
            Change::Release { campaign, .. } => Some((self.release(campaign)?.0, None, true)),
            Change::SetBase { revision, radius, .. } => {
                let (stands, metres, status) = self.base();
                if (revision, radius) == (stands, metres) {
                    Some((status, None, true))
                } else if stands < revision {
                    None
                } else {
                    Some(superseded(Code::NewerBase))
                }
            }
            Change::ActivateKind { .. } | Change::ReleaseKind { .. } => None,
        }
    }

    /// Why it cannot happen now: deadline, then room.
    fn obstacle(
        &self,
        lane: &Lane,
        now: Timestamp,
        policy: &Policy,
        change: Change,
    ) -> Option<(Status, Option<Code>, bool)> {
        let rejected = |code| Some((Status::Rejected, Some(code), false));
        if let Change::Activate { kind, .. } | Change::ActivateKind { kind, .. } = change
            && policy.rank(kind).is_none()
        {
            return rejected(Code::UnknownKind);
        }
        if change.deadline().is_some_and(|deadline| lane.is_passed(now, deadline)) {
            return Some((Status::Expired, Some(Code::DeadlinePassed), false));
        }
        let full = match change {
            Change::Activate { replaces, .. } => {
                let leaves = |older: &Replaced| self.activation(older.campaign).is_some();
                self.is_full(usize::from(replaces.as_ref().is_some_and(leaves)))
            }
            Change::ActivateKind { kind, .. } => self.kind_limit(kind).is_none() && self.is_full(0),
            Change::Release { .. } | Change::ReleaseKind { .. } | Change::SetBase { .. } => false,
        };
        if full { rejected(Code::TooManyCauses) } else { None }
    }

    /// Lets it happen. The status is known once it has happened, so it is written twice.
    fn happen(
        &mut self,
        lane: &mut Lane,
        now: Timestamp,
        policy: &Policy,
        change: Change,
        before: Radius,
    ) -> Status {
        let (written, mut after) = (self.facts.len(), self.clone());
        let mut status = Status::Unchanged;
        for _ in 0..2 {
            after = self.clone();
            after.facts.extend(self.facts_of(lane, now, change, status));
            let changed = before != after.resolved(policy).0;
            status = if changed { Status::Applied } else { Status::Unchanged };
        }
        let left_nothing = after.facts.len() == written;
        match change {
            // "A release that left nothing" passes its deadline.
            Change::Release { deadline, .. } if left_nothing => lane.passed.push(deadline),
            Change::Activate { replaces: Some(older), .. }
                if after.release(older.campaign).is_none() =>
            {
                lane.passed.push(older.deadline);
            }
            _ => {}
        }
        if !left_nothing {
            self.drop_what_is_old(lane, now);
            let news = after.facts.split_off(written);
            self.facts.extend(news);
        }
        status
    }

    /// A write drops released causes an hour after their deadline.
    fn drop_what_is_old(&mut self, lane: &mut Lane, now: Timestamp) {
        for fact in self.facts.clone() {
            if let Fact::Released { campaign, .. } = fact
                && let Some((_, deadline)) = self.release(campaign)
                && deadline.instant().millis() + 3_600_000 < now.millis()
            {
                lane.passed.push(deadline);
                self.facts.push(Fact::Dropped { campaign });
            }
        }
    }

    fn facts_of(&self, lane: &Lane, now: Timestamp, change: Change, status: Status) -> Vec<Fact> {
        match change {
            Change::Activate { campaign, kind, limit, replaces, .. } => {
                let release = replaces.map(|older| {
                    self.facts_of_release(lane, now, older.campaign, older.deadline, status)
                });
                let activated = Fact::Activated { campaign, kind, limit, status };
                std::iter::once(activated).chain(release.into_iter().flatten()).collect()
            }
            Change::Release { campaign, deadline } => {
                self.facts_of_release(lane, now, campaign, deadline, status)
            }
            Change::ActivateKind { kind, limit, .. } => vec![Fact::KindActivated { kind, limit }],
            Change::ReleaseKind { kind, .. } => {
                self.kind_limit(kind).map(|_| Fact::KindReleased { kind }).into_iter().collect()
            }
            Change::SetBase { revision, radius, .. } => {
                vec![Fact::BaseSet { revision, radius, status }]
            }
        }
    }

    fn facts_of_release(
        &self,
        lane: &Lane,
        now: Timestamp,
        campaign: CampaignRef,
        deadline: Deadline,
        status: Status,
    ) -> Vec<Fact> {
        let is_there = self.activation(campaign).is_some();
        if self.release(campaign).is_some() {
            vec![Fact::ReleaseMetAgain { campaign, deadline }]
        } else if is_there || !lane.is_passed(now, deadline) {
            vec![Fact::Released { campaign, deadline, status }]
        } else {
            Vec::new()
        }
    }
}
