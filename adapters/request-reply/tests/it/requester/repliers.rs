//! Our requester and our replier, as every kind of peer would ask it.

use std::sync::Arc;

use async_trait::async_trait;
use catchment_request_reply::profile::{PartitionForm, RequestStyle};
use catchment_request_reply::replier::{Failure, Handler, Replier, ReplierSettings, Reply};
use catchment_request_reply::reply::AllowedTopics;
use catchment_request_reply::requester::{CallError, Request, Requester, RequesterSettings};
use catchment_request_reply::{Header, Incoming, Message, OwnedRecord, Reader, Sender};

use crate::requester::broker::{SOON, settings, soon};
use crate::requester::setup::{Setup, call, deadline, request};

/// Says everything in upper case, but will not be shouted at.
struct Louder;

#[async_trait]
impl Handler for Louder {
    type Request = String;

    fn parse(&self, record: &Incoming<'_>) -> Result<String, Failure> {
        let said = record.value.ok_or(Failure::rejected("unreadable", "the value is null"))?;
        Ok(String::from_utf8_lossy(said).into_owned())
    }

    async fn handle(&self, requests: Vec<String>) -> Vec<Result<Reply, Failure>> {
        let louder = |said: String| match said.to_uppercase() {
            upper if upper == said => Err(Failure::failed("loud", "it cannot be louder")),
            upper => Ok(upper.into()),
        };
        requests.into_iter().map(louder).collect()
    }
}

fn replier(setup: &Setup) -> Replier {
    let allowed = AllowedTopics::new([&setup.replies]);
    let of = ReplierSettings { allowed, ..ReplierSettings::new(&*setup.requests) };
    Replier::start(&settings(), of, Louder).unwrap()
}

async fn requester(setup: &Setup, style: RequestStyle) -> Requester {
    let of = RequesterSettings { style, partition: 1, ..setup.settings() };
    soon(Requester::start(&settings(), of)).await.unwrap()
}

/// What a call to shout ends with.
fn loud() -> CallError {
    let [status, code, message] = ["failed", "loud", "it cannot be louder"].map(str::to_owned);
    CallError::Failed { status, code, message, retryable: true }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn our_replier_answers_our_requester_in_its_partition() {
    let setup = Setup::with_reply_partitions("own", 2).await;
    let replier = replier(&setup);
    let requester = requester(&setup, RequestStyle::OWN).await;
    let calls: Vec<_> =
        (0..50).map(|n| call(&requester, Request::new(format!("{n}"), format!("a{n}")))).collect();
    for (n, answer) in calls.into_iter().enumerate() {
        let reply = soon(answer).await.unwrap().unwrap();
        assert_eq!(reply.value(), format!("A{n}").as_bytes());
        assert_eq!(reply.key(), Some(n.to_string().as_bytes()));
    }
    let failed = soon(requester.call(request("LOUD"), deadline())).await.unwrap_err();
    assert_eq!(failed, loud());
    soon(requester.close(SOON)).await.unwrap();
    soon(replier.close(SOON)).await.unwrap();
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn our_replier_answers_nest_with_a_header_for_failures() {
    let setup = Setup::with_reply_partitions("nest", 2).await;
    let replier = replier(&setup);
    let style = RequestStyle { partition: PartitionForm::Decimal, ..RequestStyle::default() };
    let requester = requester(&setup, style).await;
    assert_eq!(soon(requester.call(request("a"), deadline())).await.unwrap().value(), b"A");
    let failed = soon(requester.call(request("LOUD"), deadline())).await.unwrap_err();
    assert_eq!(failed, loud());
    let null = Request { value: None, ..request("") };
    let unreadable = soon(requester.call(null, deadline())).await.unwrap_err();
    assert!(
        matches!(&unreadable, CallError::Failed { code, retryable: false, .. } if code == "unreadable"),
        "{unreadable:?}"
    );
    soon(requester.close(SOON)).await.unwrap();
    soon(replier.close(SOON)).await.unwrap();
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn our_replier_answers_smallrye_under_its_own_names() {
    let setup = Setup::with_reply_partitions("smallrye", 2).await;
    let replier = replier(&setup);
    let sender = Sender::new(&settings()).unwrap();
    let asking = Message {
        topic: Arc::from(&*setup.requests),
        partition: None,
        key: Some(b"key".to_vec()),
        value: Some(b"hello".to_vec()),
        headers: vec![
            Header::new("REPLY_CORRELATION_ID", [0x30, 0xba, 0xd1, 0xae]),
            Header::new("REPLY_TOPIC", &*setup.replies),
            Header::new("REPLY_PARTITION", [0, 0, 0, 1]),
        ],
    };
    soon(sender.send(&[asking])).await.unwrap();
    let read = |record: &Incoming<'_>| record.to_owned();
    let reader: Reader<OwnedRecord> = Reader::manual(&settings(), &setup.replies, read).unwrap();
    let reply = loop {
        soon(reader.wait(1, 0)).await;
        if let Some(record) = soon(reader.read(1, 0, 1)).await.unwrap().pop() {
            break record.message;
        }
    };
    assert_eq!(reply.value.as_deref(), Some(&b"HELLO"[..]));
    assert_eq!(reply.headers, [Header::new("REPLY_CORRELATION_ID", [0x30, 0xba, 0xd1, 0xae])]);
    soon(replier.close(SOON)).await.unwrap();
    setup.end().await;
}
