//! The promises of [`RequestChannel`](catchment_domain::ports::RequestChannel).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use catchment_domain::{
    CampaignId, CampaignRef, Change, Committed, Deadline, Epoch, Lane, Position, Replaced,
    ReplyLane, Request, Revision, Timestamp,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::LogHarness;
use crate::correspondent::{
    asking, id, ids, read, replies, request, requests, send, shop_in, varied_replies,
};
use crate::scene::{ids_in, kind, limit, metres};

/// Requests of several senders stand in the lanes of their shops, each sender's in its order.
pub async fn requests_keep_their_order(harness: &dyn LogHarness) {
    const SENDERS: u64 = 3;
    const EACH: u64 = 20;
    let (log, lanes) = (harness.log(), harness.lanes());
    let shops: Vec<_> = lanes.iter().flat_map(|lane| ids_in(lanes, lane, 2)).collect();
    let mut sending = JoinSet::new();
    for sender in 0..SENDERS {
        let (log, shops) = (log.clone(), shops.clone());
        sending.spawn(async move {
            for round in 0..EACH {
                let number = sender * EACH + round;
                send(&log, shops.iter().map(|shop| request(number, shop)).collect()).await;
                tokio::task::yield_now().await;
            }
        });
    }
    sending.join_all().await;
    for shop in &shops {
        let records = read(&log, lanes.lane_of(shop), 0).await;
        let of_shop = records.into_iter().filter_map(|record| record.request.ok());
        let of_shop: Vec<Request> = of_shop.filter(|request| request.shop == *shop).collect();
        assert_eq!(of_shop.len() as u64, SENDERS * EACH, "{shop}");
        for sender in 0..SENDERS {
            let expected: Vec<_> = (sender * EACH..).take(20).map(id).collect();
            let of_sender = of_shop.iter().map(|request| request.id);
            let of_sender: Vec<_> = of_sender.filter(|id| expected.contains(id)).collect();
            assert_eq!(of_sender, expected, "{shop}");
        }
    }
}

/// Every kind of change arrives whole, with the address of its reply.
pub async fn requests_are_read_as_sent(harness: &dyn LogHarness) {
    let (log, lanes) = (harness.log(), harness.lanes());
    let shop = shop_in(lanes, Lane(1));
    let requests: Vec<Request> =
        (0..).zip(every_change()).map(|(number, change)| asking(number, &shop, change)).collect();
    let address = log.reply_log.address(ReplyLane(1));
    log.requests.send(requests.clone(), &address).await.unwrap();
    let records = read(&log, Lane(1), 0).await;
    let answers = records.iter().zip(varied_replies(0));
    let answers = answers.map(|(record, reply)| (record.return_address.clone(), reply));
    let answers: Vec<_> = answers.collect();
    let expected: Vec<_> = answers.iter().map(|(_, reply)| reply.clone()).collect();
    log.replies.send(answers).await.unwrap();
    assert_eq!(replies(&log, ReplyLane(1), Position(0)).await, expected);
    assert!(records.is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(ids(&records), requests.iter().map(|request| request.id).collect::<Vec<_>>());
    let read: Result<Vec<Request>, _> = records.into_iter().map(|record| record.request).collect();
    assert_eq!(read, Ok(requests));
}

/// A send that finds no room waits until records are released, and then goes on in order.
pub async fn full_channel_waits(harness: &dyn LogHarness) {
    const MORE: usize = 5;
    let (log, lanes) = (harness.log(), harness.lanes());
    let Some(capacity) = harness.capabilities().capacity else { return };
    let shop = shop_in(lanes, Lane(0));
    let mut sending = pin!(send(&log, requests(0, capacity + MORE, &shop)));
    let waits = poll_fn(|context| Poll::Ready(sending.as_mut().poll(context).is_pending())).await;
    assert!(waits, "there is no room for all of it");
    let first = read(&log, Lane(0), 0).await;
    assert_eq!(first.len(), capacity);
    let next = Position(MORE as u64);
    log.request_log.commit(Lane(0), Committed { epoch: Epoch(1), next }).await;
    sending.await;
    let all = read(&log, Lane(0), MORE as u64).await;
    let expected: Vec<_> = (MORE as u64..).take(capacity).map(id).collect();
    assert_eq!(ids(&all), expected);
}

/// While a send waits for room in its lane, one for another lane goes through. There is nothing to
/// see where lanes are never full.
pub async fn full_lane_holds_up_no_other(harness: &dyn LogHarness) {
    let (log, lanes) = (harness.log(), harness.lanes());
    let Some(capacity) = harness.capabilities().capacity else { return };
    let mut waiting = pin!(send(&log, requests(0, capacity + 1, &shop_in(lanes, Lane(0)))));
    let waits = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
    assert!(waits, "there is no room for all of it");
    send(&log, requests(1_000, capacity, &shop_in(lanes, Lane(1)))).await;
    let expected: Vec<_> = (1_000..).take(capacity).map(id).collect();
    assert_eq!(ids(&read(&log, Lane(1), 0).await), expected);
}

/// All changes that there are, with and without what they may lack.
fn every_change() -> Vec<Change> {
    let deadline = Deadline::at(Timestamp::from_millis(-1));
    let named = |revision, id| CampaignRef { revision, id: CampaignId(Uuid::from_u128(id)) };
    let (campaign, older) = (named(Revision::MAX, u128::MAX), named(Revision(1), 0));
    let (kind, revision) = (kind(&"k".repeat(31)), Revision(7));
    let replaces = Some(Replaced { campaign: older, deadline });
    let activate = |limit, replaces| Change::Activate { campaign, kind, limit, deadline, replaces };
    vec![
        activate(limit("1m"), replaces),
        activate(limit("100%"), None),
        Change::Release { campaign, deadline },
        Change::ActivateKind { kind, limit: limit("closed"), deadline: Some(deadline) },
        Change::ActivateKind { kind, limit: limit("100km"), deadline: None },
        Change::ReleaseKind { kind, deadline: Some(deadline) },
        Change::ReleaseKind { kind, deadline: None },
        Change::SetBase { revision, radius: metres(0), deadline: Some(deadline) },
        Change::SetBase { revision, radius: metres(5_000), deadline: None },
    ]
}
