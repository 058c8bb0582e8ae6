//! Random replies and commands against a naive ledger of single shops.

use std::collections::BTreeSet;

use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Command, Lane, Nonce, Phase, Slot, Status, Ticket,
};
use proptest::prelude::*;

use super::{Applied, Closed, Expired, Failed, Idle, Open, Rejected, Superseded, Unchanged};
use super::{campaign, deadline, nonce, outcome, ticket};

/// The first chunk has three shops, the second two.
const CHUNKS: [(u32, usize); 2] = [(0, 3), (3, 2)];
const SHOPS: u32 = 5;

/// What the ledger should hold of one shop.
#[derive(Clone, Copy, Debug)]
struct Shop {
    activation: Slot,
    release: Slot,
    /// The newest attempt in which the shop's activation may have been sent; 0 if there is none.
    sent: u16,
}

/// The ledger as the design tells it, one shop at a time.
struct Naive {
    attempt: u16,
    ending: bool,
    shops: Vec<Shop>,
}

impl Naive {
    fn new() -> Self {
        let shop = Shop { activation: Open, release: Idle, sent: 0 };
        Self { attempt: 1, ending: false, shops: vec![shop; SHOPS as usize] }
    }

    fn open(&self) -> usize {
        let slots = self.shops.iter().flat_map(|shop| [shop.activation, shop.release]);
        slots.filter(|slot| *slot == Open).count()
    }

    fn reply(&mut self, phase: Phase, attempt: u16, index: u32, status: Status) -> bool {
        let (present, ending) = (self.attempt, self.ending);
        let Some(shop) = self.shops.get_mut(index as usize) else { return false };
        let slot = match phase {
            Phase::Activation => &mut shop.activation,
            Phase::Release => &mut shop.release,
        };
        let took_effect = [Applied, Unchanged].contains(&status);
        let sent = if phase == Phase::Activation { shop.sent } else { present };
        let counts = if status == Failed || attempt > present || attempt > sent {
            false
        } else if took_effect {
            [Open, Closed(Rejected), Closed(Failed)].contains(slot)
        } else {
            *slot == Open && attempt == present
        };
        if !counts {
            return false;
        }
        let too_late = ending && phase == Phase::Activation && status == Expired;
        *slot = Closed(if too_late { Superseded } else { status });
        if phase == Phase::Release && shop.activation == Open {
            shop.activation = Closed(Superseded);
        }
        true
    }

    fn end(&mut self, replaced: &BTreeSet<u32>) {
        self.ending = true;
        for (index, shop) in (0..).zip(&mut self.shops) {
            if 0 < shop.sent && !replaced.contains(&index) {
                shop.release = Open;
            } else if shop.activation == Open {
                shop.activation = Closed(Superseded);
            }
        }
    }

    fn needs_retry(&self) -> bool {
        self.shops.iter().any(|shop| Self::failed(shop.activation))
    }

    fn needs_release(&self) -> bool {
        self.shops.iter().any(|shop| Self::failed(shop.release))
    }

    fn failed(slot: Slot) -> bool {
        [Closed(Rejected), Closed(Expired), Closed(Failed)].contains(&slot)
    }

