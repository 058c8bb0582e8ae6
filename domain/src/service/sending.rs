//! What a requester keeps in memory of a campaign that it runs. All of it can be read again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::campaign::{Campaign, CampaignState};
use crate::chunk::{Chunk, OpenSlots, ShopList, Slot};
use crate::correlation::{Attempt, Phase, Ticket};
use crate::lane::Lane;
use crate::ports::ChunkSummary;
use crate::request::{Change, Request};
use crate::revision::Revision;
use crate::time::Timestamp;

/// A chunk to be sent, or what is left of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) number: u32,
    pub(crate) lane: Lane,
    /// Everything below this place was sent.
    from: usize,
    /// About how many requests it makes; never zero.
    pub(crate) open: u32,
    /// It may have been sent before.
    again: bool,
}

/// Which campaign goes first in a lane: the one that ranks lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precedence {
    /// What may have been sent before goes first, so that a lane which does not answer is not
    /// sent more and more different requests.
    is_new: bool,
    /// Then the campaign whose last turn is longest ago, or that had none yet.
    last_turn: u64,
    /// Then the older one.
    revision: Revision,
}

/// A campaign under way.
pub(crate) struct Sending {
    pub(crate) campaign: Campaign,
    /// How it stands in each request lane.
    lanes: BTreeMap<Lane, InLane>,
    /// Chunks of which requests were sent, and which have open slots.
    under_way: BTreeMap<u32, UnderWay>,
    /// Chunks that are damaged, each as it is to be sent once it was mended.
    aside: BTreeMap<u32, Due>,
    /// Chunks that are damaged so that nothing is known but their numbers.
    lost: BTreeSet<u32>,
}

/// How a campaign stands in a request lane.
struct InLane {
    /// Chunks to be sent, in their order.
    queue: VecDeque<Due>,
    /// The number of its last turn: a higher one is later, 0 is none.
    last_turn: u64,
    /// When something of it was last sent or answered.
    moved_at: Timestamp,
}

/// What was sent of a chunk.
#[derive(Clone, Copy)]
struct UnderWay {
    lane: Lane,
    /// How many requests have no answer.
    requests: u32,
    /// How many slots of the phase that is sent are open.
    open: u32,
    /// How many of them no request was sent for.
    unsent: u32,
}

impl Sending {
    /// A campaign whose open chunks are all to be sent: in each lane in the order of its shops,
    /// so that neighbouring rows are written together.
    ///
    /// Every other campaign goes through its list backwards, so that two that start together
    /// do not queue at the same shops.
    ///
    /// Those that are `lost` wait until they are [found](Self::find).
    pub(crate) fn new(
        campaign: Campaign,
        chunks: &[ChunkSummary],
        lost: BTreeSet<u32>,
        now: Timestamp,
    ) -> Self {
        let is_backwards = is_backwards(&campaign);
        let (lanes, under_way, aside) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut sending = Self { campaign, lanes, under_way, aside, lost };
        let mut queue = |chunk: &ChunkSummary| sending.queue(chunk, false, now);
        if is_backwards {
            chunks.iter().rev().for_each(&mut queue);
        } else {
            chunks.iter().for_each(&mut queue);
        }
        sending
    }

    /// Queues a chunk in its lane, behind everything else there.
    fn queue(&mut self, chunk: &ChunkSummary, again: bool, now: Timestamp) {
        let ChunkSummary { number, lane, open, .. } = *chunk;
        if 0 < open {
            let due = Due { number, lane, from: 0, open, again };
            self.lanes.entry(lane).or_insert_with(|| InLane::new(now)).queue.push_back(due);
        }
    }

    /// Whether chunks are lost.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Queues each lost chunk that has a row again, and returns their numbers.
    pub(crate) fn find(&mut self, chunks: &[ChunkSummary], now: Timestamp) -> Vec<u32> {
        let mut found = Vec::new();
        for chunk in chunks {
            if self.lost.remove(&chunk.number) {
                // It may have been sent before it was lost.
                self.queue(chunk, true, now);
                found.push(chunk.number);
            }
        }
        found
    }

    /// The phase and attempt that are sent now.
    pub(crate) const fn part(&self) -> (Phase, Attempt) {
        let phase = match self.campaign.state {
            CampaignState::Sending { .. } | CampaignState::Settled => Phase::Activation,
            CampaignState::Ending { .. } | CampaignState::Ended => Phase::Release,
        };
        (phase, self.campaign.attempt)
    }

