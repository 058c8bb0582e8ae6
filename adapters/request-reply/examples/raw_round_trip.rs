//! Prints how many messages a second go there and back.
//!
//! ```sh
//! cargo run --release --example raw_round_trip -- localhost:9092 300000 250
//! ```

use std::error::Error;
use std::process;

use catchment_request_reply::{NewTopic, Route, Settings, Topics, raw_round_trip};

/// The client frees messages on other threads than those that made them, which the system's
/// allocator is slow at: this doubles the rate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [brokers, count, size] = arguments.as_slice() else {
        return Err("brokers, number of messages and bytes of each, please".into());
    };
    let settings = Settings::new(brokers, format!("round-trip-{}", process::id()));
    let route = Route {
        requests: format!("round-trip.{}", process::id()),
        replies: format!("round-trip.{}-replies", process::id()),
    };
    let topics = Topics::new(&settings)?;
    for name in [&route.requests, &route.replies] {
        let topic = NewTopic {
            name: name.clone(),
            partitions: 12,
            replication: None,
            properties: Vec::new(),
        };
        topics.create(&topic).await?;
    }
    for _ in 0..5 {
        let trip = raw_round_trip(&settings, &route, count.parse()?, size.parse()?).await?;
        report(&format!("{:>9.0} messages/s", trip.rate()));
    }
    topics.delete(&route.requests).await?;
    topics.delete(&route.replies).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn report(line: &str) {
    println!("{line}");
}
