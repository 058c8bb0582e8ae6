//! Mending what cannot be read: what is known from elsewhere takes its place.

mod consistency;
mod listing;

use std::sync::Arc;

use thiserror::Error;

use crate::batch::ReceiptEntry;
use crate::campaign::Campaign;
use crate::cause::{ActiveCause, CauseName, Causes, Effect, Origin, ReleasedCause};
use crate::chunk::{Chunk, Detail, Slot};
use crate::correlation::{Phase, Ticket};
use crate::import::{ImportEntry, ImportRemark};
use crate::lane::Lane;
use crate::outcome::{Outcome, Standing, Status};
use crate::radius::Radius;
use crate::revision::Revision;
use crate::shop::{Base, ShopFingerprint, ShopId, ShopState};
use crate::time::{Deadline, Timestamp};
use crate::trigger::{Policy, TriggerKind};

pub use consistency::{check_campaign, misplaced_chunks};
pub use listing::{ChunkOutline, first_places, is_lane_listed, may_have_left_a_cause};

/// What a repair goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairTerms {
    /// The rules of every decision.
    pub policy: Policy,
    /// The base radius of a shop whose own is lost. The next import that names one replaces it.
    pub default_base: Radius,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// What became of a damaged item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It was mended, or would have been.
    Mended(Mended),
    /// It can be read by now.
    NotNeeded,
    /// It cannot be mended.
    Impossible(Unmendable),
}

/// How an item was mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// So many activations and releases of a chunk are open, and are asked for again.
    Outcomes {
        /// How many.
        open: u32,
    },
    /// A campaign was counted anew.
    Counts {
        /// How many activations and releases have no outcome.
        open: u32,
        /// How many releases were rejected or given up.
        unreleased: u32,
    },
    /// What is in force at a shop was rebuilt.
    State {
        /// How many causes are in force.
        causes: usize,
        /// How it was left.
        standing: Standing,
        /// Its base radius was lost, and is the default one.
        is_base_lost: bool,
    },
}

/// Why an item cannot be mended, by what a human can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unmendable {
    /// Nothing else tells what it was.
    #[error("nothing else tells what it was: restore the row from a backup")]
    Campaign,
    /// Its campaign is not there or cannot be read.
    #[error("campaign {0} cannot be read: restore its row from a backup first")]
    OfCampaign(Revision),
    /// Nothing else tells which shops they were.
    #[error(
        "no other row tells which shops they were: restore the row from a backup; where its \
         outcomes can be read, `catchment campaign give-up {0}` gives its open shops up"
    )]
    List(Revision),
    /// Which shops some chunk of a campaign holds, or where they stand in its list, is not known.
    #[error(
        "the shops of a chunk of campaign {0} cannot be read: restore them from a backup first"
    )]
    OfList(Revision),
    /// Only its import knows what the shop is.
    #[error("only its import knows what the shop is: import it again")]
    Profile,
    /// A campaign is in force there whose kind has no rank.
    #[error("the settings lack the trigger kind `{0}`, which is in force there: add it first")]
    Kind(TriggerKind),
    /// No shop can have this id.
    #[error("no shop can have this id: delete the row")]
    Id,
    /// A receipt cannot be rebuilt from other data.
    #[error(
        "a receipt cannot be mended; it is deleted once it is older than \
         `database.receipts_kept`. Until then, a repair may bring back limits that `catchment shops \
         release` ended at shops of this lane: look at mended shops with `catchment shops show`"
    )]
    Receipt,
}

/// What can be read of the outcomes of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkRemains {
    /// None of its requests was ever sent, for certain.
    pub is_unsent: bool,
    /// The outcomes of the activations by place, `None` where they cannot be read.
    pub activations: Vec<Option<Slot>>,
    /// The outcomes of the releases by place, `None` where they cannot be read.
    pub releases: Vec<Option<Slot>>,
    /// Why slots were closed other than by plain success, as far as that can be read.
    pub details: Vec<Detail>,
}

