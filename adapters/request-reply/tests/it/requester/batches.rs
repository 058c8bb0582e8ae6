use std::collections::HashSet;

use catchment_request_reply::pending::Counters;
use catchment_request_reply::requester::{
    ReplyBatches, Request, Requester, RequesterSettings, Start,
};
use catchment_request_reply::{ReadError, Topics};

use crate::requester::broker::{SOON, delete, settings, soon};
use crate::requester::peer::Peer;
use crate::requester::setup::{Setup, ask_and_echo, deadline, request};

/// Reads batches until there are so many different replies, and releases what was read.
async fn read_replies(
    batches: &ReplyBatches,
    mut next: i64,
    count: usize,
) -> (HashSet<Vec<u8>>, i64) {
    let mut values = HashSet::new();
    while values.len() < count {
        soon(batches.wait(next)).await;
        let records = batches.read(next, 500).unwrap();
        values.extend(records.iter().map(|record| record.message.value().to_vec()));
        next = records.last().map_or(next, |last| last.offset + 1);
        batches.release(next);
    }
    (values, next)
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Request> {
    numbers.map(|n| Request::new(format!("key {n}"), format!("{n}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_restart_from_a_position_misses_nothing() {
    let setup = Setup::new("restart").await;
    let (first, batches) = setup.batches(Start::End).await;
    first.send(numbered(0..100)).await.unwrap();
    let Setup { requests, replies, peer } = setup;
    let echoing = tokio::spawn(peer.echo_all());
    soon(batches.wait(0)).await;
    let read = batches.read(0, 1).unwrap();
    assert_eq!(batches.read(0, 1).unwrap(), read, "what is not released is read again");
    let stored = read.last().unwrap().offset + 1;
    soon(first.close(SOON)).await.unwrap();

    let setup = Setup { peer: Peer::new(&requests), requests, replies };
    let (second, batches) = setup.batches(Start::At(stored)).await;
    assert_eq!(batches.position(), stored);
    let (mut values, _) = read_replies(&batches, stored, 99).await;
    values.insert(read.first().unwrap().message.value().to_vec());
    assert_eq!(values.len(), 100, "each once, over both");
    soon(second.close(SOON)).await.unwrap();
    echoing.abort();
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn fifty_thousand_replies_come_in_batches_and_calls_do_not_wait_for_them() {
    const COUNT: usize = 50_000;
    let setup = Setup::new("bulk").await;
    let unread = RequesterSettings { unread: 5_000, ..setup.settings() };
    let (requester, batches) =
        soon(Requester::start_with_batches(&settings(), unread)).await.unwrap();
    let Setup { requests, replies, peer } = setup;
    let echoing = tokio::spawn(peer.echo_all());

    requester.send(numbered(0..1_000)).await.unwrap();
    let called = soon(requester.call(request("call"), deadline())).await.unwrap();
    assert_eq!(called.value(), b"call", "although nobody has read a batch");

    let sending = requester.clone();
    let sent = tokio::spawn(async move {
        for first in (1_000..COUNT).step_by(1_000) {
            sending.send(numbered(first..first + 1_000)).await.unwrap();
        }
    });
    let (values, next) = read_replies(&batches, batches.position(), COUNT + 1).await;
    assert!(values.contains(&b"49999"[..]) && values.contains(&b"call"[..]));
    soon(sent).await.unwrap();
    assert_eq!(soon(batches.end()).await.unwrap(), next, "nothing is left");
    assert_eq!(requester.counters(), Counters { answered: 1, ..Counters::default() });
    echoing.abort();
    delete([&*requests, &*replies]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn what_was_released_can_be_read_again_and_is_not_counted_twice() {
    let mut setup = Setup::new("again").await;
    let (requester, batches) = setup.batches(Start::End).await;
    ask_and_echo(&requester, &mut setup.peer).await;
    let (values, next) = read_replies(&batches, 0, 1).await;
    assert_eq!(next, 1);
    let again = loop {
        soon(batches.wait(0)).await;
        let records = batches.read(0, 10).unwrap();
        if !records.is_empty() {
            break records;
        }
    };
    assert!(again.iter().all(|record| values.contains(record.message.value())));
    assert_eq!(requester.counters(), Counters { answered: 1, ..Counters::default() });
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn replies_that_were_deleted_are_named_and_reading_goes_on_behind_them() {
    let mut setup = Setup::new("truncated").await;
    let (requester, batches) = setup.batches(Start::End).await;
    for _ in 0..3 {
        ask_and_echo(&requester, &mut setup.peer).await;
    }
    drop((requester, batches));
    let topics = Topics::new(&settings()).unwrap();
    soon(topics.delete_records(&setup.replies, 0, 2)).await.unwrap();

    let (requester, batches) = setup.batches(Start::At(0)).await;
    soon(batches.wait(0)).await;
    assert_eq!(batches.read(0, 10), Err(ReadError::Truncated { from: 0, first: 2 }));
    assert_eq!(batches.read(2, 10), Ok(Vec::new()), "it is fetched first");
    let (_, next) = read_replies(&batches, 2, 1).await;
    assert_eq!(next, 3);
    ask_and_echo(&requester, &mut setup.peer).await;
    setup.end().await;
}
