//! A request must agree with its campaign: every rule, and the property against a naive version.

use std::time::Duration;

use catchment_domain::{
    Attempt, Campaign, CampaignState, Change, Code, Deadline, Disagreement, Nonce, Phase, Replaced,
    Request, RequestId, Revision, Status, Ticket, Timestamp, check_request,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::requests::{begun, campaign as name};

const NEWEST: Revision = Revision(9);

fn at(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

/// Campaign 7 over 10 shops, in its second attempt, with deadline 200. It replaces campaign 6.
fn campaign(state: CampaignState) -> Campaign {
    let replaces = Some(Replaced { campaign: name(6), deadline: at(50) });
    let kind = "bad_weather".parse().unwrap();
    let (attempt, deadline) = (Attempt(2), at(200));
    Campaign { kind, replaces, attempt, deadline, state, ..begun(7, 10) }
}

const SENDING: CampaignState = CampaignState::Sending { open: 10 };
const ENDING: CampaignState = CampaignState::Ending { open: 10 };

/// The request of a campaign in an attempt at a place of its list.
fn request(campaign: &Campaign, phase: Phase, (attempt, index): (u16, u32), until: i64) -> Request {
    let &Campaign { name, kind, limit, nonce, replaces, .. } = campaign;
    let deadline = at(until);
    let change = match phase {
        Phase::Activation => Change::Activate { campaign: name, kind, limit, deadline, replaces },
        Phase::Release => Change::Release { campaign: name, deadline },
    };
    let ticket = Ticket { revision: name.revision, phase, attempt: Attempt(attempt), index, nonce };
    Request { id: ticket.id(), shop: "shop".parse().unwrap(), change }
}

fn check(campaign: &Campaign, request: &Request) -> Result<(), Disagreement> {
    check_request(request, Some(&campaign.loaded()), NEWEST)
}

/// Checks that the request is rejected, and that the message has the campaign and these words.
#[track_caller]
fn check_differs(campaign: &Campaign, request: &Request, why: &str) {
    let Disagreement { status, code, detail } = check(campaign, request).unwrap_err();
    assert_eq!((status, code), (Status::Rejected, Code::CampaignDiffers));
    let detail = detail.unwrap();
    assert!(detail.starts_with("the request differs from campaign 7: "), "{detail}");
    assert!(detail.contains(why), "{detail}");
}

#[test]
fn requests_of_any_attempt_so_far_agree_at_any_place_of_the_list() {
    let (sending, ending) = (campaign(SENDING), campaign(ENDING));
    for (attempt, index, until) in [(1, 0, 100), (2, 9, 200), (1, 0, 0), (1, 9, 200)] {
        let place = (attempt, index);
        for state in [SENDING, CampaignState::Settled] {
            let campaign = campaign(state);
            assert_eq!(
                check(&campaign, &request(&campaign, Phase::Activation, place, until)),
                Ok(())
            );
        }
        for state in [ENDING, CampaignState::Ended] {
            let campaign = campaign(state);
            assert_eq!(check(&campaign, &request(&campaign, Phase::Release, place, until)), Ok(()));
        }
    }
    // A replaced campaign is not over before it is ended.
    let replaced = Campaign { replaced_by: Some(Revision(8)), ..sending.clone() };
    assert_eq!(check(&replaced, &request(&sending, Phase::Activation, (1, 3), 100)), Ok(()));
    // A request from before a retry, or from before a repair, still agrees after it.
    let retried = Campaign { attempt: Attempt(3), deadline: at(300), ..sending.clone() };
    assert_eq!(check(&retried, &request(&sending, Phase::Activation, (2, 3), 200)), Ok(()));
    let mended = ending.clone().mended(&[]);
    assert_eq!(check(&mended, &request(&ending, Phase::Release, (2, 3), 200)), Ok(()));
}

#[test]
fn a_forged_activation_of_a_real_campaign_is_rejected_with_what_differs() {
    let campaign = campaign(SENDING);
    let good = request(&campaign, Phase::Activation, (2, 3), 200);
    let with = |alter: fn(&mut Change)| {
        let mut request = good.clone();
        alter(&mut request.change);
        request
    };
    for (request, why) in [
        (
            with(|change| {
                let Change::Activate { kind, .. } = change else { return };
                *kind = "manual".parse().unwrap();
            }),
            "`kind` is manual, but the campaign's is bad_weather",
        ),
        (
            with(|change| {
                let Change::Activate { limit, .. } = change else { return };
                *limit = "closed".parse().unwrap();
            }),
            "`limit` is closed, but the campaign's is 3 km",
        ),
        (
            with(|change| {
                let Change::Activate { replaces, .. } = change else { return };
                *replaces = None;
            }),
            "`replaces` is no campaign, but the campaign's is campaign 6",
        ),
        (
            with(|change| {
                let Change::Activate { replaces: Some(replaces), .. } = change else { return };
                replaces.campaign = name(5);
            }),
            "`replaces` is campaign 5",
        ),
        (
            with(|change| {
                let Change::Activate { replaces: Some(replaces), .. } = change else { return };
                replaces.deadline = at(1_000);
            }),
            "with deadline 1000 ms, but the campaign's is campaign 6",
        ),
        (
            with(|change| {
                let Change::Activate { deadline, .. } = change else { return };
                *deadline = at(201);
            }),
            "`deadline` is 1 ms later than the campaign's",
        ),
        // Otherwise a forged request could expire before the true one, and that outcome would count.
        (
            with(|change| {
                let Change::Activate { deadline, .. } = change else { return };
                *deadline = at(100);
            }),
            "`deadline` is 100 ms earlier than the campaign's",
        ),
    ] {
        check_differs(&campaign, &request, why);
    }
}

#[test]
fn a_request_under_an_id_that_its_campaign_never_gave_is_rejected() {
    for (campaign, phase, other) in [
        (campaign(SENDING), Phase::Activation, Phase::Release),
        (campaign(ENDING), Phase::Release, Phase::Activation),
    ] {
        let good = request(&campaign, phase, (2, 3), 200);
        let ticket = Ticket::read(good.id).unwrap();
        let random = RequestId(Uuid::from_u128(7 << 76 | 2 << 62));
        for (id, why) in [
            (random, "`id` does not have the form of a campaign's request id"),
            (Ticket { revision: Revision(8), ..ticket }.id(), "`id` belongs to campaign 8"),
            (Ticket { nonce: Nonce::from_random(43), ..ticket }.id(), "another random number"),
            (Ticket { phase: other, ..ticket }.id(), "but the request is of phase"),
            (Ticket { attempt: Attempt(3), ..ticket }.id(), "attempt 3, but the newest is 2"),
            (Ticket { attempt: Attempt(0), ..ticket }.id(), "attempt 0, but the newest is 2"),
            (Ticket { index: 10, ..ticket }.id(), "place 10 in a list of 10 shops"),
        ] {
            let request = Request { id, ..good.clone() };
            check_differs(&campaign, &request, why);
            let told = check(&campaign, &request).unwrap_err().detail.unwrap();
            assert!(!told.contains("42"), "the random number is told: {told}");
        }
    }
}

#[test]
fn an_activation_of_a_campaign_that_is_over_is_superseded_and_a_release_before_that_rejected() {
    for state in [ENDING, CampaignState::Ended] {
        let campaign = campaign(state);
        let disagreement = check(&campaign, &request(&campaign, Phase::Activation, (2, 3), 200));
        let disagreement = disagreement.unwrap_err();
        assert_eq!(
            (disagreement.status, disagreement.code, disagreement.detail),
            (Status::Superseded, Code::CampaignEnded, None)
        );
    }
    for state in [SENDING, CampaignState::Settled] {
        let campaign = campaign(state);
        let release = request(&campaign, Phase::Release, (2, 3), 200);
        check_differs(&campaign, &release, "the campaign was not ended");
    }
    let ending = campaign(ENDING);
    let longer = request(&ending, Phase::Release, (2, 3), 1_200);
    check_differs(&ending, &longer, "`deadline` is 1000 ms later than the campaign's");
    let shorter = request(&ending, Phase::Release, (2, 3), 199);
    check_differs(&ending, &shorter, "`deadline` is 1 ms earlier than the campaign's");
}

#[test]
fn a_base_radius_needs_a_revision_that_was_given_out() {
    let set_base = |revision| Request {
        id: RequestId(Uuid::from_u128(1)),
        shop: "shop".parse().unwrap(),
        change: Change::SetBase {
            revision: Revision(revision),
            radius: 3_000_u32.try_into().unwrap(),
            deadline: None,
        },
    };
    for revision in [1, 8, 9] {
        assert_eq!(check_request(&set_base(revision), None, NEWEST), Ok(()));
    }
    // The second number is a Unix time in ms, and the last is the highest possible revision.
    for revision in [10, 1_796_000_000_000, Revision::MAX.0] {
        let disagreement = check_request(&set_base(revision), None, NEWEST).unwrap_err();
        assert_eq!(
            (disagreement.status, disagreement.code),
            (Status::Rejected, Code::UnknownRevision)
        );
        let expected = format!("revision {revision} was never given out: the newest revision is 9");
        assert_eq!(disagreement.detail.as_deref(), Some(&*expected));
    }
}

#[test]
fn a_campaign_that_cannot_be_read_rejects_its_own_requests() {
    let campaign = campaign(SENDING);
    let request = request(&campaign, Phase::Activation, (2, 3), 200);
    let mut damaged = campaign.loaded();
    damaged.terms = Err("campaign.kind".into());
    let disagreement = check_request(&request, Some(&damaged), NEWEST).unwrap_err();
    assert_eq!((disagreement.status, disagreement.code), (Status::Rejected, Code::BadData));
    assert_eq!(disagreement.detail.as_deref(), Some("campaign.kind"));
    let disagreement = check_request(&request, None, NEWEST).unwrap_err();
    assert_eq!((disagreement.status, disagreement.code), (Status::Rejected, Code::UnknownCampaign));
}

/// If RFC 3339 could not express a deadline, it would not come back as it was stored, and every
/// request of the campaign would differ.
#[test]
fn a_campaigns_deadline_can_be_said_in_rfc_3339() {
    let ages = Duration::from_secs(u64::MAX / 1_000);
    let deadline = Deadline::of_attempt(Timestamp::from_millis(0), Deadline::MIN, ages);
    assert_eq!(deadline, Deadline::LAST);
    assert_eq!(deadline.instant().millis(), 253_402_300_799_999);
}

/// Every request that the campaign may have sent so far, written out one by one.
fn sent(campaign: &Campaign) -> Vec<Request> {
    let phases = [Phase::Activation, Phase::Release].into_iter().filter(|phase| {
        *phase == Phase::Activation
            || matches!(campaign.state, CampaignState::Ending { .. } | CampaignState::Ended)
    });
    let attempts = || 1..=campaign.attempt.0;
    let all = phases.flat_map(|phase| {
        attempts().flat_map(move |attempt| {
            (0..campaign.shops).flat_map(move |index| {
                // The deadlines of older attempts are not stored, so every earlier one is possible.
                let newest = campaign.deadline.instant().millis();
                let first = if attempt == campaign.attempt.0 { newest } else { 0 };
                (first..=newest).map(move |until| request(campaign, phase, (attempt, index), until))
            })
        })
    });
    all.collect()
}

fn any_campaign() -> impl Strategy<Value = Campaign> {
    let state =
        prop::sample::select(vec![SENDING, CampaignState::Settled, ENDING, CampaignState::Ended]);
    (state, 1_u16..4, 1_u32..4, 0_i64..4, any::<bool>()).prop_map(
        |(state, attempt, shops, until, replaces)| {
            let campaign = campaign(state);
            let replaces = campaign.replaces.filter(|_| replaces);
            let (attempt, deadline) = (Attempt(attempt), at(until));
            Campaign { attempt, shops, deadline, replaces, ..campaign }
        },
    )
}

/// A request of any campaign; at times its id has the other phase.
fn any_request() -> impl Strategy<Value = Request> {
    let place = (0_u16..5, 0_u32..5);
    let phase = prop::sample::select(vec![Phase::Activation, Phase::Release]);
    let wish = prop::sample::select(vec![
        ("bad_weather", "3km"),
        ("manual", "3km"),
        ("bad_weather", "1km"),
    ]);
    let swapped = prop::bool::weighted(0.1);
    (any_campaign(), phase, place, 0_i64..5, wish, swapped).prop_map(
        |(campaign, phase, place, until, (kind, limit), swapped)| {
            let (kind, limit) = (kind.parse().unwrap(), limit.parse().unwrap());
            let wishing = Campaign { kind, limit, ..campaign };
            let mut asked = request(&wishing, phase, place, until);
            if swapped {
                let other = [Phase::Activation, Phase::Release].into_iter().find(|p| *p != phase);
                asked.id = request(&wishing, other.unwrap(), place, until).id;
            }
            asked
        },
    )
}

/// One difference between a request and its campaign.
#[derive(Clone, Copy, Debug)]
enum Alteration {
    Name,
    Kind,
    Limit,
    Replaced,
    Later(i64),
    Earlier(i64),
    Random,
    Revision,
    Phase,
    Attempt(u16),
    NoAttempt,
    Place(u32),
    Form,
}

fn any_alteration() -> impl Strategy<Value = Alteration> {
    use Alteration::{
        Attempt, Earlier, Form, Kind, Later, Limit, Name, NoAttempt, Phase, Place, Random,
        Replaced, Revision,
    };
    let plain = [Name, Kind, Limit, Replaced, Random, Revision, Phase, NoAttempt, Form];
    prop_oneof![
        5 => prop::sample::select(plain.to_vec()),
        1 => (1_i64..9).prop_map(Later),
        1 => (1_i64..9).prop_map(Earlier),
        1 => (1_u16..9).prop_map(Attempt),
        1 => (0_u32..9).prop_map(Place),
    ]
}

impl Alteration {
    /// The request with this alteration. Returns `None` if the alteration does not apply to such a
    /// request, or if the result may be a request of an older attempt.
    fn of(self, campaign: &Campaign, request: &Request) -> Option<Request> {
        let mut altered = request.clone();
        let ticket = Ticket::read(request.id).unwrap();
        let id = |ticket: Ticket| ticket.id();
        match self {
            Self::Random => altered.id = id(Ticket { nonce: Nonce::from_random(43), ..ticket }),
            Self::Revision => altered.id = id(Ticket { revision: Revision(8), ..ticket }),
            Self::Phase => {
                let phases = [Phase::Activation, Phase::Release];
                let phase = phases.into_iter().find(|phase| *phase != ticket.phase)?;
                altered.id = id(Ticket { phase, ..ticket });
            }
            Self::Attempt(later) => {
                let attempt = Attempt(campaign.attempt.0 + later);
                altered.id = id(Ticket { attempt, ..ticket });
            }
            Self::NoAttempt => altered.id = id(Ticket { attempt: Attempt(0), ..ticket }),
            Self::Place(behind) => {
                altered.id = id(Ticket { index: campaign.shops + behind, ..ticket });
            }
            // A random id, as a client makes it.
            Self::Form => altered.id = RequestId(Uuid::from_u128(7 << 76 | 2 << 62)),
            Self::Earlier(_) if ticket.attempt < campaign.attempt => return None,
            Self::Name
            | Self::Kind
            | Self::Limit
            | Self::Replaced
            | Self::Later(_)
            | Self::Earlier(_) => altered.change = self.of_change(campaign, request.change)?,
        }
        Some(altered)
    }

    fn of_change(self, campaign: &Campaign, change: Change) -> Option<Change> {
        let moved = |deadline: Deadline| match self {
            Self::Later(millis) => at(campaign.deadline.instant().millis() + millis),
            Self::Earlier(millis) => at(deadline.instant().millis() - millis),
            _ => deadline,
        };
        let named = |asked| if matches!(self, Self::Name) { name(8) } else { asked };
        match change {
            Change::Activate { campaign, kind, limit, deadline, replaces } => {
                let other = Replaced { campaign: name(5), deadline: at(50) };
                Some(Change::Activate {
                    campaign: named(campaign),
                    kind: if matches!(self, Self::Kind) { "manual".parse().unwrap() } else { kind },
                    limit: if matches!(self, Self::Limit) { "1km".parse().unwrap() } else { limit },
                    deadline: moved(deadline),
                    replaces: if matches!(self, Self::Replaced) { Some(other) } else { replaces },
                })
            }
            Change::Release { campaign, deadline } => {
                let is_altered = matches!(self, Self::Name | Self::Later(_) | Self::Earlier(_));
                let release =
                    Change::Release { campaign: named(campaign), deadline: moved(deadline) };
                is_altered.then_some(release)
            }
            Change::ActivateKind { .. } | Change::ReleaseKind { .. } | Change::SetBase { .. } => {
                None
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prop_a_request_agrees_exactly_if_the_campaign_may_have_sent_it(
        campaign in any_campaign(),
        own in prop::option::of(any::<prop::sample::Index>()),
        any in any_request(),
    ) {
        let sent = sent(&campaign);
        let asked = own.map_or(any, |own| own.get(&sent).clone());
        let is_over = matches!(campaign.state, CampaignState::Ending { .. } | CampaignState::Ended);
        let expected = match asked.change {
            _ if !sent.contains(&asked) => Some(Code::CampaignDiffers),
            Change::Activate { .. } if is_over => Some(Code::CampaignEnded),
            _ => None,
        };
        let found = check(&campaign, &asked).err().map(|disagreement| disagreement.code);
        prop_assert_eq!(found, expected, "{:?}", asked);
    }

    /// A request that agrees still agrees after every later change of its campaign.
    #[test]
    fn prop_a_request_that_agreed_agrees_until_its_campaign_is_over(
        campaign in any_campaign(),
        place in any::<prop::sample::Index>(),
        (retries, longer) in (0_u16..3, 0_i64..3),
    ) {
        let longer = if retries == 0 { 0 } else { longer };
        let mut agreeing = sent(&campaign);
        agreeing.retain(|asked| check(&campaign, asked).is_ok());
        let asked = place.get(&agreeing);
        let later = Campaign {
            attempt: Attempt(campaign.attempt.0 + retries),
            deadline: at(campaign.deadline.instant().millis() + longer),
            ..campaign.clone()
        };
        prop_assert_eq!(check(&later, asked), Ok(()));
        let ended = Campaign { state: CampaignState::Ended, ..later };
        let expected = match asked.change {
            Change::Activate { .. } => Some(Code::CampaignEnded),
            _ => None,
        };
        prop_assert_eq!(check(&ended, asked).err().map(|disagreement| disagreement.code), expected);
    }

    /// A request that its campaign may have sent is refused after one alteration. There are two
    /// exceptions: another place of the list, and a request that an older attempt may have sent.
    #[test]
    fn prop_a_request_that_is_altered_in_one_thing_is_rejected(
        campaign in any_campaign(),
        place in any::<prop::sample::Index>(),
        alteration in any_alteration(),
    ) {
        let sent = sent(&campaign);
        let good = place.get(&sent);
        let Some(altered) = alteration.of(&campaign, good) else { return Ok(()) };
        prop_assert_ne!(good, &altered);
        let loaded = campaign.loaded();
        let named = altered.change.campaign() == Some(loaded.name);
        let found = check_request(&altered, named.then_some(&loaded), NEWEST).unwrap_err();
        let code = if named { Code::CampaignDiffers } else { Code::UnknownCampaign };
        prop_assert_eq!((found.status, found.code), (Status::Rejected, code), "{:?}", altered);
    }
}
