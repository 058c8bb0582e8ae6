//! Whether the ledger tells the truth (I4, I5), and whether everything is done (I3, I9).

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::ports::{CampaignRepository, Clock, OutcomeFilter, ShopOutcome, Tallies};
use catchment_domain::{
    Campaign, CampaignState, Code, Lane, Phase, ReplyLane, RequestId, Revision, ShopId, Slot,
    Status, Tally, Ticket,
};

use crate::simulator::coverage::Met;
use crate::simulator::ready;
use crate::simulator::witness::{Cause, Witness};
use crate::simulator::world::World;

/// More than any campaign has.
const ALL: usize = 1_000;

/// Checks what the ledger says of a campaign: at any moment, or when everything is at rest.
pub(crate) fn check_campaign(world: &World, campaign: &Campaign, at_rest: bool) {
    let slots = |phase| ready(world.store.outcomes(campaign.name.revision, filter(phase), 0, ALL));
    let activations = slots(Phase::Activation).unwrap().found;
    let releases = slots(Phase::Release).unwrap().found;
    let tallies = ready(world.store.tallies(campaign.name.revision)).unwrap().found;
    let all_read = campaign.reply_lane.is_none_or(|lane| is_read(world, lane));
    let mut witness = world.witness();
    let check = CampaignCheck { campaign, at_rest, all_read };
    check.counts(&mut witness, &activations, &releases, tallies);
    for (activation, release) in activations.iter().zip(&releases) {
        for (phase, outcome) in [(Phase::Activation, activation), (Phase::Release, release)] {
            check.history(&mut witness, phase, outcome);
        }
        check.activation(&mut witness, activation);
        check.release(&mut witness, release);
        if at_rest {
            check.end(&mut witness, activation, release);
        }
    }
}

const fn filter(phase: Phase) -> OutcomeFilter {
    OutcomeFilter { phase, status: None }
}

struct CampaignCheck<'a> {
    campaign: &'a Campaign,
    at_rest: bool,
    /// Nothing stands in its reply lane that nobody read yet.
    all_read: bool,
}

