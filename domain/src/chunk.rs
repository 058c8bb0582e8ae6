//! Chunks: a campaign's list of shops and the ledger of their outcomes, a few thousand
//! shops at a time.

use std::collections::BTreeMap;

use crate::campaign::Campaign;
use crate::correlation::{Attempt, Phase, Ticket};
use crate::lane::Lane;
use crate::outcome::{Code, Outcome, Status};
use crate::shop::ShopId;

/// The most shops of a chunk.
pub const CHUNK_SHOPS: usize = 2_000;

/// Shops by id, in one piece of text. Does not change once a campaign is stored.
///
/// ```
/// use catchment_domain::ShopList;
/// let list: ShopList = ["a", "b"].iter().map(|id| id.parse().unwrap()).collect();
/// assert!(list.is(1, &"b".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopList {
    text: String,
    ends: Vec<u32>,
}

impl ShopList {
    /// How many shops.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The id at a place as text.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)? as usize;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// Whether this shop stands at a place.
    #[must_use]
    pub fn is(&self, place: usize, shop: &ShopId) -> bool {
        self.get(place) == Some(shop.as_str())
    }

    /// The ids in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Adds a shop at the end.
    pub fn push(&mut self, shop: &ShopId) {
        self.push_id(shop.as_str());
    }

    /// Adds a shop at the end, whose id is known to be one.
    pub(crate) fn push_id(&mut self, shop: &str) {
        self.text.push_str(shop);
        // INVARIANT: a chunk's ids are at most 2,000 x 128 bytes.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }
}

impl FromIterator<ShopId> for ShopList {
    fn from_iter<I: IntoIterator<Item = ShopId>>(shops: I) -> Self {
        let mut list = Self::default();
        for shop in shops {
            list.push(&shop);
        }
        list
    }
}

/// What became of one shop in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing is asked of the shop in this phase.
    Idle,
    /// There is no outcome yet.
    Open,
    /// There is one.
    Closed(Status),
}

impl Slot {
    /// Whether it was closed because the request took effect.
    #[must_use]
    pub const fn took_effect(self) -> bool {
        matches!(self, Self::Closed(status) if status.took_effect())
    }

    /// Whether it was closed without success, and may fare better anew.
    const fn has_failed(self) -> bool {
        matches!(self, Self::Closed(Status::Rejected | Status::Expired | Status::Failed))
    }
}

/// More than a status: why a slot was closed other than by plain success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The phase of the slot.
    pub phase: Phase,
    /// The shop's place in the chunk.
    pub place: u16,
    /// Why.
    pub code: Code,
    /// More than the code's own message.
    pub message: Option<Box<str>>,
}

/// The ledger of a few thousand shops of one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the campaign, from 0.
    pub number: u32,
    /// The lane of its shops.
    pub lane: Lane,
    /// The place of its first shop in the campaign's list.
    pub first: u32,
    /// The newest attempt in which its activations may have been sent.
    pub sent: Option<Attempt>,
    activations: Vec<Slot>,
    releases: Vec<Slot>,
    details: Vec<Detail>,
}

impl Chunk {
    /// The ledger of so many shops, all open.
    #[must_use]
    pub fn new(number: u32, lane: Lane, first: u32, shops: usize) -> Self {
        Self {
            number,
            lane,
            first,
            sent: None,
            activations: vec![Slot::Open; shops],
            releases: vec![Slot::Idle; shops],
            details: Vec::new(),
        }
    }

    /// A ledger as it was stored.
    #[must_use]
    pub fn restore(
        (number, lane, first): (u32, Lane, u32),
        sent: Option<Attempt>,
        activations: Vec<Slot>,
        releases: Vec<Slot>,
        details: Vec<Detail>,
    ) -> Self {
        Self { number, lane, first, sent, activations, releases, details }
    }

