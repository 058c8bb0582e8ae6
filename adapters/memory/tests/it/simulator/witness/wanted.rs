//! What the campaigns want, as their operators know it. A request that differs must not take
//! effect.

use std::collections::BTreeMap;

use catchment_domain::{
    Attempt, Campaign, Change, Code, Deadline, Limit, Nonce, Phase, Replaced, Request,
    ReturnAddress, Revision, ShopId, Status, Ticket, TriggerKind,
};

use super::{Judged, Witness};
use crate::simulator::coverage::Met;

/// What a campaign wants, from its start on.
pub(super) struct Wanted {
    nonce: Nonce,
    pub(super) kind: TriggerKind,
    pub(super) limit: Limit,
    replaces: Option<Replaced>,
    /// Its list.
    shops: Vec<ShopId>,
    /// The deadline of each attempt.
    pub(super) deadlines: BTreeMap<Attempt, Deadline>,
}

impl Wanted {
    /// The difference between a request and every request that the campaign's requester may have
    /// sent so far.
    fn difference(&self, revision: Revision, request: &Request) -> Option<Met> {
        let ticket = Ticket::read(request.id).filter(|ticket| ticket.revision == revision);
        let Some(Ticket { phase, attempt, index, nonce, .. }) = ticket else {
            return Some(Met::OtherId);
        };
        let (of, deadline) = match request.change {
            Change::Activate { kind, limit, deadline, replaces, .. } => {
                let wish = [
                    (kind == self.kind, Met::OtherKind),
                    (limit == self.limit, Met::OtherLimit),
                    (replaces == self.replaces, Met::OtherReplaced),
                ];
                if let Some((_, met)) = wish.into_iter().find(|(same, _)| !same) {
                    return Some(met);
                }
                (Phase::Activation, deadline)
            }
            Change::Release { deadline, .. } => (Phase::Release, deadline),
            Change::ActivateKind { .. } | Change::ReleaseKind { .. } | Change::SetBase { .. } => {
                return None;
            }
        };
        let present = self.deadlines.last_key_value();
        let in_time = present.is_some_and(|(present, newest)| match attempt.cmp(present) {
            std::cmp::Ordering::Less => deadline <= *newest,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => deadline == *newest,
        });
        let rest = [
            (nonce == self.nonce, Met::OtherNonce),
            (phase == of, Met::OtherPhase),
            (self.deadlines.contains_key(&attempt), Met::OtherAttempt),
            ((index as usize) < self.shops.len(), Met::OtherPlace),
            (in_time, Met::OtherDeadline),
        ];
        rest.into_iter().find(|(same, _)| !same).map(|(_, met)| met)
    }

    /// Whether the shop stands in the list, at the place that the id names or at another one.
    fn listed(&self, request: &Request) -> Listed {
        let index = Ticket::read(request.id).map(|ticket| ticket.index as usize);
        match self.shops.iter().position(|shop| *shop == request.shop) {
            None => Listed::Nowhere,
            place if place == index => Listed::There,
            Some(_) => Listed::Elsewhere,
        }
    }
}

/// Where a campaign's list has the shop of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    There,
    Elsewhere,
    Nowhere,
}

impl Witness {
    /// A campaign began over these shops.
    pub(crate) fn began(&mut self, campaign: &Campaign, shops: Vec<ShopId>) {
        let &Campaign { name, nonce, kind, limit, replaces, .. } = campaign;
        self.given_out(name.revision);
        let deadlines = BTreeMap::new();
        let wanted = Wanted { nonce, kind, limit, replaces, shops, deadlines };
        self.campaigns.insert(name, wanted);
        self.asks_with_more_time(campaign);
    }

    /// A campaign is in a new attempt with a new deadline. No lane may have treated this deadline
    /// as passed before the first request of the attempt.
    pub(crate) fn asks_with_more_time(&mut self, campaign: &Campaign) {
        self.asks_again(campaign);
        let passed = self.lanes.iter().map(|lane| lane.expired).max();
        self.check(passed < Some(campaign.deadline), "I5", || {
            format!("{campaign:?} begins, but {passed:?} was already treated as passed")
        });
    }

    /// A campaign is in a new attempt.
    pub(crate) fn asks_again(&mut self, campaign: &Campaign) {
        if let Some(wanted) = self.campaigns.get_mut(&campaign.name) {
            wanted.deadlines.insert(campaign.attempt, campaign.deadline);
        }
    }

    /// A revision was given out.
    pub(crate) fn given_out(&mut self, revision: Revision) {
        self.newest = self.newest.max(revision);
    }

