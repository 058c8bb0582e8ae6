//! Letting a lane go on at which somebody has looked.

use catchment_domain::ports::{Claim, ShopLedger, StoreError};
use catchment_domain::{Batch, Epoch, Lane, Loaded, LogIdentity, Position, RequestId};
use catchment_seaorm::{LaneLog, SeaOrmStore};
use uuid::Uuid;

use crate::world::World;

const LANE: Lane = Lane(0);
const LOG: LogIdentity = LogIdentity { id: 1, lasting: true };

/// A log that begins there and holds other records than those that were read.
const fn other_records(first: u64) -> LaneLog {
    LaneLog { log: LOG, first: Position(first), holds_the_last: false }
}

/// Applies a batch without requests up to position 8. Returns the owner's epoch.
async fn apply_eight(store: &SeaOrmStore) -> Epoch {
    let Claim { epoch, applied_next, replied_next, .. } = store.claim(LANE, LOG, None).await.unwrap();
    let batch = Batch::new((LANE, epoch), applied_next, replied_next, Vec::new());
    let batch = batch.up_to((Position(8), RequestId(Uuid::now_v7())));
    store.apply(&batch, &|_: &Batch, _: &mut Loaded| Vec::new()).await.unwrap();
    epoch
}

#[tokio::test]
async fn a_lane_goes_on_behind_what_was_applied_and_not_before_its_log_begins() {
    for (first, next) in [(0, 9), (12, 12)] {
        let world = World::new();
        let store = world.open().await;
        let epoch = apply_eight(&store).await;
        let resumed = store.resume(LANE, other_records(first)).await.unwrap();
        assert_eq!(resumed, Position(next));
        let late = store.replied(LANE, epoch, Position(9)).await;
        assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
        let claim = store.claim(LANE, LOG, None).await.unwrap();
        let Claim { applied_next, replied_next, last_id, .. } = claim;
        assert_eq!((applied_next, replied_next, last_id), (resumed, resumed, None));
    }
}

#[tokio::test]
async fn a_lane_that_was_never_read_in_this_log_does_not_go_on() {
    let world = World::new();
    let store = world.open().await;
    let refused = store.resume(LANE, other_records(0)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    store.claim(LANE, LOG, None).await.unwrap();
    let other = LogIdentity { id: 2, lasting: true };
    let refused = store.resume(LANE, LaneLog { log: other, ..other_records(0) }).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_lane_that_works_is_not_resumed() {
    // Where the log begins, whether it holds the last request, whether that is answered.
    for (first, holds_the_last, is_answered, works) in [
        (0, true, true, true),
        (9, true, true, true),
        (10, true, true, false),
        (0, false, true, false),
        (0, true, false, false),
    ] {
        let world = World::new();
        let store = world.open().await;
        let epoch = apply_eight(&store).await;
        if is_answered {
            store.replied(LANE, epoch, Position(9)).await.unwrap();
        }
        let resumed = store.resume(LANE, LaneLog { holds_the_last, ..other_records(first) }).await;
        let is_refused = matches!(resumed, Err(StoreError::Refused { .. }));
        assert_eq!(is_refused, works, "{first}: {resumed:?}");
        // A lane that works keeps its owner.
        assert_eq!(store.replied(LANE, epoch, Position(9)).await.is_ok(), works);
    }
}
