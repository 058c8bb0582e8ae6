//! A replier that a test plays by hand.

use std::sync::Arc;

use catchment_request_reply::profile::{ReplyDetails, ReplyTo};
use catchment_request_reply::{Header, Incoming, Message, OwnedRecord, Reader, Sender};

use crate::requester::broker::{settings, soon};

/// A replier that does what a test tells it.
pub(crate) struct Peer {
    requests: Reader<OwnedRecord>,
    next: i64,
    sender: Sender,
}

impl Peer {
    /// A replier to a topic with one partition.
    pub(crate) fn new(requests: &str) -> Self {
        let settings = settings();
        let requests =
            Reader::manual(&settings, requests, |record: &Incoming<'_>| record.to_owned()).unwrap();
        Self { requests, next: 0, sender: Sender::new(&settings).unwrap() }
    }

    /// The requests that have come, at least one.
    pub(crate) async fn requests(&mut self) -> Vec<OwnedRecord> {
        loop {
            self.requests.wait(0, self.next).await;
            let records = self.requests.read(0, self.next, 1_000).await.unwrap();
            if let Some(last) = records.last() {
                self.next = last.offset + 1;
                self.requests.release(0, self.next);
                return records.into_iter().map(|record| record.message).collect();
            }
        }
    }

    /// The next request, where only one is on its way.
    pub(crate) async fn request(&mut self) -> OwnedRecord {
        let mut requests = soon(self.requests()).await;
        assert_eq!(requests.len(), 1, "one request was sent");
        requests.remove(0)
    }

    /// Replies with the value of the request, the way its headers ask for.
    pub(crate) async fn echo(&self, requests: &[OwnedRecord]) {
        let replies: Vec<_> = requests.iter().map(|request| reply(request, None)).collect();
        soon(self.sender.send(&replies)).await.unwrap();
    }

    /// Replies with anything at all.
    pub(crate) async fn reply(&self, message: Message) {
        soon(self.sender.send(&[message])).await.unwrap();
    }

    /// Echoes whatever comes, for ever.
    pub(crate) async fn echo_all(mut self) {
        loop {
            let requests = self.requests().await;
            self.echo(&requests).await;
        }
    }
}

/// The reply to a request: its own value, or a failure.
pub(crate) fn reply(request: &OwnedRecord, failure: Option<&str>) -> Message {
    let incoming = request.as_incoming();
    let reply_to = ReplyTo::read(incoming.headers.iter().copied())
        .unwrap()
        .expect("the request names a reply topic");
    let details = ReplyDetails { failure, type_id: None };
    let headers = reply_to.headers(&details);
    Message {
        topic: Arc::from(reply_to.topic()),
        partition: reply_to.partition().number(),
        key: request.key.clone(),
        value: Some(incoming.value.unwrap_or_default().to_vec()),
        headers: headers
            .map(|(name, value)| Header::new(name, value.unwrap_or_default()))
            .collect(),
    }
}
