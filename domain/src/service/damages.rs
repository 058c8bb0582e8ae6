//! What a requester met that is damaged. It is set aside, named, and tried again after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::damage::{Damage, StoredItem};
use crate::revision::Revision;
use crate::service::pacing::is_due;
use crate::time::Timestamp;

/// How often what is set aside is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The damaged items of a reply lane, each with what is wrong.
#[derive(Default)]
pub(crate) struct Damages {
    /// Found with the last look at the campaigns.
    campaigns: Vec<Damage>,
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
        let others = self.chunks.values().filter(|damage| !self.campaigns.contains(damage));
        self.campaigns.iter().chain(others)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.campaigns.is_empty() && self.chunks.is_empty()
    }
}
