//! Letting a lane go on at which somebody has looked.

use catchment_domain::ports::{Claim, ShopLedger, StoreError};
use catchment_domain::{Batch, Lane, Loaded, LogIdentity, Position, RequestId};
use uuid::Uuid;

use crate::world::World;

const LANE: Lane = Lane(0);
const LOG: LogIdentity = LogIdentity { id: 1, lasting: true };

#[tokio::test]
async fn a_lane_goes_on_behind_what_was_applied_and_not_before_its_log_begins() {
    for (first, next) in [(0, 9), (12, 12)] {
        let world = World::new();
        let store = world.open().await;
        let Claim { epoch, applied_next, replied_next, .. } = store.claim(LANE, LOG, None).await.unwrap();
        let batch = Batch::new((LANE, epoch), applied_next, replied_next, Vec::new());
        let batch = batch.up_to((Position(8), RequestId(Uuid::now_v7())));
        store.apply(&batch, &|_: &Batch, _: &mut Loaded| Vec::new()).await.unwrap();
        let resumed = store.resume(LANE, (LOG, Position(first))).await.unwrap();
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
    let refused = store.resume(LANE, (LOG, Position(0))).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    store.claim(LANE, LOG, None).await.unwrap();
    let other = LogIdentity { id: 2, lasting: true };
    let refused = store.resume(LANE, (other, Position(0))).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
}
