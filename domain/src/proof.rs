//! What receipts prove about a campaign's requests, and whether outcomes agree with the proof.

use crate::chunk::Slot;
use crate::correlation::Phase;
use crate::outcome::{Code, Outcome, Status};

/// What the kept receipts say about one request of a campaign in all its attempts. The request is
/// the activation of one shop or its release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The request's status when it took effect.
    effect: Option<Status>,
    /// The same status, as a repeat was answered with it.
    repeated: Option<Status>,
    /// How often the request took effect. It must not be more than once, unless a command released
    /// the cause.
    effects: u8,
    /// The answers to the request.
    answers: Answers,
    /// Whether a record with the request's id was rejected because it did not agree with the
    /// campaign as it was stored at that time.
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
    /// How often a command released the cause at the shop, by the kept receipts.
    pub commands: u32,
}

/// Whether an outcome agrees with the receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The outcome agrees.
    Agrees,
    /// The kept receipts do not say enough.
    Unproved,
    /// The outcome is the answer to a record that did not agree with the campaign as it was stored
    /// at that time.
    Foreign,
    /// The outcome differs.
    Differs,
}

impl Proof {
    /// Adds an outcome from a receipt.
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
        // If a release comes after its released cause was dropped, it is unchanged once more.
        let is_late_release =
            phase == Phase::Release && 0 < self.effects && status == Status::Unchanged;
        if took_effect && !is_late_release {
            self.effect = self.effect.or(Some(status));
            self.effects = self.effects.saturating_add(1);
        }
    }

    /// How often the request took effect, and its status the first time.
    #[must_use]
    pub const fn effects(self) -> (u8, Option<Status>) {
        (self.effects, self.effect)
    }

    /// Judges an outcome. If several rules apply, the first counts.
    ///
    /// 1. The request may take effect once, and once more after each release by command. If it took
    ///    effect more often, the outcome differs.
    /// 2. An open outcome, and an outcome that an operator gave up, always agree.
    /// 3. `applied` and `unchanged` agree if a receipt of the request, or of a repeat, has the same
    ///    status. Otherwise the outcome differs if a receipt has any other answer, and is unproved
    ///    if there is no answer.
    /// 4. `superseded` agrees if the campaign is over, if a command released the cause, or if a
    ///    receipt says `superseded`. Otherwise it differs if the request took effect, and is
    ///    unproved if the request did not.
    /// 5. `expired`, and the request took effect: it differs if no receipt says `expired`.
    ///    Otherwise it agrees if the campaign is over or a command released the cause, and is
    ///    unproved if neither is known.
    /// 6. `rejected` differs if the request took effect. Otherwise `rejected` and `expired` agree
    ///    if a receipt has any answer to the request. If only records that did not agree with the
    ///    campaign were rejected, `rejected` is the answer to such a record. In all other cases the
    ///    outcome is unproved.
    /// 7. A release for which the campaign did not ask differs if it changed a radius, and agrees
    ///    if it changed none.
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
        // Another campaign's activation, or a command, may have released the cause before. Then the
        // request itself may have come after the released cause was dropped, and both its own
        // status and the status of a repeat are true.
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

/// Whether a record did not agree with the campaign of its id, as the campaign was stored at that
/// time. Such a record proves nothing about the campaign's own request.
///
/// If the database had no such campaign, nobody knows whose request the record was: a campaign's
/// own requests are rejected, too, while its row is lost. So `unknown_campaign` counts like every
/// other answer.
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