    /// Whether `other` is the same campaign in the same phase and attempt.
    pub(crate) fn is_still(&self, other: &Campaign) -> bool {
        let campaign = &self.campaign;
        campaign.state.is_ending_or_ended() == other.state.is_ending_or_ended()
            && campaign.attempt == other.attempt
            && campaign.may_send_activations() == other.may_send_activations()
    }

    /// Whether anything of it may be sent now. A campaign that was replaced waits for its end.
    const fn may_send(&self) -> bool {
        matches!(self.part().0, Phase::Release) || self.campaign.may_send_activations()
    }

    /// The lanes in which it has something to send.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = Lane> + '_ {
        let lanes = self.lanes.iter().filter(|(_, in_lane)| !in_lane.queue.is_empty());
        lanes.filter(|_| self.may_send()).map(|(lane, _)| *lane)
    }

    /// The next chunk of a lane, and how it stands beside those of other campaigns.
    pub(crate) fn next(&self, lane: Lane) -> Option<(Precedence, Due)> {
        let in_lane = self.lanes.get(&lane).filter(|_| self.may_send())?;
        let due = *in_lane.queue.front()?;
        let revision = self.campaign.name.revision;
        let (is_new, last_turn) = (!due.again, in_lane.last_turn);
        Some((Precedence { is_new, last_turn, revision }, due))
    }

    /// Takes the next chunk of a lane from its queue.
    pub(crate) fn take(&mut self, lane: Lane, turn: u64) {
        if let Some(in_lane) = self.lanes.get_mut(&lane) {
            in_lane.queue.pop_front();
            in_lane.last_turn = turn;
        }
    }

    /// Puts a chunk back that was taken.
    pub(crate) fn put_back(&mut self, due: Due) {
        if let Some(in_lane) = self.lanes.get_mut(&due.lane) {
            in_lane.queue.push_front(due);
        }
    }

    /// Sets a damaged chunk aside that was taken from its queue. Returns how many requests are not
    /// waited for any more.
    pub(crate) fn set_aside(&mut self, due: Due) -> Option<(Lane, u32)> {
        self.aside.insert(due.number, Due { from: 0, again: true, ..due });
        let UnderWay { lane, requests, .. } = self.under_way.remove(&due.number)?;
        Some((lane, requests))
    }

    /// Sets a damaged chunk aside of which requests were sent. Returns how many of them are not
    /// waited for any more.
    pub(crate) fn set_sent_aside(&mut self, number: u32) -> Option<(Lane, u32)> {
        let UnderWay { lane, open, .. } = *self.under_way.get(&number)?;
        if let Some(in_lane) = self.lanes.get_mut(&lane) {
            in_lane.queue.retain(|due| due.number != number);
        }
        self.set_aside(Due { number, lane, from: 0, open, again: true })
    }

    /// Queues again what was set aside, behind everything else.
    pub(crate) fn try_again(&mut self) {
        for (_, due) in std::mem::take(&mut self.aside) {
            if let Some(in_lane) = self.lanes.get_mut(&due.lane) {
                in_lane.queue.push_back(due);
            }
        }
    }

    /// Whether only damaged or lost chunks are left to send.
    pub(crate) fn is_set_aside(&self) -> bool {
        let is_queued = self.lanes.values().any(|in_lane| !in_lane.queue.is_empty());
        let is_damaged = !self.aside.is_empty() || self.has_lost();
        is_damaged && self.under_way.is_empty() && !is_queued
    }

    /// Makes at most `most` requests of a chunk that was taken, and takes them for under way;
    /// what is left of the chunk comes next in its lane. A chunk whose `shops` are not there is
    /// tried again with what is sent again.
    pub(crate) fn begin(
        &mut self,
        due: Due,
        most: u32,
        (chunk, shops): (&Chunk, Option<&ShopList>),
        now: Timestamp,
    ) -> Vec<Request> {
        let (phase, _) = self.part();
        let mut requests = Vec::new();
        let mut rest = None;
        let shops = shops.into_iter().flat_map(ShopList::iter);
        let slots = (0..).zip(chunk.first..).zip(chunk.slots(phase).iter().zip(shops));
        for ((place, index), (_, shop)) in
            slots.filter(|((place, _), (slot, _))| due.from <= *place && **slot == Slot::Open)
        {
            if most as usize <= requests.len() {
                rest = Some(place);
                break;
            }
            requests.extend(self.request(index, shop));
        }
        let unsent = rest.map_or(0, |from| {
            let open = open_from(chunk.slots(phase), from);
            self.put_back(Due { from, open, ..due });
            open
        });
        // INVARIANT: a chunk has at most 2,000 shops.
        let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let before = self.under_way.get(&due.number).map_or(0, |before| before.requests);
        let (lane, open) = (due.lane, chunk.open_slots().of(phase));
        let under_way = UnderWay { lane, requests: before.saturating_add(count), open, unsent };
        if 0 < open {
            self.under_way.insert(due.number, under_way);
        }
        self.moved(lane, now);
        requests
    }

    /// Something of it was sent or answered in a lane.
    pub(crate) fn moved(&mut self, lane: Lane, now: Timestamp) {
        if let Some(in_lane) = self.lanes.get_mut(&lane) {
            in_lane.moved_at = now;
        }
    }

    /// The request for the shop at a place of the list.
    fn request(&self, index: u32, shop: &str) -> Option<Request> {
        let (phase, attempt) = self.part();
        let campaign = &self.campaign;
        let change = match phase {
            Phase::Activation => Change::Activate {
                campaign: campaign.name,
                kind: campaign.kind,
                limit: campaign.limit,
                deadline: campaign.deadline,
                replaces: campaign.replaces,
            },
            Phase::Release => {
                Change::Release { campaign: campaign.name, deadline: campaign.deadline }
            }
        };
        let (revision, nonce) = (campaign.name.revision, campaign.nonce);
        let id = Ticket { revision, phase, attempt, index, nonce }.id();
        Some(Request { id, shop: shop.parse().ok()?, change })
    }

    /// So many slots of a chunk are open now. Returns how many of its requests were answered,
    /// and their lane; `None` for replies that came twice: they are no sign that the open ones
    /// are on their way.
    ///
    /// Only slots of the phase that is sent count: a release that is answered also closes an open
    /// activation.
    pub(crate) fn answered(
        &mut self,
        number: u32,
        open: OpenSlots,
        now: Timestamp,
    ) -> Option<(Lane, u32)> {
        let open = open.of(self.part().0);
        let under_way = self.under_way.get_mut(&number)?;
        let UnderWay { lane, requests, unsent, .. } = *under_way;
        let left = open.saturating_sub(unsent).min(requests);
        *under_way = UnderWay { requests: left, open, ..*under_way };
        if open == 0 {
            self.under_way.remove(&number);
        }
        let answered = requests - left;
        if answered == 0 {
            return None;
        }
        self.moved(lane, now);
        Some((lane, answered))
    }

    /// How many requests are under way, by lane.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (Lane, u32)> + '_ {
        self.under_way.values().map(|under_way| (under_way.lane, under_way.requests))
    }

    /// Queues every open chunk again in the lanes where nothing was sent or answered since the time
    /// that `late` accepts, except chunks that are being sent. A request or its reply may be lost,
    /// and must not hold its place in the window for ever. Returns how many requests are not waited
    /// for any more, by lane.
    pub(crate) fn send_again(
        &mut self,
        late: impl Fn(Timestamp) -> bool,
        is_being_sent: impl Fn(u32) -> bool,
        now: Timestamp,
    ) -> Vec<(Lane, u32)> {
        let mut again = Vec::new();
        for (lane, in_lane) in &mut self.lanes {
            if late(in_lane.moved_at) {
                in_lane.moved_at = now;
                again.push(*lane);
            }
        }
        let under_way = self.under_way.iter().filter(|(_, chunk)| again.contains(&chunk.lane));
        let numbers = under_way.map(|(number, _)| *number).filter(|number| !is_being_sent(*number));
        let mut numbers: Vec<u32> = numbers.collect();
        if !is_backwards(&self.campaign) {
            numbers.reverse();
        }
        numbers.into_iter().filter_map(|number| self.send_chunk_again(number)).collect()
    }

    /// Queues a chunk again, before everything else of its lane. Returns how many requests are not
    /// waited for any more.
    pub(crate) fn send_chunk_again(&mut self, number: u32) -> Option<(Lane, u32)> {
        let UnderWay { lane, requests, open, .. } = self.under_way.remove(&number)?;
        let queue = &mut self.lanes.get_mut(&lane)?.queue;
        queue.retain(|due| due.number != number);
        queue.push_front(Due { number, lane, from: 0, open, again: true });
        Some((lane, requests))
    }
}

