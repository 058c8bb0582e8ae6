//! Campaigns: the state machine of commands, and the rules by which replies are entered.
//!
//! `campaign/properties.rs` compares both with a naive ledger, `campaign/lists.rs` examines
//! lists and tallies.

mod lists;
mod properties;

use std::time::Duration;

use catchment_domain::{
    Attempt, Campaign, CampaignError, CampaignId, CampaignRef, CampaignState, Chunk, Code, Command,
    Deadline, Lane, Nonce, Outcome, Phase, RELEASED_KEPT, ReplyLane, Revision, Slot, Status,
    Ticket, Timestamp,
};
use uuid::Uuid;

use CampaignState::{Ended, Ending, Sending, Settled};
use Slot::{Closed, Idle, Open};
use Status::{Applied, Expired, Failed, Rejected, Superseded, Unchanged};

const REVISION: Revision = Revision(7);

fn nonce() -> Nonce {
    Nonce::from_random(42)
}

/// A campaign in its second attempt.
fn campaign(state: CampaignState) -> Campaign {
    Campaign {
        name: CampaignRef { revision: REVISION, id: CampaignId(Uuid::from_u128(7)) },
        nonce: nonce(),
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        reason: String::new(),
        shops: 3,
        created_at: Timestamp::from_millis(0),
        timeout: Duration::from_mins(1),
        until: None,
        replaces: None,
        replaced_by: None,
        reply_lane: None,
        attempt: Attempt(2),
        deadline: deadline(100),
        state,
        unreleased: 0,
    }
}

fn deadline(millis: i64) -> Deadline {
    Deadline::at(Timestamp::from_millis(millis))
}

/// A chunk that was sent, with these activations and releases.
fn chunk(activations: &[Slot], releases: &[Slot]) -> Chunk {
    let mut releases = releases.to_vec();
    releases.resize(activations.len(), Idle);
    let sent = Some(Attempt(2));
    Chunk::restore((0, Lane(0), 0), sent, activations.to_vec(), releases, Vec::new())
}

fn ticket(phase: Phase, attempt: u16, index: u32) -> Ticket {
    Ticket { revision: REVISION, phase, attempt: Attempt(attempt), index, nonce: nonce() }
}

fn outcome(status: Status) -> Outcome {
    let code = match status {
        Applied | Unchanged => None,
        Superseded => Some(Code::CampaignEnded),
        Rejected => Some(Code::TooManyCauses),
        Expired => Some(Code::DeadlinePassed),
        Failed => Some(Code::GivenUp),
    };
    Outcome { status, code, detail: None, standing: None, repeat: false }
}

/// Commands a campaign, and compares where that leaves it, or why not.
fn check(
    command: Command,
    campaign: &Campaign,
    chunk: &Chunk,
    expected: Result<CampaignState, CampaignError>,
) -> Chunk {
    let mut chunks = [chunk.clone()];
    let after = campaign.clone().command(command, &mut chunks, deadline(200));
    let [left] = chunks;
    assert_eq!(after.as_ref().map(|after| after.state).map_err(|error| *error), expected);
    match after {
        Ok(after) => {
            let left = left.lacking();
            assert_eq!((left.open, left.unreleased), (after.state.open(), after.unreleased));
        }
        Err(_) => assert_eq!(&left, chunk, "a refused command changes nothing"),
    }
    left
}

#[test]
fn commands_do_what_the_table_says() {
    let sending = (campaign(Sending { open: 1 }), chunk(&[Open, Closed(Rejected)], &[]));
    let settled = (campaign(Settled), chunk(&[Closed(Applied), Closed(Rejected)], &[]));
    let ending =
        (campaign(Ending { open: 2 }), chunk(&[Open, Closed(Applied)], &[Open, Closed(Applied)]));
    let ended = (campaign(Ended), chunk(&[Closed(Applied)], &[Closed(Applied)]));
    // The open activation, and the releases of both shops.
    let table = [
        (Command::End, &sending, Ok(Ending { open: 3 })),
        (Command::End, &settled, Ok(Ending { open: 2 })),
        (Command::End, &ending, Err(CampaignError::Ending(REVISION))),
        (Command::End, &ended, Err(CampaignError::Ended(REVISION))),
        (Command::Retry, &sending, Err(CampaignError::Sending(REVISION))),
        (Command::Retry, &settled, Ok(Sending { open: 1 })),
        (Command::Retry, &ending, Err(CampaignError::Ending(REVISION))),
        (Command::Retry, &ended, Err(CampaignError::Ended(REVISION))),
        (Command::GiveUp, &sending, Ok(Settled)),
        (Command::GiveUp, &settled, Err(CampaignError::NothingOpen(REVISION))),
        (Command::GiveUp, &ending, Ok(Ended)),
        (Command::GiveUp, &ended, Err(CampaignError::Ended(REVISION))),
    ];
    for (command, (campaign, chunk), expected) in table {
        check(command, campaign, chunk, expected);
    }
}

