//! What a request must agree with: the campaign that it names, as the database has it, and the
//! revisions that the database gave out.

use std::fmt;

use crate::correlation::{Attempt, Nonce, Phase, Ticket};
use crate::outcome::{Code, Status};
use crate::radius::Limit;
use crate::request::{Change, Replaced, Request};
use crate::revision::{CampaignRef, Revision};
use crate::time::Deadline;
use crate::trigger::TriggerKind;

/// What the requests of a campaign must agree with.
///
/// Attempt and deadline only rise, a campaign that is ending never goes back, and nothing else of
/// this ever changes. So a request that agreed when it was made agrees for ever, but for the
/// activations of a campaign that is ended meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignTerms {
    /// The random number in every request id of it.
    pub nonce: Nonce,
    /// How many shops its list has.
    pub shops: u32,
    /// Why.
    pub kind: TriggerKind,
    /// How far the shops deliver at most.
    pub limit: Limit,
    /// The campaign whose place it takes.
    pub replaces: Option<Replaced>,
    /// The present attempt.
    pub attempt: Attempt,
    /// The deadline of the present attempt: the newest there was.
    pub deadline: Deadline,
    /// Whether the campaign was ended: its activations do not count any more.
    pub is_ending_or_ended: bool,
}

/// A campaign that the database has, as a batch is judged by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedCampaign {
    /// Its name.
    pub name: CampaignRef,
    /// What its requests must agree with, or why that cannot be read.
    pub terms: Result<CampaignTerms, Box<str>>,
}

/// Why a request may not take effect, whatever is in force at its shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Rejected or superseded.
    pub status: Status,
    /// Why.
    pub code: Code,
    /// More than the code's own message.
    pub detail: Option<Box<str>>,
}

/// Checks that the id of a campaign's request is of that campaign, and of a request of that phase.
/// Nothing is answered under another id, not even a repeat: the answer would be taken for that of
/// the request that has the id.
///
/// # Errors
///
/// When the id is of another campaign or another phase, or of no campaign.
pub fn check_id(request: &Request) -> Result<(), Disagreement> {
    read_ticket(request).map(drop)
}

/// Checks a request against the campaign that it names and against the newest revision that the
/// database gave out. What a shop holds already is a repeat, and is not refused for this.
///
/// 1. A base radius has a revision that the database gave out, or it is rejected.
/// 2. A request of a campaign that the database does not have, or that cannot be read, is
///    rejected.
/// 3. Its id is one that this campaign gives: it has the campaign's revision and random number,
///    the phase that the request is of, the present attempt or an earlier one, and a place in the
///    campaign's list. Otherwise it is rejected.
/// 4. An activation asks for what the campaign wants: the same kind and limit, and the same
///    campaign whose place it takes. Otherwise it is rejected.
/// 5. Its deadline is the campaign's. That of an attempt before the present one may be earlier.
///    Otherwise it is rejected: a request that expires too early would be told as the truth.
/// 6. An activation of a campaign that is ending or ended is superseded.
/// 7. A release of a campaign that is neither is rejected.
///
/// # Errors
///
/// When the request is refused by these rules.
pub fn check_request(
    request: &Request,
    campaign: Option<&LoadedCampaign>,
    newest: Revision,
) -> Result<(), Disagreement> {
    match request.change {
        Change::SetBase { revision, .. } if newest < revision => Err(Disagreement {
            status: Status::Rejected,
            code: Code::UnknownRevision,
            detail: Some(
                format!("revision {revision} was never given out; {newest} is the newest that was")
                    .into(),
            ),
        }),
        Change::Activate { kind, limit, deadline, replaces, .. } => {
            let stored = Stored::of(campaign)?;
            let attempt = stored.check_ticket(request)?;
            stored.check_same("kind", kind, stored.terms.kind)?;
            stored.check_same("limit", limit, stored.terms.limit)?;
            stored.check_replaces(replaces)?;
            stored.check_deadline(attempt, deadline)?;
            stored.check_is_not_over()
        }
        Change::Release { deadline, .. } => {
            let stored = Stored::of(campaign)?;
            let attempt = stored.check_ticket(request)?;
            stored.check_deadline(attempt, deadline)?;
            stored.check_is_over()
        }
        Change::SetBase { .. } | Change::ActivateKind { .. } | Change::ReleaseKind { .. } => Ok(()),
    }
}

/// A campaign that can be read.
#[derive(Clone, Copy)]
struct Stored<'a> {
    revision: Revision,
    terms: &'a CampaignTerms,
}

impl<'a> Stored<'a> {
    fn of(campaign: Option<&'a LoadedCampaign>) -> Result<Self, Disagreement> {
        let rejected = |code, detail| Disagreement { status: Status::Rejected, code, detail };
        let Some(campaign) = campaign else { return Err(rejected(Code::UnknownCampaign, None)) };
        match &campaign.terms {
            Ok(terms) => Ok(Self { revision: campaign.name.revision, terms }),
            Err(what) => Err(rejected(Code::BadData, Some(what.clone()))),
        }
    }

