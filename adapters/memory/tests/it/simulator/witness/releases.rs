//! Checks the effects of a release by command: no more and no less than the rule, and as long as
//! the rule says.

use catchment_domain::{
    CauseName, Deadline, ImportReceipt, ImportRemark, Origin, ReleaseResult, Revision, ShopId,
    ShopState, Standing, TriggerKind,
};

use super::{ShopView, Witness};
use crate::simulator::coverage::Met;

/// The causes that are in force at a shop.
pub(crate) fn causes(shop: &ShopState) -> impl Iterator<Item = CauseName> + '_ {
    shop.active.iter().map(|cause| match cause.origin {
        Origin::Campaign(campaign) => CauseName::Campaign(campaign),
        Origin::Request => CauseName::Kind(cause.kind),
    })
}

impl Witness {
    /// A campaign cannot be read from now on.
    pub(crate) fn is_damaged(&mut self, campaign: Revision) {
        self.note(|| format!("  campaign {campaign} cannot be read"));
        self.damaged.insert(campaign);
    }

    /// A campaign can be read again.
    pub(crate) fn is_restored(&mut self, campaign: Revision) {
        self.note(|| format!("  campaign {campaign} can be read again"));
        self.damaged.remove(&campaign);
    }

    /// The shops at which a command released a campaign.
    pub(crate) fn released_shops(&self, campaign: Revision) -> Vec<ShopId> {
        let is_released = |view: &ShopView| {
            view.causes.get(&campaign).is_some_and(|cause| cause.kept_out.is_some())
        };
        let shops = self.shops.iter().filter(|(_, view)| is_released(view));
        shops.map(|(shop, _)| shop.clone()).collect()
    }

    /// A command tried to release a cause at a shop.
    pub(crate) fn released_by_command(
        &mut self,
        (id, cause): (&ShopId, CauseName),
        (done, receipt): (&ReleaseResult, Option<&ImportReceipt>),
        after: Option<&ShopState>,
    ) {
        self.note(|| format!("  release of {cause} at {id}: {done:?}"));
        self.mix(&[9, after.map_or(0, |after| after.version)]);
        let known = self.shops.get(id).map(|view| view.state.clone());
        let (ReleaseResult::Done(standing), Some(known), Some(after)) = (done, &known, after)
        else {
            self.coverage.met(Met::ReleasedNothing);
            let is_there = known.is_some();
            let holds = *done != ReleaseResult::UnknownShop || !is_there;
            self.check(holds && known.as_ref() == after, "release", || {
                format!("a release of {cause} at {id} was {done:?}")
            });
            let in_force = known.as_ref().is_some_and(|known| causes(known).any(|c| c == cause));
            self.check(!in_force, "release", || format!("{cause} at {id} was {done:?}"));
            return;
        };
        match cause {
            CauseName::Campaign(campaign) => self.left_by_command(id, campaign, after),
            CauseName::Kind(kind) => self.kind_left_by_command(id, kind),
        }
        self.check_others((id, cause), known, after);
        let view = self.shops.get_mut(id).expect("the shop is known");
        view.state = after.clone();
        self.check_radius(id);
        self.check_release_receipt((id, cause), (known, after), (*standing, receipt));
    }

    /// A campaign's cause is over at a shop, and copies of its activation do not count until the
    /// campaign's newest deadline. If the campaign cannot be read, they never count again.
    fn left_by_command(&mut self, id: &ShopId, campaign: Revision, after: &ShopState) {
        let newest = self.wanted(campaign).and_then(|wanted| wanted.deadlines.values().last());
        let newest = newest.copied().unwrap_or(Deadline::MIN);
        let until = if self.damaged.contains(&campaign) { Deadline::LAST } else { newest };
        let left = after.released.iter().find(|released| released.campaign == campaign);
        self.check(left.is_some_and(|left| left.deadline == until), "release", || {
            format!("{campaign} at {id} is kept out as {left:?}, but must be until {until:?}")
        });
        let view = self.shops.get_mut(id).expect("the shop is known");
        let changed = view.state.radius != after.radius;
        let cause = view.causes.entry(campaign).or_default();
        let was_active = cause.is_active();
        cause.released = Some(changed);
        cause.kept_out = Some(until);
        cause.by_command = true;
        self.check(was_active, "release", || format!("{campaign} was not in force at {id}"));
    }

    fn kind_left_by_command(&mut self, id: &ShopId, kind: TriggerKind) {
        let view = self.shops.get_mut(id).expect("the shop is known");
        let was_active = view.requests.remove(&kind).is_some();
        self.coverage.met(Met::ReleasedKind);
        self.check(was_active, "release", || format!("{kind} was not in force at {id}"));
    }

    /// Every other cause stays as it was, and so does the base radius.
    fn check_others(
        &mut self,
        (id, cause): (&ShopId, CauseName),
        known: &ShopState,
        after: &ShopState,
    ) {
        let others = |shop: &ShopState| {
            let active = causes(shop).filter(|other| *other != cause).collect::<Vec<_>>();
            let released = shop.released.iter().copied();
            let released = released.filter(|r| CauseName::Campaign(r.campaign) != cause);
            (active, released.collect::<Vec<_>>(), shop.base)
        };
        let gone = causes(after).all(|other| other != cause);
        self.check(gone && others(known) == others(after), "release", || {
            format!("a release of {cause} at {id} left {after:?}")
        });
    }

    /// The receipt names the shop, the cause, and how the shop was left.
    fn check_release_receipt(
        &mut self,
        (id, cause): (&ShopId, CauseName),
        (known, after): (&ShopState, &ShopState),
        (standing, receipt): (Standing, Option<&ImportReceipt>),
    ) {
        let Standing { before, after: radius, version, .. } = standing;
        let told = (before, radius, version);
        let found = (Some(known.radius), after.radius, known.version + 1);
        self.check(told == found && version == after.version, "receipt", || {
            format!("a command left {id} as {found:?}, but says {told:?}")
        });
        let entries = receipt.map(|receipt| &*receipt.entries).unwrap_or_default();
        let holds = entries.first().is_some_and(|entry| {
            let remark = Some(ImportRemark::Released(cause));
            (&entry.shop, entry.standing, entry.remark) == (id, standing, remark)
        });
        self.check(holds && entries.len() == 1, "receipt", || {
            format!("a command released {cause} at {id}, but its receipt is {receipt:?}")
        });
        if let Some(receipt) = receipt {
            let is_new = self.newest < receipt.revision;
            self.check(is_new, "receipt", || {
                format!("a release took a known revision: {receipt:?}")
            });
            self.given_out(receipt.revision);
        }
    }
}