#[test]
fn a_retry_opens_what_was_rejected_expired_or_failed_in_a_new_attempt() {
    let all = Status::ALL.map(Closed);
    let retried =
        check(Command::Retry, &campaign(Settled), &chunk(&all, &[]), Ok(Sending { open: 3 }));
    let expected = [Closed(Applied), Closed(Unchanged), Closed(Superseded), Open, Open, Open];
    assert_eq!(retried.activations(), expected);

    for (new, kept) in [(200, 200), (50, 100)] {
        let mut chunks = [chunk(&all, &[])];
        let after = campaign(Settled).command(Command::Retry, &mut chunks, deadline(new)).unwrap();
        assert_eq!((after.attempt, after.deadline), (Attempt(3), deadline(kept)));
    }
}

#[test]
fn a_retry_after_the_end_releases_again_what_was_not_released() {
    let releases = [Closed(Applied), Closed(Rejected), Closed(Failed), Idle];
    let activations = [Closed(Applied), Closed(Expired), Closed(Failed), Closed(Superseded)];
    let mut chunks = [chunk(&activations, &releases)];
    let replaced = Campaign { replaced_by: Some(Revision(9)), ..campaign(Ended) };
    let after = replaced.clone().command(Command::Retry, &mut chunks, deadline(200)).unwrap();
    assert_eq!(after.state, Ending { open: 2 });
    assert_eq!((after.attempt, after.deadline), (Attempt(3), replaced.deadline));
    assert_eq!(chunks[0].releases(), [Closed(Applied), Open, Open, Idle]);
    assert_eq!(chunks[0].activations(), activations);
}

#[test]
fn a_retry_is_refused_where_it_cannot_help() {
    let well = chunk(&[Closed(Applied), Closed(Unchanged), Closed(Superseded)], &[]);
    check(Command::Retry, &campaign(Settled), &well, Err(CampaignError::NothingToRetry(REVISION)));
    let failed = chunk(&[Closed(Failed)], &[]);
    let replaced = Campaign { replaced_by: Some(Revision(9)), ..campaign(Settled) };
    let error = CampaignError::Replaced(REVISION, Revision(9));
    check(Command::Retry, &replaced, &failed, Err(error));
    let last = Campaign { attempt: Attempt::MAX, ..campaign(Settled) };
    check(Command::Retry, &last, &failed, Err(CampaignError::TooManyAttempts(REVISION)));
}

#[test]
fn a_retry_forgets_why_and_keeps_the_reasons_of_others() {
    let mut chunks = [chunk(&[Open, Open], &[])];
    let sending = campaign(Sending { open: 2 });
    chunks[0].record(&sending, ticket(Phase::Activation, 2, 0), &outcome(Rejected));
    chunks[0].record(&sending, ticket(Phase::Activation, 2, 1), &outcome(Superseded));
    campaign(Settled).command(Command::Retry, &mut chunks, deadline(200)).unwrap();
    assert_eq!(chunks[0].detail(Phase::Activation, 0), None);
    let detail = chunks[0].detail(Phase::Activation, 1).unwrap();
    assert_eq!(detail.code, Code::CampaignEnded);
}

#[test]
fn an_end_supersedes_what_was_never_sent_and_releases_the_rest() {
    let sent = chunk(&[Open, Closed(Applied), Closed(Rejected), Closed(Expired)], &[]);
    let never = Chunk::restore(
        (1, Lane(1), 4),
        None,
        vec![Open, Closed(Failed)],
        vec![Idle, Idle],
        Vec::new(),
    );
    let mut chunks = [sent.clone(), never];
    let after = campaign(Sending { open: 2 }).end(&mut chunks, |_, _| false);
    assert_eq!(after.state, Ending { open: 5 });
    assert_eq!(
        (chunks[0].activations(), chunks[0].releases()),
        (sent.activations(), &[Open; 4][..])
    );
    assert_eq!(chunks[1].activations(), [Closed(Superseded), Closed(Failed)]);
    assert_eq!(chunks[1].releases(), [Idle, Idle]);
    assert_eq!(chunks[1].detail(Phase::Activation, 0).unwrap().code, Code::CampaignEnded);
}