    /// Whether the command can be done; if so, it is.
    fn command(&mut self, command: Command) -> bool {
        match command {
            Command::End if !self.ending => self.end(&BTreeSet::new()),
            Command::Retry if !self.ending && self.open() == 0 && self.needs_retry() => {
                self.attempt += 1;
                for shop in self.shops.iter_mut().filter(|shop| Self::failed(shop.activation)) {
                    shop.activation = Open;
                }
            }
            Command::Retry if self.ending && self.open() == 0 && self.needs_release() => {
                self.attempt += 1;
                for shop in self.shops.iter_mut().filter(|shop| Self::failed(shop.release)) {
                    shop.release = Open;
                }
            }
            Command::GiveUp if 0 < self.open() => {
                for shop in &mut self.shops {
                    for slot in [&mut shop.activation, &mut shop.release] {
                        *slot = if *slot == Open { Closed(Failed) } else { *slot };
                    }
                }
            }
            Command::End | Command::Retry | Command::GiveUp => return false,
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Event {
    Send { chunk: usize },
    Reply { ticket: Ticket, status: Status },
    Command(Command),
    EndReplaced(BTreeSet<u32>),
}

fn any_event() -> impl Strategy<Value = Event> {
    let phase = prop::sample::select(vec![Phase::Activation, Phase::Release]);
    let nonce = prop::bool::weighted(0.95)
        .prop_map(|right| if right { nonce() } else { Nonce::from_random(1) });
    let reply = (phase, 1_u16..4, 0..=SHOPS, nonce, prop::sample::select(Status::ALL.to_vec()));
    let commands = vec![Command::End, Command::Retry, Command::Retry, Command::GiveUp];
    prop_oneof![
        20 => reply.prop_map(|(phase, attempt, index, nonce, status)| {
            Event::Reply { ticket: Ticket { nonce, ..ticket(phase, attempt, index) }, status }
        }),
        3 => (0..CHUNKS.len()).prop_map(|chunk| Event::Send { chunk }),
        3 => prop::sample::select(commands).prop_map(Event::Command),
        1 => prop::collection::btree_set(0..SHOPS, 0..4).prop_map(Event::EndReplaced),
    ]
}

/// A campaign with its chunks, as a store holds them, and the naive ledger beside it.
struct Pair {
    campaign: Campaign,
    chunks: Vec<Chunk>,
    naive: Naive,
}

impl Pair {
    fn new() -> Self {
        let chunks = (0..).zip(CHUNKS);
        Self {
            campaign: Campaign {
                attempt: Attempt::FIRST,
                ..campaign(CampaignState::Sending { open: SHOPS })
            },
            chunks: chunks
                .map(|(number, (first, shops))| Chunk::new(number, Lane(0), first, shops))
                .collect(),
            naive: Naive::new(),
        }
    }

    fn apply(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Send { chunk } if self.campaign.may_send_activations() => {
                self.chunks[chunk].sent = Some(self.campaign.attempt);
                let (first, shops) = CHUNKS[chunk];
                for shop in &mut self.naive.shops[first as usize..][..shops] {
                    shop.sent = self.campaign.attempt.0;
                }
            }
            Event::Send { .. } => {}
            Event::Reply { ticket, status } => {
                let mut counted = 0;
                for chunk in &mut self.chunks {
                    counted += u32::from(chunk.record(&self.campaign, ticket, &outcome(status)));
                }
                let open = self.chunks.iter().map(Chunk::open).sum();
                self.campaign.state = self.campaign.state.with_open(open);
                let expected = ticket.nonce == nonce()
                    && self.naive.reply(ticket.phase, ticket.attempt.0, ticket.index, status);
                prop_assert_eq!(counted, u32::from(expected));
            }
            Event::Command(command) => {
                let before = self.campaign.clone();
                let after = before.clone().command(command, &mut self.chunks, deadline(200));
                prop_assert_eq!(after.is_ok(), self.naive.command(command));
                self.campaign = after.unwrap_or(before);
            }
            Event::EndReplaced(_) if self.campaign.state.is_ending_or_ended() => {}
            Event::EndReplaced(replaced) => {
                let index = |chunk: &Chunk, place| chunk.first + u32::try_from(place).unwrap();
                let campaign = self.campaign.clone();
                self.campaign = campaign
                    .end(&mut self.chunks, |chunk, place| replaced.contains(&index(chunk, place)));
                self.naive.end(&replaced);
            }
        }
        Ok(())
    }

    fn slots(&self, phase: Phase) -> Vec<Slot> {
        self.chunks.iter().flat_map(|chunk| chunk.slots(phase)).copied().collect()
    }

    /// Ledger and naive ledger agree, and the state tells what the slots tell.
    fn check(&self) -> Result<(), TestCaseError> {
        let (activations, releases): (Vec<Slot>, Vec<Slot>) =
            self.naive.shops.iter().map(|shop| (shop.activation, shop.release)).unzip();
        prop_assert_eq!(self.slots(Phase::Activation), activations);
        prop_assert_eq!(self.slots(Phase::Release), releases);
        let open = u32::try_from(self.naive.open()).unwrap();
        let state = match (self.naive.ending, open) {
            (false, 0) => CampaignState::Settled,
            (false, open) => CampaignState::Sending { open },
            (true, 0) => CampaignState::Ended,
            (true, open) => CampaignState::Ending { open },
        };
        prop_assert_eq!(self.campaign.state, state);
        self.check_details()
    }

    /// A slot that was closed other than by plain success has one reason, every other none.
    fn check_details(&self) -> Result<(), TestCaseError> {
        for (chunk, phase) in
            self.chunks.iter().flat_map(|c| [(c, Phase::Activation), (c, Phase::Release)])
        {
            for (place, slot) in chunk.slots(phase).iter().enumerate() {
                let of_slot = chunk
                    .details()
                    .iter()
                    .filter(|detail| detail.phase == phase && usize::from(detail.place) == place);
                let plain = [Idle, Open, Closed(Applied), Closed(Unchanged)].contains(slot);
                prop_assert_eq!(of_slot.count(), usize::from(!plain));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn prop_same_as_naive(events in prop::collection::vec(any_event(), 0..60)) {
        let mut pair = Pair::new();
        for event in events {
            pair.apply(event)?;
            pair.check()?;
        }
    }

    #[test]
    fn prop_what_took_effect_is_never_lost(events in prop::collection::vec(any_event(), 0..60)) {
        let mut pair = Pair::new();
        for event in events {
            let before = [Phase::Activation, Phase::Release].map(|phase| pair.slots(phase));
            pair.apply(event)?;
            let after = [Phase::Activation, Phase::Release].map(|phase| pair.slots(phase));
            for (before, after) in before.iter().flatten().zip(after.iter().flatten()) {
                let took_effect = [Closed(Applied), Closed(Unchanged)].contains(before);
                prop_assert!(!took_effect || before == after);
            }
        }
    }
}
