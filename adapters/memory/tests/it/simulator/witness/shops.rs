//! What the witness knows of the shops: which causes are in force, and what the radius must be.

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::{
    Change, Deadline, DecidedBy, ImportEntry, ImportOrder, ImportReceipt, ImportRemark, Limit,
    Radius, Request, Revision, Shop, ShopId, ShopImport, ShopState, Standing, TriggerKind,
};

use super::Witness;
use super::effects::active;
use crate::simulator::coverage::Met;
use crate::simulator::oracle::{Wish, resolve_naively};
use crate::simulator::world::{KINDS, floor};

/// What is known of a shop.
pub(crate) struct ShopView {
    /// As it was stored last.
    pub(crate) state: ShopState,
    /// The base radius of the highest revision, and that revision.
    pub(super) base: (Revision, Radius),
    pub(crate) causes: BTreeMap<Revision, Cause>,
    /// The newest effective request without a campaign, by kind.
    pub(super) requests: BTreeMap<TriggerKind, Limit>,
}

/// What one campaign did at one shop, each with whether that changed the radius.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an observation of its own")]
pub(crate) struct Cause {
    pub(super) wish: Option<(TriggerKind, Limit)>,
    pub(crate) activated: Option<bool>,
    pub(crate) released: Option<bool>,
    /// A release was answered here.
    pub(super) release_seen: bool,
    /// The store has forgotten that it was released.
    pub(crate) dropped: bool,
    /// A command released the cause, whatever its campaign was doing.
    pub(crate) by_command: bool,
    /// After a release by command: activations up to this deadline must never count again.
    pub(super) kept_out: Option<Deadline>,
    /// The request that brought the cause was a copy: the list has another shop at its place.
    pub(crate) by_copy: bool,
    /// The effects of earlier activations of a cause that came back after a release by command.
    earlier: Vec<bool>,
    /// The answers to the campaign's releases since the cause came: `true` if a release changed the
    /// radius. Both answers are here if the shop forgot the first release before the second.
    release_answers: BTreeSet<bool>,
}

impl Cause {
    pub(crate) const fn is_active(&self) -> bool {
        self.activated.is_some() && self.released.is_none()
    }

    /// Whether an activation took effect and changed the radius, or did not change it.
    pub(crate) fn took_effect(&self, changed: bool) -> bool {
        self.activated == Some(changed) || self.earlier.contains(&changed)
    }

    /// Notes the answer to a release: whether it changed the radius. The ledger may record it.
    pub(super) fn answer_release(&mut self, changed: bool) {
        self.release_answers.insert(changed);
    }

    /// Returns whether a release of the campaign got this answer, so that the ledger may record it.
    pub(crate) fn release_was_answered(&self, changed: bool) -> bool {
        self.release_answers.contains(&changed)
    }

    /// Whether an activation with this deadline may bring the cause back: a command released it,
    /// the release is forgotten, and the campaign asked again after that.
    pub(super) fn may_come_back(&self, deadline: Deadline) -> bool {
        self.dropped && self.kept_out.is_some_and(|until| until < deadline)
    }

    /// The cause is in force from now on.
    pub(super) fn activate(&mut self, wish: (TriggerKind, Limit), changed: bool, by_copy: bool) {
        self.earlier.extend(self.activated);
        self.activated = Some(changed);
        self.wish = Some(wish);
        self.by_copy = by_copy;
        (self.released, self.dropped, self.kept_out) = (None, false, None);
        // The answer to an earlier release does not end this cause.
        self.release_answers.clear();
    }
}

