//! Measures single calls over Kafka, one after another.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use catchment_domain::Change;

use crate::commands::Context;
use crate::servers::calling::Calling;
use crate::servers::percentile::Sample;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many calls are made before the first measured one, because the first calls open connections.
const WARM_UP: u32 = 100;
/// The distance between the shops of two calls. It is a prime, so that calls in a row do not meet
/// neighbours in the database.
const STRIDE: u32 = 7_919;

/// The caller of the benchmark.
pub(super) struct Calls {
    calling: Calling,
    shops: u32,
    made: AtomicU32,
}

impl Calls {
    /// Opens a reply lane, and makes the calls of the warm-up.
    pub(super) async fn begin(context: &Context, shops: u32) -> anyhow::Result<Self> {
        let calling = Calling::start(&context.settings).await?;
        let calls = Self { calling, shops, made: AtomicU32::new(0) };
        for _ in 0..WARM_UP {
            calls.call().await?;
        }
        Ok(calls)
    }

    /// Makes this many calls.
    pub(super) async fn run(&self, count: u32) -> anyhow::Result<Sample> {
        let mut took = Vec::with_capacity(count as usize);
        for _ in 0..count {
            took.push(self.call().await?);
        }
        Ok(took.into())
    }

    /// Makes calls until the work is done.
    pub(super) async fn run_while<T>(
        &self,
        work: impl Future<Output = T> + Send,
    ) -> anyhow::Result<(T, Sample)> {
        let mut work = std::pin::pin!(work);
        let mut took = Vec::new();
        loop {
            tokio::select! {
                done = &mut work => return Ok((done, took.into())),
                call = self.call() => took.push(call?),
            }
        }
    }

    /// Stores a limit at the next shop that is wider than the limits of the campaigns.
    async fn call(&self) -> anyhow::Result<Duration> {
        let number = self.made.fetch_add(1, Ordering::Relaxed).wrapping_mul(STRIDE);
        let shop = format!("gen-{:06}", number % self.shops + 1).parse()?;
        let change = Change::ActivateKind {
            kind: "order_surge".parse()?,
            limit: "4km".parse()?,
            deadline: None,
        };
        let start = Instant::now();
        let reply = self.calling.call(shop, change, TIMEOUT).await.context("a call failed")?;
        let took = start.elapsed();
        let status = reply.outcome.status;
        ensure!(
            status.took_effect(),
            "a call was {status}: {}",
            reply.outcome.message().unwrap_or_default()
        );
        Ok(took)
    }

    /// Closes the reply lane.
    pub(super) async fn end(self) {
        self.calling.end().await;
    }
}
