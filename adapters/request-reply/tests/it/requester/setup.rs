//! What most tests need.

use std::time::Instant;

use catchment_request_reply::requester::{
    CallError, Reply, ReplyBatches, Request, Requester, RequesterSettings, Start,
};
use tokio::task::JoinHandle;

use crate::requester::broker::{SOON, delete, new_topic, settings, soon};
use crate::requester::peer::Peer;

/// A requester's topics, and a replier at the other end.
pub(crate) struct Setup {
    pub(crate) requests: String,
    pub(crate) replies: String,
    pub(crate) peer: Peer,
}

impl Setup {
    pub(crate) async fn new(name: &str) -> Self {
        Self::with_reply_partitions(name, 1).await
    }

    pub(crate) async fn with_reply_partitions(name: &str, partitions: i32) -> Self {
        let requests = new_topic(name, 1).await;
        let replies = new_topic(&format!("{name}.replies"), partitions).await;
        let peer = Peer::new(&requests);
        Self { requests, replies, peer }
    }

    pub(crate) fn settings(&self) -> RequesterSettings {
        RequesterSettings::new(&*self.requests, &*self.replies)
    }

    pub(crate) async fn requester(&self) -> Requester {
        soon(Requester::start(&settings(), self.settings())).await.unwrap()
    }

    pub(crate) async fn batches(&self, start: Start) -> (Requester, ReplyBatches) {
        let of = RequesterSettings { start, ..self.settings() };
        soon(Requester::start_with_batches(&settings(), of)).await.unwrap()
    }

    pub(crate) async fn end(self) {
        delete([&*self.requests, &*self.replies]).await;
    }
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + SOON
}

pub(crate) fn request(value: &str) -> Request {
    Request::new("key", value)
}

/// A call in a task of its own.
pub(crate) fn call(
    requester: &Requester,
    request: Request,
) -> JoinHandle<Result<Reply, CallError>> {
    let requester = requester.clone();
    tokio::spawn(async move { requester.call(request, deadline()).await })
}

/// Makes one more call: when it is answered, every reply before its reply was looked at.
pub(crate) async fn ask_and_echo(requester: &Requester, peer: &mut Peer) {
    let answer = call(requester, request("one more"));
    let asked = peer.request().await;
    peer.echo(&[asked]).await;
    soon(answer).await.unwrap().unwrap();
}
