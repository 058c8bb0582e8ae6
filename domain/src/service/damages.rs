//! What a requester met that is damaged. It is set aside, named, and tried again after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::damage::{Damage, StoredItem};
use crate::revision::Revision;
use crate::service::pacing::is_due;
use crate::time::Timestamp;

/// How often what is set aside is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often every campaign of the lane is read, also those that have nothing to do.
const SEARCH: Duration = Duration::from_mins(1);

/// The damaged items of a reply lane, each with what is wrong.
#[derive(Default)]
pub(crate) struct Damages {
    /// Found with the last look at the campaigns.
    campaigns: Vec<Damage>,
    /// Found when every campaign of the lane was read the last time.
    searched: Vec<Damage>,
    searched_at: Option<Timestamp>,
    /// Met since then, or before, and not mended as far as is known.
    chunks: BTreeMap<StoredItem, Damage>,
    tried_at: Option<Timestamp>,
}

impl Damages {
    /// Takes over what a look at the campaigns found: damaged ones, and those that are open.
    pub(crate) fn looked(&mut self, damaged: Vec<Damage>, open: &BTreeSet<Revision>) {
        self.campaigns = damaged;
        let is_open =
            |item: &StoredItem| item.campaign().is_some_and(|campaign| open.contains(&campaign));
        self.chunks.retain(|item, _| is_open(item));
    }

    /// Whether it is time to read every campaign of the lane: at first, then now and then, and, as
    /// long as something is found, with each look.
    pub(crate) fn is_search_due(&self, now: Timestamp) -> bool {
        !self.searched.is_empty() || is_due(self.searched_at, SEARCH, now)
    }

    /// Takes over what was found when every campaign of the lane was read.
    pub(crate) fn found(&mut self, damaged: Vec<Damage>, now: Timestamp) {
        self.searched = damaged;
        self.searched_at = Some(now);
    }

    /// A chunk was met.
    pub(crate) fn meet(&mut self, damage: Damage) {
        self.chunks.insert(damage.item.clone(), damage);
    }

    /// A campaign is taken up anew, and with it everything that is damaged of it.
    pub(crate) fn forget(&mut self, campaign: Revision) {
        self.chunks.retain(|item, _| item.campaign() != Some(campaign));
    }

    /// A chunk can be read, or nothing of it is needed any more.
    pub(crate) fn mended(&mut self, campaign: Revision, number: u32) {
        if !self.chunks.is_empty() {
            self.chunks.retain(|item, _| item.chunk() != Some((campaign, number)));
        }
    }

    /// Whether it is time to try again what was set aside.
    pub(crate) fn is_retried(&mut self, now: Timestamp) -> bool {
        let is_retried = !self.chunks.is_empty() && is_due(self.tried_at, RETRY, now);
        if is_retried {
            self.tried_at = Some(now);
        }
        is_retried
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Damage> {
        // What keeps a campaign from its end may be met on the way of its requests, too.
        let others = self.searched.iter().chain(self.chunks.values());
        let others = others.filter(|damage| !self.campaigns.contains(damage));
        self.campaigns.iter().chain(others)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.campaigns.is_empty() && self.searched.is_empty() && self.chunks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_campaign_is_read_at_first_then_each_minute_and_with_each_look_while_one_is_damaged() {
        let mut damages = Damages::default();
        let at = |seconds: i64| Timestamp::from_millis(1_000_000 + seconds * 1_000);
        let item = StoredItem::Campaign(Revision(7));
        let bad = || vec![Damage { item: item.clone(), what: "unreadable".to_owned() }];
        for (seconds, is_due, found) in [
            (0, true, vec![]),
            (1, false, vec![]),
            (59, false, vec![]),
            (60, true, bad()),
            (61, true, bad()),
            (62, true, vec![]),
            (63, false, vec![]),
            (122, true, vec![]),
            // The clock stepped back.
            (0, true, vec![]),
        ] {
            assert_eq!(damages.is_search_due(at(seconds)), is_due, "after {seconds} s");
            if is_due {
                damages.found(found.clone(), at(seconds));
            }
            // A look at those that have something to do takes nothing back.
            damages.looked(Vec::new(), &BTreeSet::new());
            assert_eq!(damages.iter().cloned().collect::<Vec<_>>(), found, "after {seconds} s");
            assert_eq!(damages.is_empty(), found.is_empty());
        }
    }

    #[test]
    fn what_two_looks_found_is_told_once() {
        let mut damages = Damages::default();
        let item = StoredItem::Campaign(Revision(7));
        let bad = || vec![Damage { item: item.clone(), what: "unreadable".to_owned() }];
        damages.looked(bad(), &BTreeSet::new());
        damages.found(bad(), Timestamp::from_millis(0));
        assert_eq!(damages.iter().count(), 1);
    }
}
