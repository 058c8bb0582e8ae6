//! Single calls over Kafka, one after another, by a client that knows only what travels.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use catchment_request_reply::Settings;
use catchment_request_reply::profile::RequestStyle;
use catchment_request_reply::requester::{Request, Requester, RequesterSettings};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many calls are made before the first measured one, because the first calls open connections.
const WARM_UP: u32 = 100;
/// The distance between the shops of two calls. It is a prime, so that calls in a row do not meet
/// neighbours in the database.
const STRIDE: u32 = 7_919;
/// The partition of the replies that requesters lease last.
const LAST: i32 = 1;

/// How long calls took, in microseconds.
pub(crate) type Latencies = Histogram<u64>;

/// A client that makes calls.
#[derive(Debug)]
pub(crate) struct Calls {
    requester: Requester,
    shops: u32,
    made: u32,
}

impl Calls {
    /// Starts the client, and makes the calls of the warm-up.
    ///
    /// # Errors
    ///
    /// When Kafka cannot be reached, or a call fails.
    pub(crate) async fn begin(
        settings: &Settings,
        [requests, replies]: [String; 2],
        shops: u32,
    ) -> anyhow::Result<Self> {
        let topics = RequesterSettings::new(requests, replies);
        let own = RequesterSettings { partition: LAST, style: RequestStyle::OWN, ..topics };
        let mut calls = Self { requester: Requester::start(settings, own).await?, shops, made: 0 };
        calls.run(WARM_UP).await?;
        Ok(calls)
    }

    /// Makes this many calls.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(crate) async fn run(&mut self, count: u32) -> anyhow::Result<Latencies> {
        let mut took = Latencies::new(3)?;
        for _ in 0..count {
            took.record(self.call().await?)?;
        }
        Ok(took)
    }

    /// Makes calls until the work is done.
    ///
    /// # Errors
    ///
    /// When a call fails, or the work.
    pub(crate) async fn run_while<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>> + Send,
    ) -> anyhow::Result<Latencies> {
        let mut work = std::pin::pin!(work);
        let mut took = Latencies::new(3)?;
        loop {
            tokio::select! {
                done = &mut work => return done.map(|_| took),
                call = self.call() => took.record(call?)?,
            }
        }
    }

    /// Stores a limit at the next shop that is wider than the limits of the campaigns. Returns how
    /// long the reply took.
    async fn call(&mut self) -> anyhow::Result<u64> {
        let shop = format!("gen-{:06}", self.made.wrapping_mul(STRIDE) % self.shops + 1);
        self.made += 1;
        let mut request = Request::new(shop.as_str(), "");
        let envelope = json!({
            "id": request.id.to_string(),
            "target": "shop",
            "key": shop,
            "type": "radius.activate",
            "data": { "kind": "order_surge", "limit": { "metres": 4_000 } },
            // Only information, so it need not be true.
            "requestedAt": "2026-01-01T00:00:00Z",
        });
        request.value = Some(envelope.to_string().into_bytes());
        let start = Instant::now();
        let reply = self.requester.call(request, start + TIMEOUT).await.context("a call failed")?;
        let took = start.elapsed();
        let reply: Value = serde_json::from_slice(reply.value())?;
        let status = reply.get("status").and_then(Value::as_str);
        ensure!(matches!(status, Some("applied" | "unchanged")), "a call was answered: {reply}");
        Ok(took.as_micros().try_into()?)
    }

    /// Closes the client.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        Ok(self.requester.close(TIMEOUT).await?)
    }
}
