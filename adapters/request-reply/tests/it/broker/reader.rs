use std::time::Duration;

use catchment_request_reply::{Commit, Lookout, ReadError, Reader, Watermarks};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::fixture::{Fixture, PATIENCE, list, numbers, read_all};

#[tokio::test]
#[ignore = "needs Kafka"]
async fn what_was_read_is_read_again_and_on() {
    let fixture = Fixture::new(1).await;
    fixture.fill(0, 0..100).await;
    let reader = fixture.reader();
    let all = read_all(&reader, 0, 0, 100).await;
    assert_eq!(numbers(&all), list(0..100));
    reader.wait(0, 90).await;
    let mut again = reader.read(0, 90, 5).await.unwrap();
    while again.len() < 5 {
        reader.wait(0, 90).await;
        again = reader.read(0, 90, 5).await.unwrap();
    }
    assert_eq!(numbers(&again), [90, 91, 92, 93, 94], "released, and fetched again");
    assert_eq!(reader.read(0, 90, 5).await.unwrap(), again, "not released");
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn positions_are_sought_forwards_and_backwards() {
    let fixture = Fixture::new(2).await;
    fixture.fill(0, 0..20_000).await;
    fixture.fill(1, 50_000..50_010).await;
    let reader = fixture.reader();
    for from in [0, 15_000, 3, 19_999, 12_345, 12_346, 1] {
        let read = read_all(&reader, 0, from, 1).await;
        let first = read.first().unwrap();
        assert_eq!((first.offset, first.message), (from, from.unsigned_abs()));
        assert_eq!(numbers(&read_all(&reader, 1, 9, 1).await), [50_009], "the other is not moved");
    }
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn waiting_ends_when_something_comes() {
    let fixture = Fixture::new(1).await;
    let (reader, sender) = (fixture.reader(), fixture.sender());
    assert_eq!(reader.read(0, 0, 10).await, Ok(vec![]));
    for n in 0..200_u64 {
        let from = i64::try_from(n).unwrap();
        let (waiting, message) = (reader.clone(), fixture.message(None, n));
        let waited = tokio::spawn(async move { waiting.wait(0, from).await });
        sender.send(&[message]).await.unwrap();
        // Far below the time after which a silent lane is looked after.
        let waited = tokio::time::timeout(Duration::from_secs(5), waited).await;
        waited.expect("no wake-up is lost").unwrap();
        assert_eq!(numbers(&read_all(&reader, 0, from, 1).await), [n]);
    }
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn records_that_are_gone_are_said_to_be_gone() {
    let fixture = Fixture::new(1).await;
    fixture.fill(0, 0..100).await;
    fixture.topics.delete_records(&fixture.topic, 0, 50).await.unwrap();
    let reader = fixture.reader();
    assert_eq!(reader.watermarks(0).await, Ok(Watermarks { low: 50, high: 100 }));
    assert_eq!(reader.read(0, 10, 5).await, Err(ReadError::Truncated { from: 10, first: 50 }));
    assert_eq!(numbers(&read_all(&reader, 0, 50, 50).await), list(50..100));
    assert_eq!(reader.read(0, 10, 5).await, Err(ReadError::Truncated { from: 10, first: 50 }));
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_position_beyond_the_end_is_refused_and_the_end_is_not() {
    let fixture = Fixture::new(1).await;
    fixture.fill(0, 0..100).await;
    let reader = fixture.reader();
    assert_eq!(reader.read(0, 101, 5).await, Err(ReadError::Beyond { from: 101, end: 100 }));
    assert_eq!(reader.read(0, 100, 5).await, Ok(vec![]));
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_was_made_again_is_noticed_while_it_is_read() {
    let fixture = Fixture::new(1).await;
    fixture.fill(0, 0..100).await;
    let reader = fixture.reader();
    assert_eq!(read_all(&reader, 0, 0, 100).await.len(), 100);
    fixture.topics.delete(&fixture.topic).await.unwrap();
    fixture.make(1).await;
    fixture.fill(0, 0..10).await;
    let noticed = async {
        loop {
            match reader.read(0, 100, 10).await {
                Ok(records) => assert_eq!(records, [], "nothing of another topic"),
                Err(ReadError::Unavailable { .. }) => {}
                Err(error) => break error,
            }
            reader.wait(0, 100).await;
        }
    };
    let error = tokio::time::timeout(PATIENCE, noticed).await.expect("it is noticed");
    assert_eq!(error, ReadError::Beyond { from: 100, end: 10 });
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

/// A transaction's mark at the end of the log looks like records that do not come.
#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_silent_lane_is_looked_after_although_nobody_waits_for_long() {
    let mut fixture = Fixture::new(1).await;
    fixture.settings.silence = Duration::from_millis(500);
    transact(&fixture);
    let reader = fixture.reader();
    assert_eq!(numbers(&read_all(&reader, 0, 0, 1).await), [7]);
    assert_eq!(reader.watermarks(0).await.unwrap().high, 2, "the record and the mark");
    let looked_after = async {
        while tokio::time::timeout(Duration::from_millis(100), reader.wait(0, 1)).await.is_err() {}
    };
    tokio::time::timeout(PATIENCE, looked_after).await.expect("its silence is noticed");
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

/// Sends one record in a transaction.
fn transact(fixture: &Fixture) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.settings.bootstrap_servers)
        .set("transactional.id", &fixture.topic)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let value = 7_u64.to_be_bytes();
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&fixture.topic).payload(&value);
    producer.send(record).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_single_record_is_fetched_from_anywhere() {
    let fixture = Fixture::new(2).await;
    fixture.fill(0, 0..100).await;
    fixture.topics.delete_records(&fixture.topic, 0, 20).await.unwrap();
    let reader = fixture.reader();
    for (offset, found) in [(50, Some(50)), (20, Some(20)), (99, Some(99)), (19, None), (100, None)]
    {
        let record = reader.fetch(0, offset).await.unwrap();
        let value = record.and_then(|record| record.value);
        assert_eq!(value.map(|v| u64::from_be_bytes(v.try_into().unwrap())), found);
    }
    assert_eq!(reader.fetch(1, 0).await, Ok(None), "an empty partition");
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn committed_positions_are_kept_by_the_group() {
    let fixture = Fixture::new(1).await;
    fixture.fill(0, 0..10).await;
    let reader = fixture.reader();
    let lookout = Lookout::new(&fixture.settings, &fixture.topic).unwrap();
    assert_eq!(reader.committed(0).await, Ok(None));
    assert_eq!(lookout.committed(0..1).await, Ok(Vec::new()));
    for metadata in ["", "owner 3"] {
        let commit = Commit { metadata: metadata.to_owned(), ..Commit::at(7) };
        reader.commit_now(0, commit.clone()).await.unwrap();
        assert_eq!(reader.committed(0).await, Ok(Some(commit.clone())));
        assert_eq!(lookout.committed(0..1).await, Ok(vec![(0, commit)]));
    }
    lookout.close(PATIENCE).await;
    reader.close(PATIENCE).await.unwrap();
    fixture.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn closing_ends_what_waits_and_what_reads() {
    let fixture = Fixture::new(1).await;
    let reader: Reader<u64> = fixture.reader();
    assert_eq!(reader.read(0, 0, 10).await, Ok(vec![]));
    let waiting = reader.clone();
    let waited = tokio::spawn(async move { waiting.wait(0, 0).await });
    reader.close(PATIENCE).await.unwrap();
    tokio::time::timeout(PATIENCE, waited).await.expect("it ends").unwrap();
    assert_eq!(reader.read(0, 0, 10).await, Err(ReadError::Closed));
    assert_eq!(reader.watermarks(0).await, Err(ReadError::Closed));
    reader.close(PATIENCE).await.expect("again");
    fixture.clean().await;
}
