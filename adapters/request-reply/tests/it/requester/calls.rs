use std::time::{Duration, Instant};

use catchment_request_reply::pending::{Counters, NotPending};
use catchment_request_reply::profile::{CorrelationForm, PartitionForm, RequestStyle};
use catchment_request_reply::requester::{
    CallError, ReplyTopicError, Requester, RequesterSettings, Start, StartError,
};
use catchment_request_reply::{Header, ReadError, Settings};

use crate::requester::broker::{SOON, settings, settings_of_nobody, soon};
use crate::requester::peer::reply;
use crate::requester::setup::{Setup, ask_and_echo, call, deadline, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_is_answered_in_every_style() {
    let mut setup = Setup::with_reply_partitions("styles", 2).await;
    for correlation in [CorrelationForm::Text, CorrelationForm::Raw] {
        for partition in [PartitionForm::Binary, PartitionForm::Decimal] {
            let style = RequestStyle { correlation, partition };
            let own = RequesterSettings { style, partition: 1, ..setup.settings() };
            let requester = soon(Requester::start(&settings(), own)).await.unwrap();
            let answer = call(&requester, request("hello"));
            let asked = setup.peer.request().await;
            setup.peer.echo(&[asked]).await;
            let reply = soon(answer).await.unwrap().unwrap();
            assert_eq!(
                (reply.key(), reply.value()),
                (Some(&b"key"[..]), &b"hello"[..]),
                "{style:?}"
            );
        }
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_request_keeps_its_own_headers_beside_ours() {
    let mut setup = Setup::new("headers").await;
    let requester = setup.requester().await;
    let mut asking = request("hello");
    asking.headers.push(Header::new("shop", "7"));
    let id = asking.id;
    let answer = call(&requester, asking);
    let asked = setup.peer.request().await;
    let asked_with = asked.as_incoming();
    assert_eq!(asked_with.header("shop"), Some(&b"7"[..]));
    assert_eq!(asked_with.header("REPLY_CORRELATION_ID"), Some(id.to_string().as_bytes()));
    assert_eq!(asked_with.header("kafka_replyPartition"), None);
    setup.peer.echo(&[asked]).await;
    assert_eq!(soon(answer).await.unwrap().unwrap().correlation_id().unwrap().uuid(), Some(id));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_call_without_a_reply_ends_at_its_deadline_and_the_reply_is_late() {
    let mut setup = Setup::new("late").await;
    let requester = setup.requester().await;
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = soon(requester.call(request("slow"), deadline)).await.unwrap_err();
    assert!(deadline <= Instant::now());
    assert_eq!(error, CallError::TimedOut);
    assert!(error.to_string().contains("may still take effect"));
    let slow = setup.peer.request().await;
    setup.peer.echo(&[slow]).await;
    ask_and_echo(&requester, &mut setup.peer).await;
    assert_eq!(
        requester.counters(),
        Counters { answered: 1, timed_out: 1, late: 1, ..Counters::default() }
    );
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn replies_that_answer_nothing_are_counted_by_what_they_are() {
    let mut setup = Setup::new("counted").await;
    let requester = setup.requester().await;
    let answer = call(&requester, request("hello"));
    let asked = setup.peer.request().await;
    let answered = reply(&asked, None);
    setup.peer.reply(answered.clone()).await;
    soon(answer).await.unwrap().unwrap();

    let mut foreign = answered.clone();
    foreign.headers = vec![Header::new("kafka_correlationId", "somebody else's")];
    let mut without_id = answered.clone();
    without_id.headers.clear();
    for message in [answered, foreign, without_id] {
        setup.peer.reply(message).await;
    }
    ask_and_echo(&requester, &mut setup.peer).await;
    let expected =
        Counters { answered: 2, duplicate: 1, foreign: 1, broken: 1, ..Counters::default() };
    assert_eq!(requester.counters(), expected);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_failure_of_the_replier_and_a_reply_without_value_are_no_success() {
    let mut setup = Setup::new("failures").await;
    let requester = setup.requester().await;
    let own = r#"{"status":"rejected","code":"no","message":"never","retryable":false}"#;
    let nest = r#"{"status":"error","message":"boom"}"#;
    for (header, words, (status, code, message)) in [
        ("catchment-failure", own, ("rejected", "no", "never")),
        ("kafka_nest-err", nest, ("failed", "failed", nest)),
    ] {
        let answer = call(&requester, request("fail"));
        let asked = setup.peer.request().await;
        let mut failed = reply(&asked, None);
        failed.headers.push(Header::new(header, words));
        setup.peer.reply(failed).await;
        let error = soon(answer).await.unwrap().unwrap_err();
        let [status, code, message] = [status, code, message].map(str::to_owned);
        assert_eq!(error, CallError::Failed { status, code, message, retryable: false });
    }

    let answer = call(&requester, request("null"));
    let asked = setup.peer.request().await;
    let mut null = reply(&asked, None);
    null.value = None;
    setup.peer.reply(null).await;
    assert_eq!(soon(answer).await.unwrap().unwrap_err(), CallError::Malformed);
    let expected = Counters { answered: 3, broken: 1, ..Counters::default() };
    assert_eq!(requester.counters(), expected);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_full_table_refuses_at_once_and_a_dropped_call_makes_room() {
    let mut setup = Setup::new("full").await;
    let one = RequesterSettings { pending: 1, ..setup.settings() };
    let requester = soon(Requester::start(&settings(), one)).await.unwrap();
    let first = call(&requester, request("first"));
    setup.peer.request().await;
    let refused = requester.call(request("second"), deadline()).await.unwrap_err();
    assert_eq!(refused, CallError::NotPending(NotPending::Full { capacity: 1 }));

    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(requester.pending(), 0);
    ask_and_echo(&requester, &mut setup.peer).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn closing_fails_what_waits_at_once_and_every_later_call() {
    let mut setup = Setup::new("closing").await;
    let (requester, batches) = setup.batches(Start::End).await;
    let waiting = call(&requester, request("waits"));
    setup.peer.request().await;
    soon(requester.close(SOON)).await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().unwrap_err(), CallError::Closed);
    assert_eq!(requester.call(request("x"), deadline()).await.unwrap_err(), CallError::Closed);
    soon(batches.wait(batches.position())).await;
    assert_eq!(batches.read(batches.position(), 10), Err(ReadError::Closed));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_requester_does_not_start_where_replies_would_miss_it() {
    let setup = Setup::with_reply_partitions("missed", 3).await;
    let topic = || setup.replies.clone();
    let own =
        |partition| RequesterSettings { partition, style: RequestStyle::OWN, ..setup.settings() };
    let nowhere = RequesterSettings::new(&*setup.requests, "test.there-is-no-such-topic");
    for (of, expected) in [
        (setup.settings(), ReplyTopicError::Spread { topic: topic(), partitions: 3 }),
        (own(3), ReplyTopicError::NoPartition { topic: topic(), partition: 3, partitions: 3 }),
        (nowhere, ReplyTopicError::Missing { topic: "test.there-is-no-such-topic".to_owned() }),
    ] {
        let expected = StartError::ReplyTopic(expected);
        let started = soon(Requester::start(&settings(), of.clone())).await;
        assert_eq!(started.unwrap_err(), expected);
        let started = soon(Requester::start_with_batches(&settings(), of)).await;
        assert_eq!(started.unwrap_err(), expected);
    }
    soon(Requester::start(&settings(), own(2))).await.unwrap();
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requester_does_not_start_without_a_broker() {
    let nobody = Settings { request_timeout: Duration::from_secs(1), ..settings_of_nobody() };
    let started =
        soon(Requester::start(&nobody, RequesterSettings::new("requests", "replies"))).await;
    assert!(matches!(started, Err(StartError::Unreadable(ReadError::Unavailable { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_request_that_cannot_be_delivered_fails_before_the_deadline() {
    let setup = Setup::new("undelivered").await;
    let of = RequesterSettings::new("test.there-is-no-such-topic", &*setup.replies);
    let mut clients = settings();
    clients.producer.insert("topic.metadata.propagation.max.ms".to_owned(), "500".to_owned());
    let requester = soon(Requester::start(&clients, of)).await.unwrap();
    let deadline = deadline();
    let error = soon(requester.call(request("lost"), deadline)).await.unwrap_err();
    assert!(matches!(error, CallError::Undelivered(_)), "{error:?}");
    assert!(Instant::now() < deadline);
    assert_eq!(requester.pending(), 0);
    setup.end().await;
}
