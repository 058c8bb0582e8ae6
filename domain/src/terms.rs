//! A request must agree with the stored campaign that it names, and with the revisions that the
//! database gave out.

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
/// Attempt and deadline only rise. A campaign that is ending never becomes active again. Nothing
/// else here ever changes. So a request that agreed when it was made agrees for ever, with one
/// exception: after the campaign's end, its activations do not agree any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignTerms {
    /// The random number in every request id of the campaign.
    pub nonce: Nonce,
    /// How many shops the campaign's list has.
    pub shops: u32,
    /// Why the campaign limits the shops.
    pub kind: TriggerKind,
    /// How far the shops deliver at most.
    pub limit: Limit,
    /// The campaign that this campaign replaces.
    pub replaces: Option<Replaced>,
    /// The present attempt.
    pub attempt: Attempt,
    /// The deadline of the present attempt, which is the latest of all attempts.
    pub deadline: Deadline,
    /// Whether the campaign was ended. Then its activations do not count any more.
    pub is_ending_or_ended: bool,
}

/// A campaign that the database has, with its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedCampaign {
    /// Its name.
    pub name: CampaignRef,
    /// Its terms, or why they cannot be read.
    pub terms: Result<CampaignTerms, Box<str>>,
}

/// Why a request may not take effect, whatever is in force at its shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Rejected or superseded.
    pub status: Status,
    /// The reason.
    pub code: Code,
    /// A message that says more than the code's own message.
    pub detail: Option<Box<str>>,
}

/// Checks that the id of a campaign's request belongs to that campaign and to the request's phase.
/// If it does not, the request is rejected even if it is a repeat: its answer would be taken for
/// the answer to the request that really has the id.
///
/// # Errors
///
/// When the id belongs to another campaign, to another phase or to no campaign.
pub fn check_id(request: &Request) -> Result<(), Disagreement> {
    read_ticket(request).map(drop)
}

/// Compares a request with the campaign that it names and with the newest revision that the
/// database gave out. A repeat is not refused by these rules ([`judge`](crate::judge())).
///
/// 1. If the database never gave out the revision of a base radius, the request is rejected.
/// 2. If the database does not have the request's campaign, or cannot read it, the request is
///    rejected.
/// 3. The id must be an id that this campaign makes. It must have the campaign's revision and
///    random number, the request's phase, the present attempt or an earlier one, and a place in
///    the campaign's list. Otherwise the request is rejected.
/// 4. An activation must have the campaign's kind and limit, and must replace the same campaign.
///    Otherwise it is rejected.
/// 5. The deadline must be the campaign's deadline. In an earlier attempt it may be earlier.
///    Otherwise the request is rejected: if its deadline were too early, it could expire, and that
///    outcome would be recorded as true.
/// 6. If the campaign is ending or ended, an activation is superseded.
/// 7. If the campaign is neither ending nor ended, a release is rejected.
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
                format!("revision {revision} was never given out: the newest revision is {newest}")
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

    /// Returns the attempt of the request. No message names the random number: anybody who knows it
    /// can write requests that look right.
    fn check_ticket(self, request: &Request) -> Result<Attempt, Disagreement> {
        let CampaignTerms { nonce, shops, attempt, .. } = self.terms;
        let Some(ticket) = read_ticket(request)? else { return Ok(Attempt::FIRST) };
        if ticket.nonce != *nonce {
            return Err(self.differs(format_args!("`id` has another random number")));
        }
        if ticket.attempt < Attempt::FIRST || *attempt < ticket.attempt {
            let (of, newest) = (ticket.attempt.0, attempt.0);
            return Err(
                self.differs(format_args!("`id` has attempt {of}, but the newest is {newest}"))
            );
        }
        if *shops <= ticket.index {
            let place = ticket.index;
            return Err(
                self.differs(format_args!("`id` has place {place} in a list of {shops} shops"))
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
        Err(self.differs(format_args!("`{field}` is {asked}, but the campaign's is {stored}")))
    }

    fn check_replaces(self, asked: Option<Replaced>) -> Result<(), Disagreement> {
        let stored = self.terms.replaces;
        if asked == stored {
            return Ok(());
        }
        let (asked, stored) = (Named(asked), Named(stored));
        Err(self.differs(format_args!("`replaces` is {asked}, but the campaign's is {stored}")))
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
        Err(self.differs(format_args!("this is a release, but the campaign was not ended")))
    }

    #[cold]
    fn differs(self, how: fmt::Arguments<'_>) -> Disagreement {
        differs(self.revision, how)
    }
}

/// What the id of a campaign's request says; `None` for a request without a campaign.
fn read_ticket(request: &Request) -> Result<Option<Ticket>, Disagreement> {
    let (campaign, phase) = match request.change {
        Change::Activate { campaign, .. } => (campaign.revision, Phase::Activation),
        Change::Release { campaign, .. } => (campaign.revision, Phase::Release),
        Change::SetBase { .. } | Change::ActivateKind { .. } | Change::ReleaseKind { .. } => {
            return Ok(None);
        }
    };
    let Some(ticket) = Ticket::read(request.id) else {
        let how = format_args!("`id` does not have the form of a campaign's request id");
        return Err(differs(campaign, how));
    };
    if ticket.revision != campaign {
        let how = format_args!("`id` belongs to campaign {}", ticket.revision);
        return Err(differs(campaign, how));
    }
    if ticket.phase != phase {
        let (of, is) = (ticket.phase.as_str(), phase.as_str());
        let how = format_args!("`id` belongs to phase {of}, but the request is of phase {is}");
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

/// A replaced campaign, as a message names it.
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
