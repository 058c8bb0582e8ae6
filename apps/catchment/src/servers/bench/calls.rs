//! Single calls over Kafka, one after the other, and how long each takes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use catchment_domain::Change;

use crate::commands::Context;
use crate::servers::calling::Calling;
use crate::servers::percentile::Sample;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many calls are made before any is measured: the first ones open connections.
const WARM_UP: u32 = 100;
/// Neighbours in time are no neighbours in the database: a prime.
const STRIDE: u32 = 7_919;

/// Who calls.
pub(super) struct Calls {
    calling: Calling,
    shops: u32,
    made: AtomicU32,
}

impl Calls {
    /// Opens a reply lane of its own, and calls a few times.
    pub(super) async fn begin(context: &Context, shops: u32) -> anyhow::Result<Self> {
        let calling = Calling::start(&context.settings).await?;
        let calls = Self { calling, shops, made: AtomicU32::new(0) };
        for _ in 0..WARM_UP {
            calls.call().await?;
        }
        Ok(calls)
    }

    /// Calls so many times.
    pub(super) async fn run(&self, count: u32) -> anyhow::Result<Sample> {
        let mut took = Vec::with_capacity(count as usize);
        for _ in 0..count {
            took.push(self.call().await?);
        }
        Ok(took.into())
    }

    /// Calls until the work is done.
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

    /// Stores a limit at the next shop, wider than those of the campaigns.
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

    /// Closes what was opened.
    pub(super) async fn end(self) {
        self.calling.end().await;
    }
}