    /// How many shops.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.activations.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.activations.is_empty()
    }

    /// The place behind its last shop in the campaign's list.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.len()).unwrap_or(u32::MAX))
    }

    /// The outcomes of the activations, in the order of the list.
    #[must_use]
    pub fn activations(&self) -> &[Slot] {
        &self.activations
    }

    /// The outcomes of the releases, in the order of the list.
    #[must_use]
    pub fn releases(&self) -> &[Slot] {
        &self.releases
    }

    /// The outcomes of a phase, in the order of the list.
    #[must_use]
    pub fn slots(&self, phase: Phase) -> &[Slot] {
        match phase {
            Phase::Activation => &self.activations,
            Phase::Release => &self.releases,
        }
    }

    /// Why slots were closed other than by plain success.
    #[must_use]
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// Why one slot was closed other than by plain success.
    #[must_use]
    pub fn detail(&self, phase: Phase, place: usize) -> Option<&Detail> {
        self.details.iter().find(|d| d.phase == phase && usize::from(d.place) == place)
    }

    /// How many activations and releases have no outcome.
    #[must_use]
    pub fn open(&self) -> u32 {
        self.open_slots().all()
    }

    /// How many slots of each phase have no outcome.
    #[must_use]
    pub fn open_slots(&self) -> OpenSlots {
        let [activations, releases] = [&self.activations, &self.releases].map(|slots| {
            let open = slots.iter().filter(|slot| **slot == Slot::Open).count();
            u32::try_from(open).unwrap_or(u32::MAX)
        });
        OpenSlots { activations, releases }
    }

    /// What it lacks until the campaign is cleanly over here.
    #[must_use]
    pub fn lacking(&self) -> Lacking {
        let unreleased = self.releases.iter().filter(|slot| slot.has_failed()).count();
        Lacking { open: self.open(), unreleased: u32::try_from(unreleased).unwrap_or(u32::MAX) }
    }

    /// Whether any of its activations may have been sent.
    #[must_use]
    pub const fn may_have_been_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// Enters a reply. Returns whether it counts.
    ///
    /// 1. A reply to another campaign, to a later attempt or to no shop of this chunk does
    ///    not count. A reply `failed` does not count, because only an operator can say it. A reply
    ///    to an activation does not count if this chunk [was not sent](Self::sent) yet in that
    ///    attempt: nobody can have answered it.
    /// 2. Applied or unchanged counts from any attempt while the slot is open, rejected or
    ///    failed: a copy that was sent twice can be rejected first and applied then, and what
    ///    an operator gave up may still take effect.
    /// 3. Everything else counts for the present attempt, while the slot is open.
    /// 4. Once the campaign is ending or replaced, an activation that is answered expired is
    ///    superseded: its cause may have come and gone.
    /// 5. A release with an outcome closes an open activation as superseded.
    ///
    /// The caller has checked that the reply's shop is the one at that place of the list.
    pub fn record(&mut self, campaign: &Campaign, ticket: Ticket, outcome: &Outcome) -> bool {
        let known = ticket.revision == campaign.name.revision
            && ticket.nonce == campaign.nonce
            && ticket.attempt <= campaign.attempt
            && self.may_have_sent(ticket);
        let place = ticket.index.checked_sub(self.first).map(|place| place as usize);
        let Some(place) = place.filter(|_| known) else { return false };
        let slot = self.slots(ticket.phase).get(place).copied();
        let counts = match (slot, outcome.status) {
            (Some(Slot::Open | Slot::Closed(Status::Rejected | Status::Failed)), status)
                if status.took_effect() =>
            {
                true
            }
            (Some(Slot::Open), Status::Superseded | Status::Rejected | Status::Expired) => {
                ticket.attempt == campaign.attempt
            }
            (None | Some(Slot::Idle | Slot::Open | Slot::Closed(_)), _) => false,
        };
        if !counts {
            return false;
        }
        let over = campaign
            .over()
            .filter(|_| ticket.phase == Phase::Activation && outcome.status == Status::Expired);
        if over.is_some() {
            self.close(ticket.phase, place, Status::Superseded, over, None);
        } else {
            let detail = outcome.detail.clone();
            self.close(ticket.phase, place, outcome.status, outcome.code, detail);
        }
        if ticket.phase == Phase::Release {
            self.supersede(place, Code::CampaignEnded);
        }
        true
    }

    /// Whether a request may have been sent. A release is open only if the end of its campaign
    /// asked for it.
    fn may_have_sent(&self, ticket: Ticket) -> bool {
        match ticket.phase {
            Phase::Activation => self.sent.is_some_and(|sent| ticket.attempt <= sent),
            Phase::Release => true,
        }
    }

    /// Closes an activation that is still open: its campaign is over.
    pub(crate) fn supersede(&mut self, place: usize, code: Code) {
        if self.activations.get(place) == Some(&Slot::Open) {
            self.close(Phase::Activation, place, Status::Superseded, Some(code), None);
        }
    }

    /// Asks for a release, once: one that has an outcome keeps it.
    pub(crate) fn open_release(&mut self, place: usize) {
        if let Some(slot @ Slot::Idle) = self.releases.get_mut(place) {
            *slot = Slot::Open;
        }
    }

    /// Whether a slot of a phase was closed without success, and may fare better anew.
    pub(crate) fn has_failed(&self, phase: Phase) -> bool {
        self.slots(phase).iter().any(|slot| slot.has_failed())
    }

    /// Opens the slots of a phase again that were closed without success.
    pub(crate) fn reopen(&mut self, phase: Phase) {
        let Self { activations, releases, details, .. } = self;
        let slots = match phase {
            Phase::Activation => activations,
            Phase::Release => releases,
        };
        details.retain(|detail| {
            let slot = slots.get(usize::from(detail.place));
            detail.phase != phase || !slot.is_some_and(|slot| slot.has_failed())
        });
        for slot in slots.iter_mut().filter(|slot| slot.has_failed()) {
            *slot = Slot::Open;
        }
    }

    pub(crate) fn give_up(&mut self) {
        for phase in [Phase::Activation, Phase::Release] {
            for place in 0..self.len() {
                if self.slots(phase).get(place) == Some(&Slot::Open) {
                    self.close(phase, place, Status::Failed, Some(Code::GivenUp), None);
                }
            }
        }
    }

    fn close(
        &mut self,
        phase: Phase,
        place: usize,
        status: Status,
        code: Option<Code>,
        message: Option<Box<str>>,
    ) {
        let slots = match phase {
            Phase::Activation => &mut self.activations,
            Phase::Release => &mut self.releases,
        };
        let (Some(slot), Ok(small_place)) = (slots.get_mut(place), u16::try_from(place)) else {
            return;
        };
        if *slot != Slot::Open {
            self.details.retain(|d| (d.phase, d.place) != (phase, small_place));
        }
        *slot = Slot::Closed(status);
        if let Some(code) = code {
            self.details.push(Detail { phase, place: small_place, code, message });
        }
    }
}

