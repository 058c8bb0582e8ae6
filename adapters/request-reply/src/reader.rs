//! Reads partitions from positions that somebody else keeps.
//!
//! Each partition has a queue of its own in the client, which its reader empties into a window
//! ([`Buffer`](crate::buffer)) without waiting; so no partition waits for another, and the
//! client stops fetching where nobody reads. Positions come from the caller: one that does not
//! go on with the window is *sought*, after a look at what the partition holds, by assigning
//! the partition anew at exactly that offset. There is no automatic reset anywhere.
//!
//! A *manual* reader reads whatever it is asked for. A *group* member reads what it is
//! assigned, and is told of it by [`GroupEvent`]s; an assignment has no position until its lane
//! reads. A broker that is away shows as reads that bring nothing, or as
//! [`ReadError::Unavailable`] where it must be asked; the client comes back by itself.
//! Whatever keeps a partition from being read is logged once, and [`Reader::trouble`] tells it
//! as long as it lasts.

mod client;
mod event;
mod group;
mod lane;
mod look;
mod membership;
mod signal;
mod idle_watchdog;
mod trouble;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use tracing::debug;

pub use crate::buffer::Record;
pub use crate::commit::Commit;
use crate::error::{NotClosed, ReadError, SettingsError};
use crate::point_reader::{Isolation, PointReader};
use crate::record::{Incoming, OwnedRecord};
use crate::settings::Settings;
use client::{Client, has_no_leader};
pub use event::{GroupEvent, GroupEvents};
use group::Context;
use lane::{Lane, Pulled};
use look::Ends;
pub use trouble::Trouble;

/// How long to leave a partition alone that has no leader.
const LEADER_PAUSE: Duration = Duration::from_millis(50);

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first record that is there.
    pub low: i64,
    /// One past the last.
    pub high: i64,
}

type Parse<M> = dyn Fn(&Incoming<'_>) -> M + Send + Sync;

/// Reads partitions of one topic. Clones share one client.
pub struct Reader<M>(Arc<Shared<M>>);

struct Shared<M> {
    client: Client,
    lanes: Mutex<HashMap<i32, Arc<Lane<M>>>>,
    parse: Box<Parse<M>>,
    point_reader: PointReader,
    request_timeout: Duration,
    silence: Duration,
}

impl<M> Clone for Reader<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> std::fmt::Debug for Reader<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("topic", &self.topic()).finish_non_exhaustive()
    }
}

impl<M> Reader<M> {
    /// The topic that is read.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.0.client.context.topic
    }
}