#[test]
fn an_end_with_nothing_sent_is_over_at_once() {
    let mut chunks = [Chunk::new(0, Lane(0), 0, 2)];
    let after = campaign(Sending { open: 2 }).command(Command::End, &mut chunks, deadline(200));
    assert_eq!(after.unwrap().state, Ended);
    assert_eq!(chunks[0].activations(), [Closed(Superseded); 2]);
}

#[test]
fn the_end_of_a_replaced_campaign_releases_where_the_new_one_did_not_take_effect() {
    let mut chunks = [chunk(&[Open, Open, Closed(Applied), Closed(Applied)], &[])];
    let replaced = Campaign { replaced_by: Some(Revision(9)), ..campaign(Sending { open: 2 }) };
    let after = replaced.end(&mut chunks, |_, place| place % 2 == 0);
    assert_eq!(after.state, Ending { open: 3 });
    let expected = [Closed(Superseded), Open, Closed(Applied), Closed(Applied)];
    assert_eq!(chunks[0].activations(), expected);
    assert_eq!(chunks[0].releases(), [Idle, Open, Idle, Open]);
    assert_eq!(chunks[0].detail(Phase::Activation, 0).unwrap().code, Code::CampaignReplaced);
}

#[test]
fn a_second_end_does_not_ask_for_a_release_again() {
    let mut chunks = [chunk(&[Closed(Applied)], &[Closed(Applied)])];
    assert_eq!(campaign(Ended).end(&mut chunks, |_, _| false).state, Ended);
}

#[test]
fn giving_up_closes_both_phases_as_failed() {
    let open = chunk(&[Open, Closed(Applied)], &[Open, Open]);
    let left = check(Command::GiveUp, &campaign(Ending { open: 3 }), &open, Ok(Ended));
    assert_eq!(left.activations(), [Closed(Failed), Closed(Applied)]);
    assert_eq!(left.releases(), [Closed(Failed), Closed(Failed)]);
    assert_eq!(left.detail(Phase::Release, 1).unwrap().code, Code::GivenUp);
    assert_eq!(left.detail(Phase::Activation, 1), None);
}

#[test]
fn a_state_says_what_may_happen_in_it() {
    // (state, over at its time, may send activations, is through)
    for (state, over, sends, through) in [
        (Sending { open: 1 }, true, true, false),
        (Settled, true, false, true),
        (Ending { open: 1 }, false, false, false),
        (Ended, false, false, true),
    ] {
        let until = |millis| Some(Timestamp::from_millis(millis));
        let campaign = Campaign { until: until(50), ..campaign(state) };
        assert!(!campaign.is_over(Timestamp::from_millis(49)));
        assert_eq!(campaign.is_over(Timestamp::from_millis(50)), over, "{state}");
        assert_eq!(campaign.may_send_activations(), sends, "{state}");
        assert_eq!(campaign.is_through(), through, "{state}");
        let endless = Campaign { until: None, ..campaign.clone() };
        assert!(!endless.is_over(Timestamp::from_millis(i64::MAX)));
        let replaced = Campaign { replaced_by: Some(Revision(9)), ..campaign };
        assert!(!replaced.may_send_activations());
    }
}

#[test]
fn a_campaign_is_ended_once_its_time_is_over_or_its_successor_is_through() {
    let (sending, ending) = (Sending { open: 1 }, Ending { open: 1 });
    // (state, whether its time is over, state of its successor, to be ended)
    for (state, is_over, successor, expected) in [
        (sending, false, None, false),
        (sending, true, None, true),
        (Settled, true, None, true),
        (sending, false, Some(sending), false),
        (sending, false, Some(Settled), true),
        (Settled, false, Some(ending), false),
        (Settled, false, Some(Ended), true),
        (Settled, true, Some(sending), true),
        (ending, true, Some(Settled), false),
        (Ended, true, Some(Ended), false),
    ] {
        let until = Some(Timestamp::from_millis(if is_over { 50 } else { 51 }));
        let campaign = Campaign { until, ..campaign(state) };
        let successor = successor.map(self::campaign);
        let is_to_be_ended =
            campaign.is_to_be_ended(successor.as_ref(), Timestamp::from_millis(50));
        assert_eq!(is_to_be_ended, expected, "{state}, over {is_over}, {successor:?}");
    }
}

