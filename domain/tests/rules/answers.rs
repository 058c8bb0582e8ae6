//! Which answers of a chunk count, compared with entering them one by one.

use std::time::Duration;

use catchment_domain::ports::Answer;
use catchment_domain::{
    Attempt, Campaign, CampaignId, CampaignState, Chunk, Deadline, Draft, Lane, Nonce, Outcome,
    Phase, Position, Revision, Scope, Slot, Status, Ticket, Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

fn campaign(state: CampaignState) -> Campaign {
    let draft = Draft {
        kind: "rider_shortage".parse().unwrap(),
        limit: "3km".parse().unwrap(),
        scope: Scope::everything(),
        reason: String::new(),
        timeout: Duration::from_mins(1),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::nil()),
        nonce: Nonce::from_random(42),
    };
    let begun = draft.begin(Revision(7), 3, None, (Timestamp::from_millis(0), Deadline::MIN));
    Campaign { state, ..begun }
}

/// An ending campaign of three shops, one of which is released.
fn chunk() -> Chunk {
    let applied = Slot::Closed(Status::Applied);
    let activations = vec![Slot::Open, Slot::Closed(Status::Rejected), applied];
    let releases = vec![Slot::Open, Slot::Open, applied];
    Chunk::restore((0, Lane(0), 0), Some(Attempt::FIRST), activations, releases, Vec::new())
}

fn answer((is_release, index, status, at): (bool, u32, Status, Option<u64>)) -> Answer {
    let phase = if is_release { Phase::Release } else { Phase::Activation };
    let (revision, nonce) = (Revision(7), Nonce::from_random(42));
    let ticket = Ticket { revision, phase, attempt: Attempt::FIRST, index, nonce };
    let outcome = Outcome { status, code: None, detail: None, standing: None, repeat: false };
    Answer { chunk: 0, ticket, outcome, request_position: at.map(Position) }
}

#[test]
fn an_answer_counts_only_if_its_request_was_applied() {
    let campaign = campaign(CampaignState::Ending { open: 3 });
    for (at, applied_next, counts) in [
        (Some(4), Some(5), true),
        (Some(5), Some(5), false),
        (Some(4), None, false),
        (None, Some(0), true),
        (None, None, true),
    ] {
        let (mut chunk, answer) = (chunk(), answer((true, 0, Status::Applied, at)));
        let applied_next = applied_next.map(Position);
        let (after, counted) = Answer::record_all(&[&answer], &mut chunk, &campaign, applied_next);
        // The release supersedes the open activation.
        let open = if counts { 1 } else { 3 };
        assert_eq!((counted, after.state.open()), (u32::from(counts), open), "{at:?}");
        assert_eq!(chunk.open(), open);
    }
}

proptest! {
    #[test]
    fn answers_together_leave_what_they_leave_one_by_one(
        answers in prop::collection::vec(
            (
                any::<bool>(),
                0..4_u32,
                prop::sample::select(Status::ALL.to_vec()),
                prop::option::of(0..9_u64),
            ),
            0..12,
        ),
        next in prop::option::of(0..9_u64),
    ) {
        let before = campaign(CampaignState::Ending { open: 3 });
        let answers: Vec<Answer> = answers.into_iter().map(answer).collect();
        let (mut naive, mut counts) = (chunk(), 0);
        for answer in &answers {
            let is_applied = match (answer.request_position, next) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(at), Some(next)) => at.0 < next,
            };
            if is_applied && naive.record(&before, answer.ticket, &answer.outcome) {
                counts += 1;
            }
        }
        let mut together = chunk();
        let all: Vec<&Answer> = answers.iter().collect();
        let next = next.map(Position);
        let (after, counted) = Answer::record_all(&all, &mut together, &before, next);
        prop_assert_eq!(counted, counts);
        prop_assert_eq!(after.state.open(), naive.open());
        prop_assert_eq!(after.unreleased, naive.lacking().unreleased);
        prop_assert_eq!(together, naive);
    }
}
