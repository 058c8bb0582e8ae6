//! What receipts prove of a campaign's requests, and whether outcomes agree with that.

use crate::chunk::Slot;
use crate::correlation::Phase;
use crate::outcome::{Code, Outcome, Status};

/// What the receipts that are kept say of one request of a campaign, over all of its attempts: the
/// activation of one shop, or its release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// What it did when it took effect.
    effect: Option<Status>,
    /// What a repeat says that it did when it took effect.
    repeated: Option<Status>,
    /// How often it took effect: more than once must never be, unless a command released it.
    effects: u8,
    /// Which answers it was given.
    answers: Answers,
    /// A record that had its id, and was no request of the campaign as it was stored then, was
    /// rejected.
    is_foreign_rejected: bool,
}

/// A set of statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answers(u8);

impl Answers {
    const fn add(&mut self, status: Status) {
        self.0 |= 1 << status as u8;
    }

    const fn has(self, status: Status) -> bool {
        self.0 & 1 << status as u8 != 0
    }
}

/// How a campaign's cause may have ended at a shop, other than by the request that is audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CauseEnds {
    /// The campaign was ended or replaced.
    pub is_over: bool,
    /// How often a command released it at the shop, by the receipts that are kept.
    pub commands: u32,
}

/// Whether an outcome agrees with the receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Agrees,
    /// No receipt that is kept says enough.
    Unproved,
    /// It is the answer to a record that was no request of the campaign as it was stored then.
    Foreign,
    /// It does not.
    Differs,
}

impl Proof {
    /// Adds an outcome that a receipt tells of.
    pub fn add(&mut self, phase: Phase, outcome: &Outcome) {
        let Outcome { status, repeat, .. } = *outcome;
        if is_of_others(outcome) {
            self.is_foreign_rejected = true;
            return;
        }
        self.answers.add(status);
        if status.took_effect() && repeat {
            self.repeated = self.repeated.or(Some(status));
        }
        let took_effect = status.took_effect() && !repeat;
        // A release that comes after its released cause was dropped is unchanged again.
        let is_late_release =
            phase == Phase::Release && 0 < self.effects && status == Status::Unchanged;
        if took_effect && !is_late_release {
            self.effect = self.effect.or(Some(status));
            self.effects = self.effects.saturating_add(1);
        }
    }

    /// How often the request took effect, and what it did the first time.
    #[must_use]
    pub const fn effects(self) -> (u8, Option<Status>) {
        (self.effects, self.effect)
    }

    /// Judges an outcome. Of several rules the first counts.
    ///
    /// 1. It differs if the request took effect more often than once and once more for each
    ///    release by command.
    /// 2. No outcome, and one that an operator gave up, say nothing that could be wrong.
    /// 3. `applied` and `unchanged`: a receipt of the request, or of a repeat, says the same. If no
    ///    receipt says that it took effect, the outcome differs if a receipt tells another answer,
    ///    and is unproved otherwise.
    /// 4. `superseded`: the campaign is over, a command released it, or a receipt says the same.
    ///    Otherwise it differs if the request took effect, and is unproved if not.
    /// 5. `expired`: as `rejected`, if the request did not take effect. If it did, a command must
    ///    have released it since, or the campaign must be over; if no receipt tells of that, the
    ///    outcome is unproved if a receipt says `expired`, and differs if none does.
    /// 6. `rejected`: it differs if the request took effect. Otherwise it agrees if any receipt
    ///    tells of the request. If receipts tell of foreign records only, it is the answer to one.
    ///    If there is none at all, it is unproved.
    /// 7. A release that was not asked for: it differs if it changed a radius. One that changed
    ///    none does not count, whoever sent it.
    #[must_use]
    pub fn judge(self, phase: Phase, slot: Slot, ends: CauseEnds) -> Verdict {
        let is_ended = ends.is_over || 0 < ends.commands;
        let took_effect = self.effect.is_some();
        if ends.commands.saturating_add(1) < u32::from(self.effects) {
            return Verdict::Differs;
        }
        match slot {
            Slot::Open | Slot::Closed(Status::Failed) => Verdict::Agrees,
            Slot::Closed(status @ (Status::Applied | Status::Unchanged)) => {
                self.judge_effect(phase, status)
            }
            Slot::Closed(Status::Superseded) => {
                if is_ended || self.answers.has(Status::Superseded) {
                    Verdict::Agrees
                } else if took_effect {
                    Verdict::Differs
                } else {
                    Verdict::Unproved
                }
            }
            Slot::Closed(Status::Expired) if took_effect => {
                if !self.answers.has(Status::Expired) {
                    Verdict::Differs
                } else if is_ended {
                    Verdict::Agrees
                } else {
                    Verdict::Unproved
                }
            }
            Slot::Closed(Status::Rejected) if took_effect => Verdict::Differs,
            Slot::Closed(Status::Rejected | Status::Expired) => {
                if self.answers != Answers::default() {
                    Verdict::Agrees
                } else if self.is_foreign_rejected && slot == Slot::Closed(Status::Rejected) {
                    Verdict::Foreign
                } else {
                    Verdict::Unproved
                }
            }
            Slot::Idle => {
                let is_changed = self.effect == Some(Status::Applied);
                if is_changed { Verdict::Differs } else { Verdict::Agrees }
            }
        }
    }

    fn judge_effect(self, phase: Phase, status: Status) -> Verdict {
        // If another campaign's activation or a command was the release, the request itself may
        // have come after the released cause was dropped. Then both say something true.
        let is_told = match phase {
            Phase::Activation => self.effect.or(self.repeated) == Some(status),
            Phase::Release => [self.effect, self.repeated].contains(&Some(status)),
        };
        if is_told {
            Verdict::Agrees
        } else if self.answers == Answers::default() {
            Verdict::Unproved
        } else {
            Verdict::Differs
        }
    }
}

/// Whether a record was no request of the campaign whose id it had, as the campaign was stored then.
/// Such a record proves nothing of the campaign's own request.
///
/// Where the database had no such campaign, nobody knows whose request it was: a campaign's own
/// requests are rejected, too, while its row is lost. That is an answer like every other.
const fn is_of_others(outcome: &Outcome) -> bool {
    matches!(
        outcome.code,
        Some(
            Code::Unreadable
                | Code::UnknownType
                | Code::WrongLane
                | Code::ReservedId
                | Code::CampaignDiffers
        )
    )
}
