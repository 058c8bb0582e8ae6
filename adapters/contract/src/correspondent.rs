//! Whoever sends and reads, as a promise of a log plays it.

use catchment_domain::ports::Stretch;
use catchment_domain::{
    Change, Code, DecidedBy, Lane, Lanes, Outcome, Position, Reply, ReplyLane, Request, RequestId,
    RequestRecord, Revision, ShopId, Standing, Status,
};
use uuid::Uuid;

use crate::Log;
use crate::scene::{kind, metres, narrow};

/// The requests that are in a lane from a position on.
pub(crate) async fn read(log: &Log, lane: Lane, from: u64) -> Vec<RequestRecord> {
    stretch(log, lane, from).await.requests
}

/// Everything that is in a lane from a position on.
pub(crate) async fn stretch(log: &Log, lane: Lane, from: u64) -> Stretch {
    log.request_log.read(lane, Position(from), 10_000).await.unwrap()
}

/// A request to narrow a shop, with an id of its own.
pub(crate) fn request(number: u64, shop: &ShopId) -> Request {
    asking(number, shop, narrow("3km"))
}

pub(crate) fn asking(number: u64, shop: &ShopId, change: Change) -> Request {
    Request { id: id(number), shop: shop.clone(), change }
}

/// So many requests for one shop, numbered from `first` on.
pub(crate) fn requests(first: u64, count: usize, shop: &ShopId) -> Vec<Request> {
    (first..).take(count).map(|number| request(number, shop)).collect()
}

/// Sends requests; their replies go to reply lane 0.
pub(crate) async fn send(log: &Log, requests: Vec<Request>) {
    let address = log.reply_log.address(ReplyLane(0));
    log.requests.send(requests, &address).await.unwrap();
}

pub(crate) fn id(number: u64) -> RequestId {
    RequestId(Uuid::from_u64_pair(0x0b, number))
}

pub(crate) fn ids(records: &[RequestRecord]) -> Vec<RequestId> {
    records.iter().map(|record| record.id).collect()
}

/// A shop of a lane.
pub(crate) fn shop_in(lanes: Lanes, lane: Lane) -> ShopId {
    crate::scene::ids_in(lanes, lane, 1).remove(0)
}

/// Sends replies to a lane.
pub(crate) async fn answer(log: &Log, lane: ReplyLane, replies: Vec<Reply>) {
    let address = log.reply_log.address(lane);
    let replies = replies.into_iter().map(|reply| (address.clone(), reply)).collect();
    log.replies.send(replies).await.unwrap();
}

/// Everything that is in a reply lane from a position on.
pub(crate) async fn replies(log: &Log, lane: ReplyLane, from: Position) -> Vec<Reply> {
    let records = log.reply_log.read(lane, from, 10_000).await.unwrap();
    records.into_iter().filter_map(|record| record.reply).collect()
}

/// Replies that differ in everything that a reply can say, numbered from `first` on.
pub(crate) fn varied_replies(first: u64) -> Vec<Reply> {
    let kind = kind("rider_shortage");
    let campaign = DecidedBy::Campaign { revision: Revision::MAX, kind };
    let decided = [DecidedBy::Base, campaign, DecidedBy::Request { kind }];
    let mut outcomes = Vec::new();
    for (status, decided_by) in Status::ALL.into_iter().zip(decided.into_iter().cycle()) {
        let before = (status != Status::Applied).then(|| metres(5_000));
        let standing = Standing { before, after: metres(100_000), decided_by, version: 1 << 40 };
        let repeat = status == Status::Unchanged;
        outcomes.push(Outcome {
            status,
            code: None,
            detail: None,
            standing: Some(standing),
            repeat,
        });
    }
    for code in Code::ALL {
        outcomes.push(Outcome::rejected(*code, Some("왜 \"안\" 돼?\n".into())));
    }
    let shop = |number: u64| number.is_multiple_of(2).then(|| "가게 7".parse().unwrap());
    let replies = (first..).zip(outcomes);
    let reply = |(number, outcome)| {
        let request_position = shop(number).map(|_| Position(number));
        Reply { id: id(number), shop: shop(number), outcome, request_position }
    };
    replies.map(reply).collect()
}