impl<M: Clone + Send + Sync + 'static> Reader<M> {
    /// A reader of whatever partitions are read; it joins no group.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn manual(
        settings: &Settings,
        topic: &str,
        parse: impl Fn(&Incoming<'_>) -> M + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        Self::new(settings, Context::new(settings, topic, None), Box::new(parse))
    }

    /// A member of the settings' group, which reads the partitions that it is assigned.
    /// The events must be taken.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn group(
        settings: &Settings,
        topic: &str,
        parse: impl Fn(&Incoming<'_>) -> M + Send + Sync + 'static,
    ) -> Result<(Self, GroupEvents), SettingsError> {
        let (tell, events) = event::channel();
        let context = Context::new(settings, topic, Some(tell));
        let reader = Self::new(settings, context, Box::new(parse))?;
        membership::watch(&reader.0, settings.rejoin)?;
        Ok((reader, events))
    }

    fn new(
        settings: &Settings,
        context: Context,
        parse: Box<Parse<M>>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let config = settings.consumer_config()?;
        Ok(Self(Arc::new(Shared {
            client: Client::new(&config, context, settings.request_timeout)?,
            lanes: Mutex::default(),
            parse,
            // Whatever is fetched was read before, so no transaction can take it back.
            point_reader: PointReader::new(config, Isolation::Uncommitted),
            request_timeout: settings.request_timeout,
            silence: settings.silence,
        })))
    }

    /// Up to `max` records from `from` on; none when there are none yet. The same records are
    /// read again until they are released. Gaps between offsets are normal.
    ///
    /// A partition that is read for the first time, or not from where its reader stopped, costs
    /// a question to the broker.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or are no more; never a silent skip.
    pub async fn read(
        &self,
        partition: i32,
        from: i64,
        max: usize,
    ) -> Result<Vec<Record<M>>, ReadError> {
        let lane = self.lane(partition);
        let _turn = lane.turn.lock().await;
        self.0.client.check(partition)?;
        if !lane.covers(from) {
            self.seek(&lane, partition, from).await?;
        }
        match lane.pull(from, max, &self.0.parse) {
            Pulled::Records => Ok(lane.read(from, max)),
            Pulled::OutOfRange => {
                // The look that comes with seeking says what is wrong.
                self.seek(&lane, partition, from).await?;
                Ok(Vec::new())
            }
        }
    }

    /// Returns once [`read`](Self::read) from there may have something to say: a record, or an
    /// error. Whoever stops waiting and waits again misses nothing: a lane's silence goes on.
    pub async fn wait(&self, partition: i32, from: i64) {
        let lane = self.lane(partition);
        loop {
            // Listens before it looks: what comes in between is heard.
            let news = lane.signal.news.notified();
            if self.has_news(&lane, partition, from) {
                return;
            }
            if tokio::time::timeout(lane.patience(), news).await.is_err() {
                lane.is_looked_after();
                self.look_after_meanwhile(&lane, partition).await;
            }
        }
    }

    /// What keeps a partition from being read, as far as is known: what the client says of it,
    /// such as that the topic is not to be read by this user, or a transaction that stays open.
    #[must_use]
    pub fn trouble(&self, partition: i32) -> Option<Trouble> {
        let lane = self.lanes().get(&partition).map(Arc::clone)?;
        self.0.client.check(partition).ok()?;
        lane.trouble()
    }

    /// What keeps the client as a whole from reading, or its group from taking it in.
    #[must_use]
    pub fn group_trouble(&self) -> Option<Trouble> {
        self.0.client.context.trouble()
    }

    /// Says that nobody needs the records below `next` any more.
    pub fn release(&self, partition: i32, next: i64) {
        self.lane(partition).release(next);
    }

    /// How many partitions the topic has now, `None` where there is no such topic; the broker is
    /// asked.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn partitions(&self) -> Result<Option<i32>, ReadError> {
        self.blocking(|shared| shared.client.partitions()).await
    }

    /// Where the partition begins and ends now; the broker is asked.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn watermarks(&self, partition: i32) -> Result<Watermarks, ReadError> {
        self.ask_leader(move |shared| shared.client.watermarks(partition)).await
    }

    /// One record as it stands in the log, `None` where there is none (any more). Whoever reads
    /// the partition is not disturbed.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn fetch(
        &self,
        partition: i32,
        offset: i64,
    ) -> Result<Option<OwnedRecord>, ReadError> {
        self.blocking(move |Shared { client, point_reader, request_timeout, .. }| {
            client.consumer()?;
            let topic = &client.context.topic;
            let fetched = point_reader.fetch(topic, (partition, offset), *request_timeout);
            fetched.map_err(|error| client.read_error(&error))
        })
        .await
    }

    /// What the group has committed for the partition.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn committed(&self, partition: i32) -> Result<Option<Commit>, ReadError> {
        self.blocking(move |shared| shared.client.committed(partition)).await
    }

    /// Commits the group's offset, in the background: a hint for tools that show lag.
    pub fn commit(&self, partition: i32, commit: &Commit) {
        if let Err(error) = self.0.commit(partition, commit, CommitMode::Async) {
            debug!(kafka.topic = self.topic(), kafka.partition = partition, "{error}");
        }
    }

    /// Commits the group's offset, and returns once the broker has stored it.
    ///
    /// # Errors
    ///
    /// When it was perhaps not stored.
    pub async fn commit_now(&self, partition: i32, commit: Commit) -> Result<(), ReadError> {
        let within = self.0.request_timeout;
        let stored =
            self.blocking(move |shared| shared.commit(partition, &commit, CommitMode::Sync));
        let stored = tokio::time::timeout(within, stored).await;
        stored.unwrap_or_else(|_| self.unavailable(format!("no answer within {within:?}")))
    }

    /// Says that the lane of a revoked partition has finished.
    pub fn drained(&self, partition: i32, generation: u64) {
        let context = &self.0.client.context;
        context.assignment().drained(partition, generation);
        context.drained.notify_all();
    }

    /// Leaves the group and ends the client. Reads fail from now on, and what waits returns.
    ///
    /// # Errors
    ///
    /// When the client did not end in time: then the process should.
    pub async fn close(&self, within: Duration) -> Result<(), NotClosed> {
        self.0.client.begin_close();
        let lanes: Vec<_> = self.lanes().drain().map(|(_, lane)| lane).collect();
        for lane in lanes {
            drop(lane.stop());
        }
        let shared = Arc::clone(&self.0);
        let other = tokio::task::spawn_blocking(move || shared.point_reader.close());
        let both = async {
            let main = self.0.client.await_end(within).await;
            other.await.map_err(|_| NotClosed { within }).and(main)
        };
        tokio::time::timeout(within, both).await.unwrap_or(Err(NotClosed { within }))
    }

    /// Has the client fetch from exactly here.
    async fn seek(&self, lane: &Arc<Lane<M>>, partition: i32, from: i64) -> Result<(), ReadError> {
        let Watermarks { low, high } = self.watermarks(partition).await?;
        if from < low {
            return Err(ReadError::Truncated { from, first: low });
        }
        if high < from {
            return Err(ReadError::Beyond { from, end: high });
        }
        let old = lane.stop();
        let start = move |shared: &Shared<M>| shared.client.start(partition, from, old);
        lane.restart(self.blocking(start).await?, from);
        // A close that came in between has not seen this queue.
        if self.0.client.consumer().is_err() {
            drop(lane.stop());
        }
        Ok(())
    }

    fn unavailable<T>(&self, cause: String) -> Result<T, ReadError> {
        Err(ReadError::Unavailable { topic: self.topic().to_owned(), cause })
    }

    fn has_news(&self, lane: &Lane<M>, partition: i32, from: i64) -> bool {
        if self.0.client.check(partition).is_err() || !lane.covers(from) || lane.has(from) {
            return true;
        }
        match lane.pull(from, 1, &self.0.parse) {
            Pulled::Records => lane.has(from),
            Pulled::OutOfRange => {
                lane.signal.invalidate();
                true
            }
        }
    }

    /// Looks after a lane on a task of its own, which goes on when nobody waits any more; it
    /// ends with the time for a question.
    async fn look_after_meanwhile(&self, lane: &Arc<Lane<M>>, partition: i32) {
        let (reader, lane) = (self.clone(), Arc::clone(lane));
        let look = tokio::spawn(async move { reader.look_after(&lane, partition).await });
        if let Err(error) = look.await {
            debug!(kafka.topic = self.topic(), kafka.partition = partition, "{error}");
        }
    }

    /// The watchdog of a lane: one that is silent although the log goes on is sought again, and
    /// what holds the log back is told.
    async fn look_after(&self, lane: &Lane<M>, partition: i32) {
        let next = lane.next();
        match self.ends(partition, next).await {
            Ok(ends) => lane.note_look(next, Ok(ends)),
            Err(ReadError::Unavailable { cause, .. } | ReadError::Refused { cause, .. }) => {
                lane.note_look(next, Err(cause));
            }
            // Whoever reads is told.
            Err(_) => {}
        }
    }

    /// Where a partition ends for a lane whose next offset is `next`.
    ///
    /// The newest record is asked for first: where those that may be read end before it even
    /// afterwards, a transaction is open.
    async fn ends(&self, partition: i32, next: i64) -> Result<Ends, ReadError> {
        let newest = self.ask_leader(move |shared| shared.newest(partition)).await?;
        if newest <= next {
            return Ok(Ends { stable: newest, newest });
        }
        Ok(Ends { stable: self.watermarks(partition).await?.high, newest })
    }

    fn lane(&self, partition: i32) -> Arc<Lane<M>> {
        let signal = || self.0.client.context.signals.of(partition);
        let place = (self.topic(), partition);
        let new = || Arc::new(Lane::new(place, signal(), self.0.silence));
        let mut lanes = self.lanes();
        Arc::clone(lanes.entry(partition).or_insert_with(new))
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<i32, Arc<Lane<M>>>> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the leader of a partition, for as long as a question may take: there may be none just
    /// now.
    async fn ask_leader<T: Send + 'static>(
        &self,
        ask: impl Fn(&Shared<M>) -> Result<Option<T>, ReadError> + Copy + Send + Sync + 'static,
    ) -> Result<T, ReadError> {
        let within = self.0.request_timeout;
        let asking = async {
            loop {
                match self.blocking(ask).await? {
                    Some(answer) => return Ok(answer),
                    None => tokio::time::sleep(LEADER_PAUSE).await,
                }
            }
        };
        let asked = tokio::time::timeout(within, asking).await;
        asked.unwrap_or_else(|_| self.unavailable(format!("no answer within {within:?}")))
    }

    /// The client answers questions only while its caller waits, which a task must not.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Shared<M>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let shared = Arc::clone(&self.0);
        let asked = tokio::task::spawn_blocking(move || ask(&shared));
        asked.await.unwrap_or(Err(ReadError::Closed))
    }
}

impl<M> Shared<M> {
    /// One past a partition's last record; `None` where it has no leader just now. Blocks.
    fn newest(&self, partition: i32) -> Result<Option<i64>, ReadError> {
        self.client.consumer()?;
        let topic = &self.client.context.topic;
        match self.point_reader.end(topic, partition, self.request_timeout) {
            Ok(newest) => Ok(Some(newest)),
            Err(error) if has_no_leader(&error) => Ok(None),
            Err(error) => Err(self.client.read_error(&error)),
        }
    }

    fn commit(&self, partition: i32, commit: &Commit, mode: CommitMode) -> Result<(), ReadError> {
        let consumer = self.client.consumer()?;
        let list = self.client.at(partition, commit.next)?;
        if let Some(mut element) = list.find_partition(&self.client.context.topic, partition)
            && !commit.metadata.is_empty()
        {
            element.set_metadata(&commit.metadata);
        }
        let committed = consumer.commit(&list, mode);
        committed.map_err(|error| self.client.read_error(&error))
    }
}