#[test]
fn requests_are_sent_by_one_lane_in_the_present_phase_and_attempt() {
    let of_lane = |state| Campaign { reply_lane: Some(ReplyLane(1)), ..campaign(state) };
    let replaced = Campaign { replaced_by: Some(Revision(9)), ..of_lane(Sending { open: 1 }) };
    // (campaign, may send activations, may send releases)
    for (campaign, activations, releases) in [
        (of_lane(Sending { open: 1 }), true, false),
        (of_lane(Settled), false, false),
        (of_lane(Ending { open: 1 }), false, true),
        (of_lane(Ended), false, false),
        (replaced, false, false),
        (campaign(Sending { open: 1 }), false, false),
        (campaign(Ending { open: 1 }), false, false),
    ] {
        for (phase, expected) in [(Phase::Activation, activations), (Phase::Release, releases)] {
            let may_send =
                |lane, attempt| campaign.may_send(ReplyLane(lane), (phase, Attempt(attempt)));
            assert_eq!(may_send(1, 2), expected, "{phase:?}: {campaign:?}");
            assert!(!may_send(0, 2) && !may_send(1, 1) && !may_send(1, 3));
        }
    }
}

#[test]
fn what_was_applied_or_unchanged_took_effect() {
    let took_effect = Status::ALL.into_iter().filter(|status| status.took_effect());
    assert_eq!(took_effect.collect::<Vec<_>>(), [Applied, Unchanged]);
    let slots = [Idle, Open].into_iter().chain(Status::ALL.map(Closed));
    let took_effect = slots.filter(|slot| slot.took_effect());
    assert_eq!(took_effect.collect::<Vec<_>>(), [Closed(Applied), Closed(Unchanged)]);
}

#[test]
fn a_campaign_is_replaced_once_and_before_it_ends() {
    let check = |state, replaced_by: Option<u64>, expected| {
        let replaced_by = replaced_by.map(Revision);
        let campaign = Campaign { replaced_by, ..campaign(state) };
        assert_eq!(campaign.check_replaceable(), expected, "{state}");
    };
    check(Sending { open: 1 }, None, Ok(()));
    check(Settled, None, Ok(()));
    for by in [None, Some(9)] {
        check(Ending { open: 1 }, by, Err(CampaignError::Ending(REVISION)));
        check(Ended, by, Err(CampaignError::Ended(REVISION)));
    }
    for state in [Sending { open: 1 }, Settled] {
        check(state, Some(9), Err(CampaignError::Replaced(REVISION, Revision(9))));
    }
}

#[test]
fn a_campaign_is_deletable_once_nothing_of_it_can_apply() {
    let hour = i64::try_from(RELEASED_KEPT.as_millis()).unwrap();
    let after = 100 + hour + 1;
    for (state, millis, expected) in [
        (Sending { open: 1 }, after, Err(CampaignError::NotEnded(REVISION))),
        (Settled, after, Err(CampaignError::NotEnded(REVISION))),
        (Ending { open: 1 }, after, Err(CampaignError::NotEnded(REVISION))),
        (Ended, 0, Err(CampaignError::MayStillApply(REVISION))),
        (Ended, after - 1, Err(CampaignError::MayStillApply(REVISION))),
        (Ended, after, Ok(())),
    ] {
        let checked = campaign(state).check_deletable(Timestamp::from_millis(millis));
        assert_eq!(checked, expected, "{state} {millis}");
    }
}

/// Enters a reply to the only shop of a chunk; `None` where it should not count, else what
/// the slot should be then.
fn check_reply(
    state: CampaignState,
    phase: Phase,
    slot: Slot,
    reply: (u16, Status),
    expected: Option<Status>,
) {
    let mut chunk = match phase {
        Phase::Activation => chunk(&[slot], &[]),
        Phase::Release => chunk(&[Closed(Applied)], &[slot]),
    };
    let (attempt, status) = reply;
    let counts = chunk.record(&campaign(state), ticket(phase, attempt, 0), &outcome(status));
    let context = format!("{state} {phase:?} {slot:?} {reply:?}");
    assert_eq!(counts, expected.is_some(), "{context}");
    assert_eq!(chunk.slots(phase)[0], expected.map_or(slot, Closed), "{context}");
}

