//! Greets everybody who asks, until Ctrl-C.
//!
//! ```sh
//! cargo run --example replier -- 127.0.0.1:9092
//! ```

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use catchment_request_reply::replier::{Failure, Handler, Replier, ReplierSettings, Reply};
use catchment_request_reply::{Incoming, NewTopic, Settings, Topics};

struct Greeter;

#[async_trait]
impl Handler for Greeter {
    type Request = String;

    fn parse(&self, record: &Incoming<'_>) -> Result<String, Failure> {
        let name = record.value.map(<[u8]>::to_vec).map(String::from_utf8);
        match name {
            Some(Ok(name)) => Ok(name),
            Some(Err(_)) => Err(Failure::rejected("no_text", "a name is UTF-8")),
            None => Err(Failure::rejected("null_value", "there is no name")),
        }
    }

    async fn handle(&self, names: Vec<String>) -> Vec<Result<Reply, Failure>> {
        names.into_iter().map(|name| Ok(format!("hello {name}").into())).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let brokers = std::env::args().nth(1).ok_or("which brokers? for example 127.0.0.1:9092")?;
    let settings = Settings::new(brokers, "greetings-replier");
    let topics = Topics::new(&settings)?;
    // Who asks names no partition for the reply, so there is one.
    for (name, partitions) in [("greetings", 3), ("greetings-dlt", 3), ("greetings-replies", 1)] {
        let name = name.to_owned();
        let topic = NewTopic { name, partitions, replication: None, properties: Vec::new() };
        topics.create(&topic).await?;
    }
    let mut replier = Replier::start(&settings, ReplierSettings::new("greetings"), Greeter)?;
    tokio::select! {
        error = replier.failed() => Err(error.into()),
        asked = tokio::signal::ctrl_c() => {
            asked?;
            Ok(replier.close(Duration::from_secs(10)).await?)
        }
    }
}
