//! Kafka alone: how long as many messages take there and back as a campaign has shops. Two sides
//! have clients of their own, as two processes would have: one sends messages and counts what comes
//! back, the other sends every message back as it is. Nothing is parsed or stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use catchment_request_reply::{Incoming, Message, Reader, Sender, Settings, Topics};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The most messages that are read or sent at once.
const BATCH: usize = 2_000;
/// How many batches are sent at the same time.
const AT_ONCE: usize = 24;
/// The approximate number of bytes of a request or a reply.
const BYTES: usize = 250;
/// How long a client may take to end.
const CLOSE: Duration = Duration::from_secs(10);

/// Key and value, shared: a window of records is read without copying them.
type Bytes = (Option<Arc<[u8]>>, Option<Arc<[u8]>>);

/// Sends this many messages to one topic and back by another, which nobody else uses.
///
/// # Errors
///
/// When a topic is missing, or brokers do not take or give the messages.
pub(crate) async fn measure(
    settings: &Settings,
    requests: &str,
    replies: &str,
    count: usize,
) -> anyhow::Result<Duration> {
    let (there, back) = (Lane::all(settings, requests).await?, Lane::all(settings, replies).await?);
    let readers: Vec<_> = [&there, &back].into_iter().flatten().map(|l| l.reader.clone()).collect();
    let (sender, echo) = (Sender::new(settings)?, Sender::new(settings)?);
    let (tell, mut told) = mpsc::channel(AT_ONCE);
    let mut work = JoinSet::new();
    for lane in there {
        work.spawn(lane.echo(echo.clone(), replies.into()));
    }
    for lane in back {
        work.spawn(lane.count(tell.clone()));
    }
    let counted = async {
        let mut back = 0;
        while back < count {
            back += told.recv().await.context("nobody counts")?;
        }
        Ok(())
    };
    let start = Instant::now();
    tokio::select! {
        done = async { tokio::try_join!(send_all(&sender, requests, count), counted) } => done?,
        Some(stopped) = work.join_next() => bail!(stopped?.err().context("stopped early")?),
    };
    let took = start.elapsed();
    work.shutdown().await;
    for reader in readers {
        reader.close(CLOSE).await?;
    }
    sender.close(CLOSE).await?;
    echo.close(CLOSE).await?;
    Ok(took)
}

async fn send_all(sender: &Sender, topic: &str, count: usize) -> anyhow::Result<()> {
    let topic: Arc<str> = topic.into();
    let mut sending = JoinSet::new();
    for first in (0..count).step_by(BATCH) {
        if AT_ONCE <= sending.len()
            && let Some(sent) = sending.join_next().await
        {
            sent??;
        }
        let (sender, topic) = (sender.clone(), Arc::clone(&topic));
        sending.spawn(async move {
            let numbers = first..count.min(first + BATCH);
            let messages = numbers.map(|number| {
                let key = Some(number.to_string().into_bytes());
                message(&topic, key, Some(vec![b'x'; BYTES]))
            });
            sender.send(&messages.collect::<Vec<_>>()).await
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    Ok(())
}

fn message(topic: &Arc<str>, key: Option<Vec<u8>>, value: Option<Vec<u8>>) -> Message {
    Message { topic: Arc::clone(topic), partition: None, key, value, headers: Vec::new() }
}

/// A partition, read from its end on.
struct Lane {
    reader: Reader<Bytes>,
    partition: i32,
    from: i64,
}

impl Lane {
    /// Returns all partitions of a topic.
    async fn all(settings: &Settings, topic: &str) -> anyhow::Result<Vec<Self>> {
        let partitions = Topics::new(settings)?.partitions(topic).await?;
        let partitions = partitions.with_context(|| format!("there is no topic `{topic}`"))?;
        let bytes =
            |record: &Incoming<'_>| (record.key.map(Arc::from), record.value.map(Arc::from));
        let reader = Reader::manual(settings, topic, bytes)?;
        let mut lanes = Vec::new();
        for partition in 0..partitions {
            let from = reader.watermarks(partition).await?.high;
            // Has the client fetch before the time is taken.
            reader.read(partition, from, 1).await?;
            lanes.push(Self { reader: reader.clone(), partition, from });
        }
        Ok(lanes)
    }

    /// Returns the next messages as soon as there are some.
    async fn next(&mut self) -> anyhow::Result<Vec<Bytes>> {
        loop {
            let records = self.reader.read(self.partition, self.from, BATCH).await?;
            if let Some(last) = records.last() {
                self.from = last.offset + 1;
                self.reader.release(self.partition, self.from);
                return Ok(records.into_iter().map(|record| record.message).collect());
            }
            self.reader.wait(self.partition, self.from).await;
        }
    }

    /// Sends everything back as it is, for ever.
    async fn echo(mut self, sender: Sender, topic: Arc<str>) -> anyhow::Result<()> {
        loop {
            let owned = |bytes: Option<Arc<[u8]>>| bytes.map(|bytes| bytes.to_vec());
            let records = self.next().await?.into_iter();
            let messages = records.map(|(key, value)| message(&topic, owned(key), owned(value)));
            sender.send(&messages.collect::<Vec<_>>()).await?;
        }
    }

    /// Tells how many messages came, for as long as somebody listens.
    async fn count(mut self, tell: mpsc::Sender<usize>) -> anyhow::Result<()> {
        loop {
            tell.send(self.next().await?.len()).await?;
        }
    }
}