#[test]
fn rule_1_replies_to_others_and_to_what_was_not_asked_do_not_count() {
    let sending = campaign(Sending { open: 2 });
    let right = ticket(Phase::Activation, 2, 5);
    let sent_in =
        |sent| Chunk::restore((1, Lane(0), 4), sent, vec![Open; 2], vec![Idle; 2], Vec::new());
    let open = || sent_in(Some(Attempt(2)));
    for (ticket, counts) in [
        (right, true),
        (Ticket { revision: Revision(8), ..right }, false),
        (Ticket { nonce: Nonce::from_random(43), ..right }, false),
        (Ticket { attempt: Attempt(3), ..right }, false),
        (Ticket { phase: Phase::Release, ..right }, false),
        (Ticket { index: 3, ..right }, false),
        (Ticket { index: 6, ..right }, false),
    ] {
        let mut chunk = open();
        assert_eq!(chunk.record(&sending, ticket, &outcome(Applied)), counts, "{ticket:?}");
        assert_eq!(chunk == open(), !counts);
    }
    for phase in [Phase::Activation, Phase::Release] {
        check_reply(Ending { open: 1 }, phase, Open, (2, Failed), None);
    }
    let attempts = [1, 2];
    for (sent, counts) in [(None, [false, false]), (Some(1), [true, false]), (Some(2), [true; 2])] {
        for (attempt, counts) in attempts.into_iter().zip(counts) {
            let mut chunk = sent_in(sent.map(Attempt));
            let ticket = Ticket { attempt: Attempt(attempt), ..right };
            let context = format!("{attempt} of {sent:?}");
            assert_eq!(chunk.record(&sending, ticket, &outcome(Applied)), counts, "{context}");
        }
    }
}

#[test]
fn rule_2_what_took_effect_counts_from_any_attempt_while_open_rejected_or_failed() {
    for status in [Applied, Unchanged] {
        let slots = [Open, Closed(Rejected), Closed(Failed)];
        for (slot, attempt) in slots.into_iter().flat_map(|slot| [(slot, 1), (slot, 2)]) {
            check_reply(
                Sending { open: 1 },
                Phase::Activation,
                slot,
                (attempt, status),
                Some(status),
            );
            check_reply(
                Ending { open: 1 },
                Phase::Activation,
                slot,
                (attempt, status),
                Some(status),
            );
            check_reply(Ending { open: 1 }, Phase::Release, slot, (attempt, status), Some(status));
        }
        for other in [Applied, Unchanged, Superseded, Expired] {
            check_reply(Settled, Phase::Activation, Closed(other), (2, status), None);
        }
    }
}

#[test]
fn rule_3_the_first_of_the_present_attempt_counts() {
    for status in [Superseded, Rejected, Expired] {
        check_reply(Sending { open: 1 }, Phase::Activation, Open, (2, status), Some(status));
        check_reply(Sending { open: 1 }, Phase::Activation, Open, (1, status), None);
        check_reply(Ending { open: 1 }, Phase::Release, Open, (2, status), Some(status));
        check_reply(Ending { open: 1 }, Phase::Release, Open, (1, status), None);
        for closed in Status::ALL {
            check_reply(Settled, Phase::Activation, Closed(closed), (2, status), None);
        }
    }
}

#[test]
fn rule_4_an_activation_that_expires_while_its_campaign_ends_is_superseded() {
    check_reply(Ending { open: 1 }, Phase::Activation, Open, (2, Expired), Some(Superseded));
    check_reply(Ending { open: 1 }, Phase::Activation, Open, (1, Expired), None);
    check_reply(Ending { open: 1 }, Phase::Release, Open, (2, Expired), Some(Expired));
    check_reply(Ending { open: 1 }, Phase::Activation, Open, (2, Rejected), Some(Rejected));

    let replaced = Campaign { replaced_by: Some(Revision(9)), ..campaign(Sending { open: 1 }) };
    let mut chunk = chunk(&[Open], &[]);
    assert!(chunk.record(&replaced, ticket(Phase::Activation, 2, 0), &outcome(Expired)));
    assert_eq!(chunk.activations(), [Closed(Superseded)]);
    assert_eq!(chunk.details()[0].code, Code::CampaignReplaced);
}

#[test]
fn rule_5_a_release_with_an_outcome_supersedes_an_open_activation() {
    for status in [Applied, Unchanged, Rejected] {
        for (activation, left) in [(Open, Closed(Superseded)), (Closed(Applied), Closed(Applied))] {
            let mut chunk = chunk(&[activation], &[Open]);
            let ending = campaign(Ending { open: 2 });
            assert!(chunk.record(&ending, ticket(Phase::Release, 2, 0), &outcome(status)));
            assert_eq!((chunk.activations()[0], chunk.open()), (left, 0));
        }
    }
}

#[test]
fn what_took_effect_after_all_has_no_reason_left() {
    let mut chunk = chunk(&[Open], &[]);
    let sending = campaign(Sending { open: 1 });
    chunk.record(&sending, ticket(Phase::Activation, 2, 0), &outcome(Rejected));
    assert_eq!(chunk.detail(Phase::Activation, 0).unwrap().code, Code::TooManyCauses);
    chunk.record(&campaign(Settled), ticket(Phase::Activation, 2, 0), &outcome(Applied));
    assert_eq!((chunk.activations()[0], chunk.details()), (Closed(Applied), &[][..]));
}