impl CampaignCheck<'_> {
    const fn revision(&self) -> Revision {
        self.campaign.name.revision
    }

    /// Each shop of the list has one outcome a phase, and all counts agree with that.
    fn counts(
        &self,
        witness: &mut Witness,
        activations: &[ShopOutcome],
        releases: &[ShopOutcome],
        tallies: Tallies,
    ) {
        let revision = self.revision();
        let (activation, release) = (tally(activations), tally(releases));
        let state = self.campaign.state;
        let complete = [activations, releases].iter().all(|outcomes| {
            outcomes.iter().map(|outcome| outcome.index).eq(0..self.campaign.shops)
        });
        witness.check(complete, "I4", || format!("#{revision}: the list is not complete"));
        let agree = (tallies.activation, tallies.release) == (activation, release)
            && state.open() == activation.open + release.open
            && self.campaign.unreleased
                == release.of(Status::Rejected) + release.of(Status::Failed);
        witness.check(agree, "I4", || format!("#{revision}: {state:?}, {tallies:?}"));
        let closed = matches!(state, CampaignState::Settled | CampaignState::Ended);
        witness.check(closed || !self.at_rest, "I4", || format!("#{revision} is {state:?}"));
    }

    /// An outcome stays, but for what a retry asks anew and a rejection that a copy replaces.
    fn history(&self, witness: &mut Witness, phase: Phase, outcome: &ShopOutcome) {
        let key = (self.revision(), phase, outcome.index);
        let ending = self.campaign.state.is_ending_or_ended();
        let now = (self.campaign.attempt, ending, outcome.slot);
        let Some((attempt, was_ending, slot)) = witness.ledger.insert(key, now) else { return };
        let effective = Slot::Closed(Status::Applied) == outcome.slot
            || Slot::Closed(Status::Unchanged) == outcome.slot;
        let retried = attempt < self.campaign.attempt;
        let stays = match slot {
            Slot::Open if was_ending && phase == Phase::Activation => {
                outcome.slot != Slot::Closed(Status::Expired)
            }
            Slot::Idle | Slot::Open => true,
            Slot::Closed(Status::Rejected | Status::Failed) => {
                slot == outcome.slot || effective || retried
            }
            Slot::Closed(Status::Expired) => slot == outcome.slot || retried,
            Slot::Closed(_) => slot == outcome.slot,
        };
        if slot == Slot::Closed(Status::Rejected) && effective && !retried {
            witness.coverage.met(Met::RejectedThenApplied);
        }
        witness.check(stays, "I4", || format!("{key:?} was {slot:?} and is {now:?}"));
    }

    fn activation(&self, witness: &mut Witness, outcome: &ShopOutcome) {
        let cause = self.cause(witness, outcome);
        let activated = cause.and_then(|cause| cause.activated);
        let took_effect = |changed| cause.is_some_and(|cause| cause.took_effect(changed));
        let by_command = cause.is_some_and(|cause| cause.by_command);
        let campaign = self.campaign;
        let holds = match outcome.slot {
            Slot::Idle => false,
            Slot::Open => true,
            Slot::Closed(Status::Applied) => took_effect(true),
            Slot::Closed(Status::Unchanged) => took_effect(false),
            // A command released the cause and the release was forgotten: a late copy expires.
            Slot::Closed(Status::Expired) => activated.is_none() || by_command,
            Slot::Closed(Status::Rejected) => {
                // A copy that is still in the lane may replace the rejection. It does not if its
                // answer was lost, or if nobody reads the answer because nothing is open there. An
                // answer that came while the campaign could not be read is lost, too: if a forged
                // request with the same id is rejected later, nobody asks again. A copy for
                // another shop does not replace the rejection either: its answer does not count.
                let left_out = witness.left_out.contains(&self.revision());
                let unread = !self.all_read || witness.replies_lost || left_out;
                let by_copy = cause.is_some_and(|cause| cause.by_copy);
                !self.at_rest || activated.is_none() || unread || by_copy
            }
            Slot::Closed(Status::Superseded) => {
                campaign.state.is_ending_or_ended()
                    || campaign.replaced_by.is_some() && !self.at_rest
                    || by_command
            }
            Slot::Closed(Status::Failed) => outcome.code == Some(Code::GivenUp),
        };
        self.verdict(witness, holds, "activation", outcome);
    }

    fn release(&self, witness: &mut Witness, outcome: &ShopOutcome) {
        let cause = self.cause(witness, outcome).cloned().unwrap_or_default();
        let holds = match outcome.slot {
            Slot::Idle | Slot::Closed(Status::Rejected) => true,
            Slot::Open => self.campaign.state.is_ending_or_ended(),
            // The shop may forget the first release, and a second one makes a new released cause with
            // another answer. The requester may read the first answer after that.
            Slot::Closed(Status::Applied) => cause.release_was_answered(true),
            Slot::Closed(Status::Unchanged) => cause.release_was_answered(false),
            Slot::Closed(Status::Superseded | Status::Expired) => false,
            Slot::Closed(Status::Failed) => outcome.code == Some(Code::GivenUp),
        };
        self.verdict(witness, holds, "release", outcome);
    }

    /// What is ended is over at every shop, unless the ledger says otherwise; what is settled
    /// is in force.
    fn end(&self, witness: &mut Witness, activation: &ShopOutcome, release: &ShopOutcome) {
        let cause = self.cause(witness, activation).cloned().unwrap_or_default();
        let excused = matches!(release.slot, Slot::Closed(Status::Rejected | Status::Failed))
            || witness.is_stray(self.revision(), &activation.shop);
        let holds = match self.campaign.state {
            CampaignState::Ended => !cause.is_active() || excused,
            CampaignState::Settled => {
                let is_replaced = self.campaign.replaced_by.is_some();
                cause.released.is_none() || is_replaced || cause.by_command
            }
            CampaignState::Sending { .. } | CampaignState::Ending { .. } => true,
        };
        self.verdict(witness, holds, "end", activation);
    }

    fn cause<'w>(&self, witness: &'w Witness, outcome: &ShopOutcome) -> Option<&'w Cause> {
        witness.shops.get(&outcome.shop)?.causes.get(&self.revision())
    }

    fn verdict(&self, witness: &mut Witness, holds: bool, part: &str, outcome: &ShopOutcome) {
        if !holds {
            let cause = self.cause(witness, outcome).cloned();
            let (revision, state, attempt) =
                (self.revision(), self.campaign.state, self.campaign.attempt);
            let what =
                format!("#{revision} ({state}, {attempt:?}): {part} of {outcome:?}, and {cause:?}");
            witness.broken("I5", what);
        }
    }
}

