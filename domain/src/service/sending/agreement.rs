//! A request that a requester sent agrees with its campaign for ever, whatever happens to the
//! campaign afterwards. The only exception: activations do not agree after the campaign's end.

use proptest::prelude::*;

use super::*;
use crate::campaign::Command;
use crate::lane::ReplyLane;
use crate::outcome::{Code, Outcome, Status};
use crate::repair::{ChunkRemains, rebuild_chunk};
use crate::request::Replaced;
use crate::terms::check_request;
use crate::time::Deadline;

const LANE: ReplyLane = ReplyLane(0);

/// The first chunk has three shops, the second two.
const CHUNKS: [u32; 2] = [3, 2];

/// What happens to a campaign.
#[derive(Clone, Debug)]
enum Event {
    /// A requester sends at most `most` requests of a chunk.
    Send { chunk: usize, most: u32 },
    /// A request is answered.
    Answer { request: prop::sample::Index, status: Status },
    /// A command of an operator or of a timer. A new attempt has this deadline.
    Command { command: Command, deadline: i64 },
    /// Another campaign replaces this campaign.
    Replace,
    /// The other campaign has finished. This campaign is ended at the shops that the other campaign
    /// did not release.
    EndTheRest { released: Vec<u32> },
    /// The outcomes at these places of a chunk are lost, and then a repair mends them.
    Mend { chunk: usize, lost: Vec<bool> },
    /// A repair makes the campaign and its chunks fit each other.
    Fit,
}

fn any_event() -> impl Strategy<Value = Event> {
    let commands = vec![Command::End, Command::Retry, Command::Retry, Command::GiveUp];
    let commands = (prop::sample::select(commands), 0_i64..400);
    let statuses = prop::sample::select(Status::ALL.to_vec());
    let chunk = || 0..CHUNKS.len();
    prop_oneof![
        6 => (chunk(), 1_u32..4).prop_map(|(chunk, most)| Event::Send { chunk, most }),
        8 => (any::<prop::sample::Index>(), statuses)
            .prop_map(|(request, status)| Event::Answer { request, status }),
        4 => commands.prop_map(|(command, deadline)| Event::Command { command, deadline }),
        1 => Just(Event::Replace),
        1 => prop::collection::vec(0_u32..5, 0..4)
            .prop_map(|released| Event::EndTheRest { released }),
        1 => (chunk(), prop::collection::vec(any::<bool>(), 6))
            .prop_map(|(chunk, lost)| Event::Mend { chunk, lost }),
        1 => Just(Event::Fit),
    ]
}

/// A campaign with its chunks, as a store holds them, and every request that was sent for it.
struct Run {
    campaign: Campaign,
    chunks: Vec<Chunk>,
    sent: Vec<Request>,
    /// Whether the campaign was ended.
    is_over: bool,
}