/// How many slots of a chunk have no outcome, by phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSlots {
    /// Of the activations.
    pub activations: u32,
    /// Of the releases.
    pub releases: u32,
}

impl OpenSlots {
    /// Of one phase.
    #[must_use]
    pub const fn of(self, phase: Phase) -> u32 {
        match phase {
            Phase::Activation => self.activations,
            Phase::Release => self.releases,
        }
    }

    /// Of both.
    #[must_use]
    pub const fn all(self) -> u32 {
        self.activations.saturating_add(self.releases)
    }
}

/// The numbers of a campaign's chunks that are lost, in order.
///
/// `ends` holds every chunk that is stored by its number, and the place behind its last shop;
/// `None` where that cannot be read.
///
/// 1. Chunks are numbered from 0 without a gap. A number below the highest that is not stored is
///    lost.
/// 2. If the chunks hold fewer shops than the campaign, the number behind the highest is lost, too.
///    More may be lost behind it; their numbers are not known.
/// 3. Every chunk holds a shop, so a number of `shops` or more is not of this campaign.
#[must_use]
pub fn lost_chunks(shops: u32, ends: &BTreeMap<u32, Option<u32>>) -> Vec<u32> {
    let highest = ends.range(..shops).next_back();
    let next = highest.map_or(0, |(number, _)| number + 1);
    let end = highest.map_or(Some(0), |(_, end)| *end);
    let is_last_lost = end.is_some_and(|end| end < shops);
    let gaps = (0..next).filter(|number| !ends.contains_key(number));
    gaps.chain(is_last_lost.then_some(next)).collect()
}

/// What a chunk lacks until its campaign is cleanly over there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Activations and releases without an outcome.
    pub open: u32,
    /// Releases that were rejected or given up.
    pub unreleased: u32,
}

/// How many shops have which outcome in one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Without an outcome.
    pub open: u32,
    /// By [`Status`], in the order of [`Status::ALL`].
    pub closed: [u32; Status::ALL.len()],
}

impl Tally {
    /// Counts slots.
    pub fn add(&mut self, slots: &[Slot]) {
        for slot in slots {
            match slot {
                Slot::Idle => {}
                Slot::Open => self.open += 1,
                Slot::Closed(status) => {
                    if let Some(count) = self.closed.get_mut(*status as usize) {
                        *count += 1;
                    }
                }
            }
        }
    }

    /// How many have this outcome.
    #[must_use]
    pub fn of(&self, status: Status) -> u32 {
        self.closed.get(status as usize).copied().unwrap_or_default()
    }

    /// How many have an outcome.
    #[must_use]
    pub fn answered(&self) -> u32 {
        self.closed.iter().sum()
    }

    /// The outcomes that there are, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u32)> + '_ {
        Status::ALL.into_iter().map(|status| (status, self.of(status))).filter(|(_, n)| 0 < *n)
    }
}