    /// Returns the attempt that the request is of. The random number is not told: who knows it can
    /// write requests that look right.
    fn check_ticket(self, request: &Request) -> Result<Attempt, Disagreement> {
        let CampaignTerms { nonce, shops, attempt, .. } = self.terms;
        let Some(ticket) = read_ticket(request)? else { return Ok(Attempt::FIRST) };
        if ticket.nonce != *nonce {
            return Err(self.differs(format_args!("`id` has another random number")));
        }
        if ticket.attempt < Attempt::FIRST || *attempt < ticket.attempt {
            let (of, newest) = (ticket.attempt.0, attempt.0);
            return Err(
                self.differs(format_args!("`id` is of attempt {of}, and the newest is {newest}"))
            );
        }
        if *shops <= ticket.index {
            let place = ticket.index;
            return Err(
                self.differs(format_args!("`id` is of place {place} in a list of {shops} shops"))
            );
        }
        Ok(ticket.attempt)
    }

    fn check_same<T: Copy + PartialEq + fmt::Display>(
        self,
        field: &str,
        asked: T,
        stored: T,
    ) -> Result<(), Disagreement> {
        if asked == stored {
            return Ok(());
        }
        Err(self.differs(format_args!("`{field}` is {asked}, and the campaign's is {stored}")))
    }

    fn check_replaces(self, asked: Option<Replaced>) -> Result<(), Disagreement> {
        let stored = self.terms.replaces;
        if asked == stored {
            return Ok(());
        }
        let (asked, stored) = (Named(asked), Named(stored));
        Err(self.differs(format_args!("`replaces` is {asked}, and the campaign's is {stored}")))
    }

    fn check_deadline(self, attempt: Attempt, asked: Deadline) -> Result<(), Disagreement> {
        let stored = self.terms.deadline;
        if asked == stored || asked < stored && attempt < self.terms.attempt {
            return Ok(());
        }
        let (how, [before, after]) =
            if asked < stored { ("earlier", [asked, stored]) } else { ("later", [stored, asked]) };
        let millis = after.instant().saturating_since(before.instant()).as_millis();
        Err(self.differs(format_args!("`deadline` is {millis} ms {how} than the campaign's")))
    }

    const fn check_is_not_over(self) -> Result<(), Disagreement> {
        if self.terms.is_ending_or_ended {
            let (status, code) = (Status::Superseded, Code::CampaignEnded);
            return Err(Disagreement { status, code, detail: None });
        }
        Ok(())
    }

    fn check_is_over(self) -> Result<(), Disagreement> {
        if self.terms.is_ending_or_ended {
            return Ok(());
        }
        Err(self.differs(format_args!("this is a release, and the campaign was not ended")))
    }

    #[cold]
    fn differs(self, how: fmt::Arguments<'_>) -> Disagreement {
        differs(self.revision, how)
    }
}

/// What the id of a request says, where it is of a campaign.
fn read_ticket(request: &Request) -> Result<Option<Ticket>, Disagreement> {
    let (campaign, phase) = match request.change {
        Change::Activate { campaign, .. } => (campaign.revision, Phase::Activation),
        Change::Release { campaign, .. } => (campaign.revision, Phase::Release),
        Change::SetBase { .. } | Change::ActivateKind { .. } | Change::ReleaseKind { .. } => {
            return Ok(None);
        }
    };
    let Some(ticket) = Ticket::read(request.id) else {
        return Err(differs(campaign, format_args!("`id` has not the form of a campaign's")));
    };
    if ticket.revision != campaign {
        return Err(differs(campaign, format_args!("`id` is of campaign {}", ticket.revision)));
    }
    if ticket.phase != phase {
        let (of, is) = (ticket.phase.as_str(), phase.as_str());
        let how = format_args!("`id` is of a {of}, and the request is a {is}");
        return Err(differs(campaign, how));
    }
    Ok(Some(ticket))
}

#[cold]
fn differs(campaign: Revision, how: fmt::Arguments<'_>) -> Disagreement {
    let detail = format!("the request differs from campaign {campaign}: {how}");
    let (status, code) = (Status::Rejected, Code::CampaignDiffers);
    Disagreement { status, code, detail: Some(detail.into()) }
}

/// A campaign whose place another takes, for people.
struct Named(Option<Replaced>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Replaced { campaign, deadline }) = self.0 else {
            return f.write_str("no campaign");
        };
        let until = deadline.instant().millis();
        write!(f, "campaign {} ({}) with deadline {until} ms", campaign.revision, campaign.id)
    }
}