/// The outcomes of a chunk of which only a part can be read. What is lost is asked for again:
/// causes make a request harmless that comes twice, and its reply tells what it did.
///
/// 1. What can be read stays.
/// 2. A lost release is open where the campaign is ending or ended, and idle where it is not.
/// 3. A lost activation is open. It is superseded beside a release that has an outcome, and where
///    the campaign is ending or ended beside one that is idle: such a shop is not asked any more.
/// 4. In a chunk that was never sent, a lost release is idle, and a lost activation of a campaign
///    that is ending or ended is superseded.
#[must_use]
pub fn rebuild_chunk(
    campaign: &Campaign,
    (number, lane, first): (u32, Lane, u32),
    shops: usize,
    remains: ChunkRemains,
) -> Chunk {
    let is_over = campaign.state.is_ending_or_ended();
    let ChunkRemains { is_unsent, activations, releases, details } = remains;
    let read = |slots: &[Option<Slot>], place: usize| slots.get(place).copied().flatten();
    let lost_release = if is_over && !is_unsent { Slot::Open } else { Slot::Idle };
    let rebuild = |place| {
        let release = read(&releases, place).unwrap_or(lost_release);
        let is_superseded = match release {
            Slot::Closed(_) => true,
            Slot::Idle => is_over,
            Slot::Open => is_over && is_unsent,
        };
        let lost_activation =
            if is_superseded { Slot::Closed(Status::Superseded) } else { Slot::Open };
        (read(&activations, place).unwrap_or(lost_activation), release)
    };
    let (activations, releases) = (0..shops).map(rebuild).unzip();
    let sent = (!is_unsent).then_some(campaign.attempt);
    Chunk::restore((number, lane, first), sent, activations, releases, details)
}

/// What is known of one campaign at one shop.
#[derive(Clone, Debug)]
pub struct Trace {
    campaign: Arc<Campaign>,
    shop: ShopId,
    fingerprint: ShopFingerprint,
    /// The shop's place in the campaign's list.
    index: u32,
    /// What the ledger says about the activation and the release, as far as it can be read.
    slots: [Option<Slot>; 2],
    /// What receipts prove of both.
    proved: [Option<Effect>; 2],
    /// The newest version of the shop at which a receipt says that the campaign was in force.
    in_force_at: u64,
    /// The effect of the newest release by command, and the version of the shop after it.
    commanded: Option<(Effect, u64)>,
    /// The highest version of the shop that a receipt names.
    version: u64,
}

impl Trace {
    /// A trace without any data yet, for the shop at this place of the campaign's list.
    #[must_use]
    pub fn new(campaign: Arc<Campaign>, index: u32, shop: &ShopId) -> Self {
        Self {
            campaign,
            shop: shop.clone(),
            fingerprint: ShopFingerprint::of(shop),
            index,
            slots: [None; 2],
            proved: [None; 2],
            in_force_at: 0,
            commanded: None,
            version: 0,
        }
    }

    /// Adds the outcomes in the ledger. An outcome moves from a receipt to the ledger. So a caller
    /// that reads both beside running services must read the receipts first.
    pub const fn set_slots(&mut self, activation: Option<Slot>, release: Option<Slot>) {
        self.slots = [activation, release];
    }

    /// The campaign's revision and the shop's place, as they stand in the ids of its requests.
    #[must_use]
    pub fn key(&self) -> (Revision, u32) {
        (self.campaign.name.revision, self.index)
    }

    /// Adds the outcome of a request. It counts only for a request of this campaign to this shop:
    /// a copy for another shop has the same id.
    pub fn add_receipt(&mut self, entry: &ReceiptEntry) {
        let Some(ticket) = Ticket::read(entry.id) else { return };
        let Campaign { name, nonce, .. } = &*self.campaign;
        let is_of_campaign =
            (ticket.revision, ticket.nonce, ticket.index) == (name.revision, *nonce, self.index);
        if !is_of_campaign || entry.shop != Some(self.fingerprint) {
            return;
        }
        let Outcome { status, standing, .. } = &entry.outcome;
        let version = standing.map_or(0, |standing| standing.version);
        self.version = self.version.max(version);
        if ticket.phase == Phase::Activation && status.took_effect() {
            self.in_force_at = self.in_force_at.max(version);
        }
        let proved = match ticket.phase {
            Phase::Activation => self.proved.first_mut(),
            Phase::Release => self.proved.last_mut(),
        };
        if let Some(proved) = proved {
            *proved = proved.or(effect(*status));
        }
    }

    /// Adds what an import, a repair or a release by command did to a shop. It counts only for this
    /// shop. `stored_at` is when the receipt was stored, and the receipts of batches are kept from
    /// `kept_from` on.
    ///
    /// A release by command from before `kept_from` does not count. A later receipt of a batch may
    /// have recorded that the campaign was in force again, and this receipt may be gone: batches
    /// prune their receipts, and imports prune the receipts of releases.
    pub fn add_import(
        &mut self,
        entry: &ImportEntry,
        (stored_at, kept_from): (Timestamp, Timestamp),
    ) {
        if entry.shop != self.shop {
            return;
        }
        let Standing { before, after, version, .. } = entry.standing;
        self.version = self.version.max(version);
        let released = ImportRemark::Released(CauseName::Campaign(self.campaign.name.revision));
        let is_released = entry.remark == Some(released) && kept_from <= stored_at;
        if is_released && self.commanded.is_none_or(|(_, at)| at < version) {
            self.commanded = Some((Effect::from_change(before != Some(after)), version));
        }
    }

