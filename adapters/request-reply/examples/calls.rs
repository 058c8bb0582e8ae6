//! Calls a replier of any kind many times, and prints as JSON how the calls ended.
//!
//! The replier answers with the request's `id` and a `status`, or with a failure. Both topics must
//! exist, and the reply topic must have one partition.
//!
//! ```console
//! cargo run --example calls -- 127.0.0.1:9092 orders orders-replies 1000 50
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catchment_request_reply::Settings;
use catchment_request_reply::requester::{CallError, Request, Requester, RequesterSettings};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [servers, requests, replies, calls, at_once] = arguments.as_slice() else {
        return Err("servers, topic of requests, topic of replies, calls, calls at once".into());
    };
    let clients = Settings::new(servers, "calls");
    let settings = RequesterSettings::new(requests.as_str(), replies.as_str());
    let requester = Requester::start(&clients, settings).await?;

    let numbers = Arc::new(Mutex::new(0..calls.parse::<u32>()?));
    let mut callers = JoinSet::new();
    for _ in 0..at_once.parse::<u32>()? {
        callers.spawn(call_in_turn(requester.clone(), Arc::clone(&numbers)));
    }
    let mut ends = BTreeMap::<String, u32>::new();
    while let Some(ended) = callers.join_next().await {
        for end in ended? {
            *ends.entry(end).or_default() += 1;
        }
    }
    println!("{}", json!({ "ends": ends }));
    requester.close(PATIENCE).await?;
    Ok(())
}

/// Makes a call for each next number until no number is left. Returns how each call ended.
async fn call_in_turn(requester: Requester, numbers: Arc<Mutex<Range<u32>>>) -> Vec<String> {
    let next = || numbers.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut ends = Vec::new();
    while let Some(number) = next() {
        ends.push(call(&requester, number).await);
    }
    ends
}

/// Makes one call. Every fifth request asks the replier to fail.
async fn call(requester: &Requester, number: u32) -> String {
    let key = format!("shop-{number}");
    let mut request = Request::new(key.as_str(), "");
    let id = request.id.to_string();
    let value = json!({ "id": id, "key": key, "fail": number.is_multiple_of(5) });
    request.value = Some(value.to_string().into_bytes());
    match requester.call(request, Instant::now() + PATIENCE).await {
        Ok(reply) => match serde_json::from_slice::<Value>(reply.value()) {
            Ok(value) if text(&value, "id") == id => text(&value, "status").to_owned(),
            Ok(_) => "another's reply".to_owned(),
            Err(_) => "unreadable".to_owned(),
        },
        Err(CallError::Failed { message, .. }) if message.contains(&id) => "failed".to_owned(),
        Err(CallError::Failed { .. }) => "another's failure".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The text of a field, or an empty text if there is no such field.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