impl ShopView {
    /// What the radius must be and what decides it, by the effective requests alone.
    pub(crate) fn expected(&self) -> (u32, DecidedBy) {
        let rank = |kind: TriggerKind| {
            KINDS.iter().find(|(name, _)| *name == kind.as_str()).map_or(0, |(_, rank)| *rank)
        };
        let campaigns = self.causes.iter().filter(|(_, cause)| cause.is_active());
        let campaigns = campaigns.filter_map(|(revision, cause)| {
            let (kind, limit) = cause.wish?;
            Some(Wish { campaign: Some(*revision), kind, rank: rank(kind), limit })
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
impl Witness {
    /// Whether a request is the activation of a campaign that is over at its shop.
    pub(crate) fn is_over(&self, request: &Request) -> bool {
        let Change::Activate { campaign, .. } = request.change else { return false };
        let cause =
            self.shops.get(&request.shop).and_then(|view| view.causes.get(&campaign.revision));
        cause.is_some_and(|cause| cause.release_seen || cause.released.is_some())
    }

    /// Shops were brought in or updated.
    pub(crate) fn imported(
        &mut self,
        (rows, order): (&[ShopImport], ImportOrder),
        receipt: &ImportReceipt,
        shops: &[Shop],
    ) {
        let revision = receipt.revision;
        self.coverage.met(Met::Import);
        let right = match order {
            ImportOrder::Taken(taken) => taken == revision && revision <= self.newest,
            ImportOrder::Overruling => self.newest < revision,
        };
        let newest = self.newest;
        self.check(right, "base", || {
            format!("an import, {order:?}, has {revision} after {newest}")
        });
        self.given_out(revision);
        self.note(|| format!("  import {revision} of {} shops", rows.len()));
        let named = receipt.entries.iter().map(|entry| &entry.shop);
        self.check(named.eq(rows.iter().map(|row| &row.id)), "receipt", || {
            format!("the receipt of import {revision} has other shops than its rows")
        });
        for (row, entry) in rows.iter().zip(&receipt.entries) {
            let shop = shops.iter().find(|shop| shop.id == row.id).expect("it was imported");
            let state = shop.state.clone();
            let view = self.shops.entry(row.id.clone()).or_insert_with(|| ShopView {
                base: (revision, state.base.radius),
                state: state.clone(),
                causes: BTreeMap::new(),
                requests: BTreeMap::new(),
            });
            let known = std::mem::replace(&mut view.state, state.clone());
            let is_new = known.version == state.version;
            let before = (!is_new).then_some(known.radius);
            let (present, _) = view.base;
            if let Some(radius) = row.base.filter(|_| present <= revision) {
                view.base = (revision, radius);
            }
            self.check_remark(row, (present, order), entry);
            self.check(active(&known) == active(&state), "I2", || {
                format!("an import changed the causes of {}", row.id)
            });
            self.check(known.released == state.released, "I2", || {
                format!("an import changed the released causes of {}", row.id)
            });
            self.check_radius(&row.id);
            let Standing { after, version, .. } = entry.standing;
            let told = (entry.standing.before, after, version);
            let found = (before, state.radius, state.version);
            self.check(told == found, "receipt", || {
                format!("an import left {} as {found:?}, and its receipt says {told:?}", row.id)
            });
        }
    }

    /// An import names each newer base radius that a shop kept, and no other.
    fn check_remark(
        &mut self,
        row: &ShopImport,
        (present, order): (Revision, ImportOrder),
        entry: &ImportEntry,
    ) {
        let expected = match (row.base, order) {
            (Some(_), ImportOrder::Taken(revision)) if revision < present => {
                self.coverage.met(Met::NewerBase);
                Some(ImportRemark::NewerBase(present))
            }
            (Some(_), ImportOrder::Overruling) => {
                self.coverage.met(Met::Overruled);
                None
            }
            (None, _) | (_, ImportOrder::Taken(_)) => None,
        };
        self.check(entry.remark == expected, "base", || {
            format!("an import, {order:?}, says {:?} of {}, at {present}", entry.remark, row.id)
        });
    }

    /// The radius and its reason are those of the effective requests, in every moment.
    pub(super) fn check_radius(&mut self, shop: &ShopId) {
        let view = &self.shops[shop];
        let expected = view.expected();
        let decided = view.state.resolution(floor()).decided_by;
        let found = (view.state.radius.metres(), decided);
        self.check(expected == found, "radius", || {
            format!("{shop} must be {expected:?}, and is {found:?}")
        });
    }
}
