//! A typed replier and requester: every failure of the replier is an error of the call.
//!
//! ```sh
//! cargo run --example quickstart -- 127.0.0.1:9092
//! ```
#![expect(clippy::panic, reason = "the replier answers even if its handler panics")]

use std::error::Error;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catchment_request_reply::replier::{Failure, Handler, Replier, ReplierSettings, Reply};
use catchment_request_reply::requester::{CallError, Request, Requester, RequesterSettings};
use catchment_request_reply::{Incoming, NewTopic, Settings, Topics};
use serde::{Deserialize, Serialize};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Serialize, Deserialize)]
struct Ask {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    text: String,
}

struct Greeter;

#[async_trait]
impl Handler for Greeter {
    type Request = Ask;

    fn parse(&self, record: &Incoming<'_>) -> Result<Ask, Failure> {
        record.json()
    }

    async fn handle(&self, asked: Vec<Ask>) -> Vec<Result<Reply, Failure>> {
        let greet = |Ask { name }| match &*name {
            "" => Err(Failure::rejected("no_name", "there is nobody to greet")),
            "busy" => Err(Failure::failed("busy", "too many are greeted now")),
            "bug" => panic!("the handler has a bug"),
            name => Reply::json(&Greeting { text: format!("hello {name}") }),
        };
        asked.into_iter().map(greet).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let brokers = std::env::args().nth(1).ok_or("which brokers? for example 127.0.0.1:9092")?;
    run(&brokers, &format!("greetings-{}", std::process::id())).await
}

/// Returns an error if a call does not end as it should.
pub(crate) async fn run(brokers: &str, requests: &str) -> Result<(), Box<dyn Error>> {
    let (clients, reply_topic) = (Settings::new(brokers, requests), format!("{requests}-replies"));
    let topics = Topics::new(&clients)?;
    // Requests name no partition for the reply, so there is one.
    for (name, partitions) in [(requests, 3), (&*reply_topic, 1)] {
        let (name, properties) = (name.to_owned(), Vec::new());
        topics.create(&NewTopic { name, partitions, replication: None, properties }).await?;
    }
    let replier = Replier::start(&clients, ReplierSettings::new(requests), Greeter)?;
    let requester =
        Requester::start(&clients, RequesterSettings::new(requests, &*reply_topic)).await?;
    for (name, expected) in [
        ("Ada", "Ok: hello Ada"),
        ("", "no_name, retryable: false"),
        ("busy", "busy, retryable: true"),
        ("bug", "handler_failed, retryable: true"),
    ] {
        let request = Request::json(name, &Ask { name: name.to_owned() })?;
        let end = match requester.call(request, Instant::now() + PATIENCE).await {
            Ok(reply) => format!("Ok: {}", reply.json::<Greeting>()?.text),
            Err(CallError::Failed { code, retryable, .. }) => {
                format!("{code}, retryable: {retryable}")
            }
            Err(error) => return Err(error.into()),
        };
        if end != expected {
            return Err(format!("the call for `{name}` ended with {end}, not {expected}").into());
        }
    }
    requester.close(PATIENCE).await?;
    replier.close(PATIENCE).await?;
    topics.delete(requests).await?;
    Ok(topics.delete(&reply_topic).await?)
}
