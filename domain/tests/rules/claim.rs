//! What a lane's next owner gets.

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{Committed, Epoch, Lane, LaneProgress, LogIdentity, Position, RequestId};
use proptest::prelude::*;

use crate::mismatch::{LOG, OTHER, id};

const PASSING: LogIdentity = LogIdentity { id: 3, lasting: false };

/// A lane that was applied up to 9 and answered up to 6 in this log.
fn read_in(log: Option<LogIdentity>) -> LaneProgress {
    let (applied_next, replied_next) = (Position(9), Position(6));
    LaneProgress { lane: Lane(2), log, epoch: Epoch(4), applied_next, replied_next }
}

fn claim(applied_next: u64, replied_next: u64, last_id: Option<RequestId>) -> Claim {
    let (applied_next, replied_next) = (Position(applied_next), Position(replied_next));
    Claim { epoch: Epoch(5), applied_next, replied_next, last_id }
}

#[test]
fn an_owner_goes_on_begins_anew_or_is_refused_by_the_log() {
    let goes_on = Ok(claim(9, 6, Some(id(8))));
    let begins = Ok(claim(0, 0, None));
    for (before, log, left, expected) in [
        (Some(LOG), LOG, &[][..], goes_on),
        // A lane that was accepted in a log that the database had left.
        (Some(LOG), LOG, &[LOG], goes_on),
        (Some(PASSING), LOG, &[OTHER], begins),
        (None, LOG, &[], begins),
        (None, LOG, &[OTHER, LOG], Err("the database has left this topic")),
        (Some(PASSING), LOG, &[LOG], Err("the database has left this topic")),
        (Some(OTHER), LOG, &[], Err("another topic or cluster")),
        (Some(OTHER), LOG, &[LOG], Err("another topic or cluster")),
    ] {
        let found = Claim::of_next_owner(&read_in(before), Some(id(8)), (log, left), None);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{before:?} {left:?}"),
            (Err(StoreError::Refused { what }), Err(expected)) => {
                assert!(what.starts_with("lane 2: ") && what.contains(expected), "{what}");
            }
            (found, _) => panic!("{before:?} {left:?}: {found:?}"),
        }
    }
}

proptest! {
    /// No owner gets less than the log remembers of an owner before.
    #[test]
    fn no_claim_goes_back_behind_the_log(
        before in prop::sample::select(vec![None, Some(LOG), Some(OTHER), Some(PASSING)]),
        left in prop::collection::vec(prop::sample::select(vec![LOG, OTHER]), 0..2),
        (epoch, next) in (0..8_u64, 0..12_u64),
    ) {
        let committed = Committed { epoch: Epoch(epoch), next: Position(next) };
        let found = Claim::of_next_owner(&read_in(before), None, (LOG, &left), Some(committed));
        let is_same = before == Some(LOG);
        let may_begin = before.is_none_or(|before| before == PASSING) && !left.contains(&LOG);
        let has_all = epoch < 4 || (epoch == 4 && next <= 9);
        prop_assert_eq!(found.is_ok(), (is_same || may_begin) && has_all, "{:?}", found);
        if let Ok(claim) = found {
            prop_assert!(committed.epoch < claim.epoch);
        }
    }
}