    /// A requester is about to send this.
    pub(crate) fn asked(&mut self, request: &Request) {
        if let Change::Activate { campaign, .. } = request.change {
            self.asked.insert((campaign.revision, request.shop.clone()));
        }
    }

    /// An activation of a campaign, from the newest attempt that was sent.
    pub(crate) fn newest_activation(&self, campaign: Revision) -> Option<(Request, ReturnAddress)> {
        let sent = self.sent.iter().filter(|(request, _)| {
            let is_activation = matches!(request.change, Change::Activate { .. });
            is_activation && request.change.campaign().is_some_and(|c| c.revision == campaign)
        });
        let attempt = |request: &Request| Ticket::read(request.id).map(|ticket| ticket.attempt);
        sent.max_by_key(|(request, _)| attempt(request)).cloned()
    }

    /// Whether a campaign never asked a shop, so that no end will release it there.
    pub(crate) fn is_stray(&self, campaign: Revision, shop: &ShopId) -> bool {
        !self.asked.contains(&(campaign, shop.clone()))
    }

    /// Whether the list of a campaign has a shop.
    pub(crate) fn is_listed(&self, campaign: Revision, shop: &ShopId) -> bool {
        self.wanted(campaign).is_some_and(|wanted| wanted.shops.contains(shop))
    }

    pub(super) fn wanted(&self, campaign: Revision) -> Option<&Wanted> {
        let mut wanted = self.campaigns.iter().filter(|(name, _)| name.revision == campaign);
        wanted.next().map(|(_, wanted)| wanted)
    }

    pub(super) fn listed(&self, request: &Request) -> Listed {
        let wanted = request.change.campaign().and_then(|name| self.campaigns.get(&name));
        wanted.map_or(Listed::Nowhere, |wanted| wanted.listed(request))
    }

    /// Returns whether a campaign gives this id to requests for this shop, in any attempt. The ledger
    /// records answers to such ids alone.
    pub(super) fn has_id_of_shop(&self, request: &Request) -> bool {
        let wanted = request.change.campaign().and_then(|name| self.campaigns.get(&name));
        let ticket = Ticket::read(request.id);
        wanted.zip(ticket).is_some_and(|(wanted, ticket)| {
            wanted.nonce == ticket.nonce && wanted.listed(request) == Listed::There
        })
    }

    /// Checks that a request that differs from its campaign changes nothing, and that no other
    /// request is refused as differing.
    pub(super) fn check_terms(&mut self, judged: &Judged, request: &Request) {
        let Judged { before, after, outcome, is_over, newest, .. } = judged;
        let given_out = self.newest;
        self.check(*newest == given_out, "terms", || {
            format!("{given_out} is the newest revision, but {newest} was read")
        });
        let Some(name) = request.change.campaign() else {
            let reserved = Ticket::read(request.id).is_some();
            return self.check(!reserved || outcome.status == Status::Rejected, "terms", || {
                format!("{request:?} has a campaign's id, but was answered {outcome:?}")
            });
        };
        let Some(wanted) = self.campaigns.get(&name) else { return };
        let difference = wanted.difference(name.revision, request);
        let is_activation = matches!(request.change, Change::Activate { .. });
        let is_early = !is_over && !is_activation;
        self.check(!is_over || !is_activation || before == after, "terms", || {
            format!("{request:?} took effect after the end of its campaign")
        });
        let is_refused = outcome.code == Some(Code::CampaignDiffers);
        if is_refused {
            self.coverage.met(difference.unwrap_or(Met::EarlyRelease));
        }
        self.check(difference.is_some() || is_early || !is_refused, "terms", || {
            format!("{request:?} agrees with its campaign, but was refused: {outcome:?}")
        });
        // With the id of another request, even a repeat must be refused: its answer would count for
        // that other request.
        let may_tell = !matches!(difference, Some(Met::OtherId | Met::OtherPhase));
        let tells = may_tell && (outcome.repeat || outcome.status == Status::Superseded);
        let holds = before == after && (tells || outcome.status == Status::Rejected);
        self.check(difference.is_none() || holds, "terms", || {
            format!("{request:?} has {difference:?}, but was answered {outcome:?}")
        });
    }

    /// Counts the effects of requests that somebody else than their requester sent.
    pub(super) fn count_copy(&mut self, request: &Request) {
        let is_release = matches!(request.change, Change::Release { .. });
        match (self.listed(request), is_release) {
            (Listed::There, _) => {}
            (Listed::Elsewhere, _) => self.coverage.met(Met::OtherShop),
            (Listed::Nowhere, false) => self.coverage.met(Met::Unlisted),
            (Listed::Nowhere, true) => self.coverage.met(Met::UnlistedRelease),
        }
    }
}