fn tally(outcomes: &[ShopOutcome]) -> Tally {
    let slots: Vec<Slot> = outcomes.iter().map(|outcome| outcome.slot).collect();
    let mut tally = Tally::default();
    tally.add(&slots);
    tally
}

/// Checks everything that holds at any moment; when everything is at rest, also what must be
/// done by then.
pub(crate) fn check_all(world: &World, at_rest: bool) {
    for campaign in campaigns(world) {
        check_campaign(world, &campaign, at_rest);
    }
    check_shops(world);
    check_lanes(world);
    if at_rest {
        check_receipts(world);
    }
}

/// The shops of a campaign, in the order of its list.
pub(crate) fn list(world: &World, campaign: Revision) -> Vec<ShopId> {
    let outcomes = ready(world.store.outcomes(campaign, filter(Phase::Activation), 0, ALL));
    outcomes.unwrap().found.into_iter().map(|outcome| outcome.shop).collect()
}

/// Checks that no campaign is in force anywhere. Before that, every campaign was ended, releases
/// that failed were retried, and commands released the stray causes.
pub(crate) fn check_end(world: &World) {
    let mut witness = world.witness();
    let in_force = witness.shops.iter().find_map(|(shop, view)| {
        let active = view.causes.iter().find(|(_, cause)| cause.is_active());
        active.map(|(campaign, _)| format!("{campaign:?} is in force at {shop}"))
    });
    witness.check(in_force.is_none(), "I5", || in_force.unwrap_or_default());
}

fn campaigns(world: &World) -> Vec<Campaign> {
    ready(CampaignRepository::list(&*world.store, None, usize::MAX)).unwrap().found
}

/// The shops are as the witness saw them last, and at the radius that they must have.
fn check_shops(world: &World) {
    let shops = world.store.shops();
    let mut witness = world.witness();
    let complete = shops.len() == witness.shops.len();
    witness.check(complete, "I1", || "shops came or went".into());
    for shop in shops {
        let Some(view) = witness.shops.get(&shop.id) else { continue };
        let same = view.state == shop.state;
        let (expected, found) = (view.expected().0, shop.state.radius.metres());
        witness.check(same, "I1", || format!("{} was changed by nobody", shop.id));
        witness.check(expected == found, "radius", || {
            format!("{} must be at {expected} m, and is at {found} m", shop.id)
        });
    }
}

/// The lanes stand where what was applied and answered leaves them.
fn check_lanes(world: &World) {
    let mut witness = world.witness();
    for lane in world.lanes.iter() {
        let Some(stored) = world.store.lane_state(lane) else { continue };
        if stored.log.id != world.wires().identity().id {
            continue;
        }
        let view = &witness.lanes[usize::from(lane.0)];
        let expected = (view.epoch, view.applied_next, view.replied_next);
        let found = (stored.epoch, stored.applied_next, stored.replied_next);
        witness.check(expected == found, "I6", || {
            format!("lane {lane} stands at {found:?}, and must at {expected:?}")
        });
    }
}

