//! What the witness knows of the shops: which causes are in force, and what the radius must be.

use std::collections::BTreeMap;

use catchment_domain::{
    Change, DecidedBy, ImportReceipt, Limit, Radius, Request, Revision, Shop, ShopId, ShopImport,
    ShopState, Standing, TriggerKind,
};

use super::Witness;
use super::effects::active;
use crate::simulator::coverage::Met;
use crate::simulator::oracle::{Wish, resolve_naively};
use crate::simulator::world::KINDS;

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
pub(crate) struct Cause {
    pub(super) wish: Option<(TriggerKind, Limit)>,
    pub(crate) activated: Option<bool>,
    pub(crate) released: Option<bool>,
    /// A release was answered here.
    pub(super) release_seen: bool,
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
        rows: &[ShopImport],
        receipt: &ImportReceipt,
        shops: &[Shop],
    ) {
        let revision = receipt.revision;
        self.coverage.met(Met::Import);
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
            let Standing { after, version, .. } = entry.standing;
            let told = (entry.standing.before, after, version);
            let found = (before, state.radius, state.version);
            self.check(told == found, "receipt", || {
                format!("an import left {} as {found:?}, and its receipt says {told:?}", row.id)
            });
        }
    }

    /// The radius and its reason are those of the effective requests, in every moment.
    pub(super) fn check_radius(&mut self, shop: &ShopId) {
        let view = &self.shops[shop];
        let expected = view.expected();
        let decided =
            view.state.resolution(crate::simulator::world::terms(Revision::NONE).floor).decided_by;
        let found = (view.state.radius.metres(), decided);
        self.check(expected == found, "radius", || {
            format!("{shop} must be {expected:?}, and is {found:?}")
        });
    }
}