    /// The effect of a release by command, unless the campaign was in force again after it.
    fn released_by_command(&self) -> Option<Effect> {
        let (effect, version) = self.commanded?;
        (self.in_force_at < version).then_some(effect)
    }

    /// Whether the campaign left the shop by another one's activation: its end asks for no release
    /// there.
    fn is_left_to_another(&self) -> bool {
        let [_, release] = self.slots;
        let Campaign { state, replaced_by, .. } = &*self.campaign;
        state.is_ending_or_ended() && replaced_by.is_some() && release == Some(Slot::Idle)
    }

    /// What a phase did, where it took effect: receipts tell it first, replies later.
    fn effect(&self, phase: Phase) -> Option<Effect> {
        let place = usize::from(phase == Phase::Release);
        let proved = self.proved.get(place).copied().flatten();
        proved.or_else(|| match self.slots.get(place).copied().flatten() {
            Some(Slot::Closed(status)) => effect(status),
            Some(Slot::Idle | Slot::Open) | None => None,
        })
    }
}

const fn effect(status: Status) -> Option<Effect> {
    match status {
        Status::Applied => Some(Effect::Applied),
        Status::Unchanged => Some(Effect::Unchanged),
        Status::Superseded | Status::Rejected | Status::Expired | Status::Failed => None,
    }
}

/// What can be read of what is in force at a shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateRemains {
    /// Its base radius.
    pub base: Option<Base>,
    /// Its radius.
    pub radius: Option<Radius>,
    /// Its version.
    pub version: Option<u64>,
}

/// What is in force at a shop whose causes cannot be read, from the campaigns that know it.
///
/// 1. A campaign is released at the shop in each of three cases: its release took effect; it was
///    replaced and the activation of its successor took effect; or a command released it, all
///    receipts since then are kept, and none says that the campaign was in force again.
/// 2. If the outcome of the successor's activation is lost, the state of the replaced campaign can
///    prove that it took effect: that campaign is ending or ended, and its own release is idle. Its
///    end asked for no release because the successor had released it.
/// 3. A released campaign leaves a released cause, so that late copies of its activation do not
///    count. If its deadline is not above `mark`, it leaves none: such copies expire anyway.
/// 4. If a campaign is not released and its activation took effect, it is in force, with its limit
///    and the present rank of its kind.
/// 5. A lost base radius becomes the default base radius. Every import that names a base radius
///    replaces it.
/// 6. The version becomes one more than the highest known version. The radius is resolved again.
///
/// Limits by requests without a campaign are lost.
///
/// # Errors
///
/// When a kind is in force there that the rules do not have, so that nobody knows its rank.
pub fn rebuild_state(
    remains: StateRemains,
    traces: &[Trace],
    terms: &RepairTerms,
    mark: Deadline,
) -> Result<(ShopState, Standing), Unmendable> {
    let RepairTerms { policy, default_base, .. } = terms;
    let lost = Base { radius: *default_base, revision: Revision::NONE, effect: Effect::Unchanged };
    let known = traces.iter().map(|trace| trace.version).max().unwrap_or_default();
    let mut state = ShopState {
        base: remains.base.unwrap_or(lost),
        radius: *default_base,
        version: known.max(remains.version.unwrap_or_default()) + 1,
        active: Causes::NONE,
        released: Vec::new(),
    };
    for trace in traces {
        let campaign = &trace.campaign;
        let replaced = campaign.replaced_by.and_then(|by| {
            let successor = traces.iter().find(|other| other.campaign.name.revision == by);
            successor?.effect(Phase::Activation)
        });
        let activated = trace.effect(Phase::Activation);
        let left = activated.filter(|_| trace.is_left_to_another());
        let revision = campaign.name.revision;
        let released = trace.effect(Phase::Release).or(replaced).or(left);
        if let Some(effect) = released.or_else(|| trace.released_by_command()) {
            let deadline = campaign.deadline;
            if mark < deadline {
                state.released.push(ReleasedCause { campaign: revision, deadline, effect });
            }
        } else if let Some(effect) = activated {
            let Campaign { kind, limit, .. } = **campaign;
            let rank = policy.rank(kind).ok_or(Unmendable::Kind(kind))?;
            let origin = Origin::Campaign(revision);
            state.active.extend([ActiveCause { origin, kind, rank, limit, effect }]);
        }
    }
    state.released.sort_by_key(|released| released.campaign);
    let resolution = state.resolution(policy.floor);
    state.radius = resolution.radius;
    let standing = Standing {
        before: remains.radius,
        after: resolution.radius,
        decided_by: resolution.decided_by,
        version: state.version,
    };
    Ok((state, standing))
}