/// Every record of the log has an outcome in a receipt: the one that it was judged with.
fn check_receipts(world: &World) {
    let log = world.wires().identity();
    let mut witness = world.witness();
    for lane in world.lanes.iter() {
        let receipts = world.store.kept_receipts(lane);
        let receipts = receipts.into_iter().filter(|(of, _)| of.id == log.id);
        let kept: Vec<_> = receipts
            .flat_map(|(_, receipt)| receipt.entries)
            .map(|entry| (entry.position, entry.id, entry.outcome))
            .collect();
        let view = &witness.lanes[usize::from(lane.0)];
        let complete = kept == view.applied
            && view.log.iter().copied().eq(kept.iter().map(|(position, id, _)| (*position, *id)));
        witness.check(complete, "I3", || format!("lane {lane}: a record without a receipt"));
    }
}

/// Whether everything that stands in a reply lane was read.
fn is_read(world: &World, lane: ReplyLane) -> bool {
    let read = world.witness().read_up_to(lane);
    read.is_some_and(|read| ready(world.wires().is_end_of_replies(lane, read)))
}

/// What is not done yet; `None` when everything is at rest.
pub(crate) fn unrest(world: &World) -> Option<String> {
    let now = world.store_clock.now();
    for (lane, view) in world.witness().lanes.iter().enumerate() {
        if !view.is_at_rest() {
            let (applied, log) = (view.applied.len(), view.log.len());
            return Some(format!("lane {lane}: {applied} of {log} applied, or not answered"));
        }
    }
    for lane in (0..world.params.reply_lanes).map(ReplyLane) {
        if !world.store.is_leased(lane) {
            // Nobody needs what is answered there: a lane with open campaigns is adopted.
            continue;
        }
        if !is_read(world, lane) {
            return Some(format!("reply lane {lane} is not read to its end"));
        }
    }
    let is_done = |campaign: &Campaign| match campaign.state {
        CampaignState::Sending { .. } | CampaignState::Ending { .. } => false,
        CampaignState::Settled => campaign.replaced_by.is_none() && !campaign.is_over(now),
        CampaignState::Ended => true,
    };
    let undone = campaigns(world).into_iter().find(|campaign| !is_done(campaign));
    undone.map(|campaign| format!("campaign {campaign:?}"))
}

/// A campaign that has an open slot outside of a lane.
pub(crate) fn open_elsewhere(world: &World, lane: Lane) -> Option<String> {
    let is_elsewhere = |outcome: &&ShopOutcome| world.lanes.lane_of(&outcome.shop) != lane;
    campaigns(world).into_iter().find_map(|campaign| {
        let revision = campaign.name.revision;
        let outcomes = ready(world.store.outcomes(revision, filter(Phase::Activation), 0, ALL));
        let outcomes = outcomes.unwrap().found;
        let open = outcomes.iter().filter(is_elsewhere).find(|o| o.slot == Slot::Open)?;
        Some(format!("{} of campaign {revision} is open", open.shop))
    })
}

/// No more requests of a reply lane wait to be applied than may be under way, in all lanes or in
/// one. That holds where nothing went wrong since nothing was under way.
pub(crate) fn check_waiting(world: &World, lane: Lane) {
    let limits = world.params.limits;
    let of_campaign: BTreeMap<Revision, Option<ReplyLane>> =
        campaigns(world).iter().map(|c| (c.name.revision, c.reply_lane)).collect();
    let mut witness = world.witness();
    for reply_lane in (0..world.params.reply_lanes).map(ReplyLane) {
        let is_of_lane = |id: &RequestId| {
            let revision = Ticket::read(*id).map(|ticket| ticket.revision);
            let reply_lane_of = revision.and_then(|revision| of_campaign.get(&revision));
            reply_lane_of == Some(&Some(reply_lane))
        };
        let waiting = |lane: Lane| witness.waiting(lane).filter(is_of_lane).collect();
        let by_lane: Vec<BTreeSet<RequestId>> = world.lanes.iter().map(waiting).collect();
        let in_lane = by_lane[usize::from(lane.0)].len();
        let in_all: usize = by_lane.iter().map(BTreeSet::len).sum();
        let holds = in_lane <= limits.lane as usize && in_all <= limits.total as usize;
        witness.check(holds, "I8", || {
            format!("{in_all} requests of reply lane {reply_lane} wait, {in_lane} in lane {lane}")
        });
    }
}