impl InLane {
    const fn new(now: Timestamp) -> Self {
        Self { queue: VecDeque::new(), last_turn: 0, moved_at: now }
    }
}

const fn is_backwards(campaign: &Campaign) -> bool {
    campaign.name.revision.0.is_multiple_of(2)
}

/// How many slots are open from a place on.
fn open_from(slots: &[Slot], from: usize) -> u32 {
    let open = slots.iter().skip(from).filter(|slot| **slot == Slot::Open).count();
    u32::try_from(open).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod agreement;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::correlation::Nonce;
    use crate::outcome::{Outcome, Status};
    use crate::revision::{CampaignId, CampaignRef};
    use crate::shop::ShopId;
    use crate::time::Deadline;

    const NOW: Timestamp = Timestamp::from_millis(0);
    const LANE: Lane = Lane(3);

    fn campaign(state: CampaignState) -> Campaign {
        Campaign {
            name: CampaignRef { revision: Revision(7), id: CampaignId(Uuid::nil()) },
            nonce: Nonce::from_random(42),
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            reason: String::new(),
            shops: 4,
            created_at: NOW,
            timeout: Duration::from_mins(1),
            until: None,
            replaces: None,
            replaced_by: None,
            reply_lane: None,
            attempt: Attempt::FIRST,
            deadline: Deadline::at(NOW),
            state,
            unreleased: 0,
        }
    }

    fn summary(number: u32, open: u32) -> ChunkSummary {
        ChunkSummary { number, lane: LANE, first: 4 * number, shops: 4, open }
    }

    fn sending(state: CampaignState, chunks: &[ChunkSummary], lost: &[u32]) -> Sending {
        Sending::new(campaign(state), chunks, lost.iter().copied().collect(), NOW)
    }

    /// The numbers of the chunks of the lane, in the order in which they are sent.
    fn queued(sending: &Sending) -> Vec<u32> {
        let queues = sending.lanes.values().flat_map(|in_lane| &in_lane.queue);
        queues.map(|due| due.number).collect()
    }

    #[test]
    fn each_answer_to_a_request_that_was_sent_counts_once() {
        use Slot::{Closed, Idle, Open};
        let applied = Closed(Status::Applied);
        let (activation, release) =
            (CampaignState::Sending { open: 4 }, CampaignState::Ending { open: 8 });
        // (state, activations, releases, requests)
        for (state, activations, releases, requests) in [
            (activation, [Open; 4], [Idle; 4], 4),
            (activation, [Open, applied, Open, applied], [Idle; 4], 2),
            (release, [applied; 4], [Open; 4], 4),
            // Each release that is answered closes an open activation, too.
            (release, [Open; 4], [Open; 4], 4),
            (release, [Open, applied, Open, applied], [applied, Open, Open, Open], 3),
        ] {
            let (activations, releases) = (activations.to_vec(), releases.to_vec());
            let sent = Some(Attempt::FIRST);
            let mut chunk = Chunk::restore((0, LANE, 0), sent, activations, releases, Vec::new());
            let mut sending = sending(state, &[summary(0, chunk.open())], &[]);
            let (_, due) = sending.next(LANE).unwrap();
            sending.take(LANE, 1);
            let shops: ShopList =
                ["a", "b", "c", "d"].map(|id| id.parse::<ShopId>().unwrap()).into_iter().collect();
            let sent = sending.begin(due, 100, (&chunk, Some(&shops)), NOW);
            assert_eq!(sent.len(), requests, "{chunk:?}");
            for request in sent {
                let ticket = Ticket::read(request.id).unwrap();
                let (status, code) = (Status::Applied, None);
                let outcome = Outcome { status, code, detail: None, standing: None, repeat: false };
                assert!(chunk.record(&sending.campaign, ticket, &outcome));
                let answered = sending.answered(0, chunk.open_slots(), NOW);
                assert_eq!(answered, Some((LANE, 1)), "{chunk:?}");
                assert_eq!(sending.answered(0, chunk.open_slots(), NOW), None, "it came twice");
            }
            assert_eq!(sending.under_way().count(), 0);
        }
    }

    #[test]
    fn lost_chunks_wait_until_they_are_there_again() {
        let state = CampaignState::Sending { open: 8 };
        let mut sending = sending(state, &[summary(1, 4)], &[0, 2]);
        assert_eq!(queued(&sending), [1]);
        assert!(sending.has_lost() && !sending.is_set_aside());
        sending.take(LANE, 1);
        assert!(sending.is_set_aside());
        // What stood in the queue before is not queued again.
        assert_eq!(sending.find(&[summary(1, 4)], NOW), []);
        assert_eq!(sending.find(&[summary(0, 4), summary(1, 4)], NOW), [0]);
        assert_eq!(queued(&sending), [0]);
        assert!(sending.has_lost());
        // Nothing is open there, so nothing is sent.
        assert_eq!(sending.find(&[summary(0, 4), summary(2, 0)], NOW), [2]);
        assert_eq!(queued(&sending), [0]);
        assert!(!sending.has_lost() && !sending.is_set_aside());
    }
}
