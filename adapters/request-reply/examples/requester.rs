//! Asks for greetings; start the example `replier` beside it, or any other replier to the topic.
//!
//! ```console
//! cargo run --example requester -- 127.0.0.1:9092 Ada Grace
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::{Duration, Instant};

use catchment_request_reply::requester::{CallError, Request, Requester, RequesterSettings};
use catchment_request_reply::{NewTopic, Settings, Topics};

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let clients = Settings::new(servers, "greetings-requester");
    create_topics(&clients).await?;

    let settings = RequesterSettings::new("greetings", "greetings-replies");
    let requester = Requester::start(&clients, settings).await?;
    for name in arguments {
        let request = Request::new(&*name, &*name);
        match requester.call(request, Instant::now() + PATIENCE).await {
            Ok(reply) => println!("{}", String::from_utf8_lossy(reply.value())),
            Err(CallError::TimedOut) => println!("{name} may still be greeted, but too late"),
            Err(error) => println!("{name} is not greeted: {error}"),
        }
    }
    println!("{:?}", requester.counters());
    requester.close(PATIENCE).await?;
    Ok(())
}

/// Makes the topics, where they are not there yet.
async fn create_topics(clients: &Settings) -> Result<(), Box<dyn Error>> {
    let topics = Topics::new(clients)?;
    for (name, partitions) in [("greetings", 3), ("greetings-replies", 1)] {
        let name = name.to_owned();
        let topic = NewTopic { name, partitions, replication: None, properties: Vec::new() };
        topics.create(&topic).await?;
    }
    Ok(())
}