impl Run {
    fn new(replaces: bool) -> Self {
        let begun = Campaign::sample(7, CHUNKS.iter().sum());
        let older = Replaced { campaign: Campaign::sample(6, 1).name, deadline: at(0) };
        let campaign =
            Campaign { reply_lane: Some(LANE), replaces: replaces.then_some(older), ..begun };
        let chunk = |(number, shops): (u32, &u32)| {
            let first = CHUNKS.iter().take(number as usize).sum();
            Chunk::new(number, Lane(0), first, *shops as usize)
        };
        let chunks = (0..).zip(&CHUNKS).map(chunk).collect();
        Self { campaign, chunks, sent: Vec::new(), is_over: false }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Send { chunk, most } => self.send(chunk, most),
            Event::Answer { request, status } => {
                if !self.sent.is_empty() {
                    let id = request.get(&self.sent).id;
                    self.answer(Ticket::read(id).unwrap(), status);
                }
            }
            Event::Command { command, deadline } => {
                let (campaign, deadline) = (self.campaign.clone(), at(deadline));
                if let Ok(campaign) = campaign.command(command, &mut self.chunks, deadline) {
                    self.campaign = campaign;
                    self.is_over |= command == Command::End;
                }
            }
            Event::Replace => {
                if self.campaign.check_replaceable().is_ok() {
                    self.campaign.replaced_by = Some(Revision(8));
                }
            }
            Event::EndTheRest { released } => {
                if self.campaign.replaced_by.is_some() && !self.is_over {
                    let place = |chunk: &Chunk, place| (chunk.first..).nth(place).unwrap();
                    let is_released = |chunk: &Chunk, at| released.contains(&place(chunk, at));
                    let campaign = self.campaign.clone();
                    self.campaign = campaign.end(&mut self.chunks, is_released);
                    self.is_over = true;
                }
            }
            Event::Mend { chunk, lost } => self.mend(chunk, &lost),
            Event::Fit => self.campaign = self.campaign.clone().fitted(&mut self.chunks),
        }
    }

    /// Marks a chunk as sent if a store would, and sends a part of it.
    fn send(&mut self, number: usize, most: u32) {
        let chunk = &mut self.chunks[number];
        let lane = chunk.lane;
        let summary = ChunkSummary {
            number: chunk.number,
            lane,
            first: chunk.first,
            shops: u32::try_from(chunk.len()).unwrap(),
            open: chunk.open(),
        };
        let mut sending = Sending::new(
            self.campaign.clone(),
            &[summary],
            BTreeSet::new(),
            self.campaign.created_at,
        );
        let (phase, attempt) = sending.part();
        if !self.campaign.may_send(LANE, (phase, attempt)) {
            return;
        }
        if phase == Phase::Activation {
            chunk.sent = Some(attempt);
        }
        let Some((_, due)) = sending.next(lane) else { return };
        sending.take(lane, 1);
        let ids = (chunk.first..chunk.end()).map(|place| format!("shop-{place}").parse().unwrap());
        let list: ShopList = ids.collect();
        let now = self.campaign.created_at;
        self.sent.extend(sending.begin(due, most, (chunk, Some(&list)), now));
    }

    fn answer(&mut self, ticket: Ticket, status: Status) {
        let outcome = Outcome { status, code: None, detail: None, standing: None, repeat: false };
        for chunk in &mut self.chunks {
            let before = chunk.lacking();
            if chunk.record(&self.campaign, ticket, &outcome) {
                self.campaign = self.campaign.clone().recorded(before, chunk.lacking());
            }
        }
    }

    fn mend(&mut self, number: usize, lost: &[bool]) {
        let chunk = &self.chunks[number];
        let left = |slots: &[Slot], lost: &[bool]| {
            let slots = slots.iter().zip(lost);
            slots.map(|(slot, lost)| (!lost).then_some(*slot)).collect()
        };
        let remains = ChunkRemains {
            is_unsent: !chunk.may_have_been_sent(),
            activations: left(chunk.activations(), lost),
            releases: left(chunk.releases(), &lost[3..]),
            details: Vec::new(),
        };
        let place = (chunk.number, chunk.lane, chunk.first);
        let rebuilt = rebuild_chunk(&self.campaign, place, chunk.len(), remains);
        self.chunks[number] = rebuilt;
        self.campaign = self.campaign.clone().mended(&self.chunks);
    }

    /// Checks that every request sent so far agrees, or comes too late because the campaign was
    /// ended.
    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.campaign.state.is_ending_or_ended(), self.is_over);
        let loaded = self.campaign.loaded();
        for request in &self.sent {
            let disagreement = check_request(request, Some(&loaded), Revision::NONE).err();
            let found = disagreement.map(|found| (found.status, found.code));
            let is_late = self.is_over && matches!(request.change, Change::Activate { .. });
            let expected = is_late.then_some((Status::Superseded, Code::CampaignEnded));
            prop_assert_eq!(found, expected, "{:?} of {:?}", request, &self.campaign);
            self.check_is_marked(request)?;
        }
        Ok(())
    }

    /// Checks that the answer to an activation counts: its chunk says that the attempt was sent.
    fn check_is_marked(&self, request: &Request) -> Result<(), TestCaseError> {
        let ticket = Ticket::read(request.id).unwrap();
        if ticket.phase == Phase::Activation {
            let mut chunks = self.chunks.iter();
            let chunk = chunks.find(|chunk| (chunk.first..chunk.end()).contains(&ticket.index));
            let sent = chunk.and_then(|chunk| chunk.sent);
            prop_assert!(sent.is_some_and(|sent| ticket.attempt <= sent), "{:?}", ticket);
        }
        Ok(())
    }
}

const fn at(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prop_what_was_sent_agrees_for_ever(
        replaces: bool,
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut run = Run::new(replaces);
        for event in events {
            run.happens(event);
            run.check()?;
        }
    }
}

/// Shows that the property is not empty: such a run sends in both phases and in several attempts.
#[test]
fn a_run_sends_in_both_phases_and_again_after_a_retry() {
    let mut run = Run::new(false);
    let command = |command, deadline| Event::Command { command, deadline };
    let send = || Event::Send { chunk: 0, most: 3 };
    let events =
        [send(), command(Command::GiveUp, 0), command(Command::Retry, 300), send(), Event::Fit];
    let last = [send(), command(Command::End, 0), send()];
    for event in events.into_iter().chain(last) {
        run.happens(event);
        run.check().unwrap();
    }
    let tickets = run.sent.iter().filter_map(|request| Ticket::read(request.id));
    let mut parts: Vec<_> = tickets.map(|ticket| (ticket.phase, ticket.attempt.0)).collect();
    parts.dedup();
    let (activation, release) = (Phase::Activation, Phase::Release);
    assert_eq!(parts, [(activation, 1), (activation, 2), (activation, 3), (release, 3)]);
    let last = run.sent.last().map(|request| &request.change);
    let Some(Change::Release { deadline, .. }) = last else { panic!("{last:?}") };
    assert_eq!(*deadline, at(300));
}
