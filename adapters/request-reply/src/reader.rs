//! Reads partitions from positions that somebody else keeps.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::error::{NotClosed, ReadError, SettingsError};
use crate::record::{Incoming, OwnedRecord};
use crate::settings::Settings;

/// A record that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<M> {
    /// Its place in the partition.
    pub offset: i64,
    /// What it says.
    pub message: M,
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first record that is there.
    pub low: i64,
    /// One past the last.
    pub high: i64,
}

/// What happens to the partitions of a group's member. Generations only rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// These partitions are this member's: start a lane for each.
    Assigned {
        /// Which; there may be none.
        partitions: Vec<i32>,
        /// Which assignment this is.
        generation: u64,
    },
    /// These partitions will be another's: finish what is at hand, then say
    /// [`drained`](Reader::drained) for each. Reading them fails from now on.
    Revoked {
        /// Which.
        partitions: Vec<i32>,
        /// Which assignment this is.
        generation: u64,
        /// They are given away then, drained or not.
        deadline: Instant,
    },
    /// These partitions are another's already: drop what is at hand.
    Lost {
        /// Which.
        partitions: Vec<i32>,
        /// Which assignment this is.
        generation: u64,
    },
    /// The client is of no use any more: end the process, and start it again.
    Failed {
        /// What the client says.
        cause: String,
    },
}

/// The events of a group's member, in order.
pub type GroupEvents = mpsc::Receiver<GroupEvent>;

/// Reads partitions of one topic. Clones share one client.
#[derive(Debug)]
pub struct Reader<M>(PhantomData<fn() -> M>);

impl<M> Clone for Reader<M> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<M: Clone + Send + Sync + 'static> Reader<M> {
    /// A reader of whatever partitions are read; it joins no group.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn manual(
        _settings: &Settings,
        _topic: &str,
        _parse: impl Fn(&Incoming<'_>) -> M + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        todo!()
    }

    /// A member of the settings' group, which reads the partitions that it is assigned.
    /// The events must be taken.
    ///
    /// # Errors
    ///
    /// When the client refuses a setting.
    pub fn group(
        _settings: &Settings,
        _topic: &str,
        _parse: impl Fn(&Incoming<'_>) -> M + Send + Sync + 'static,
    ) -> Result<(Self, GroupEvents), SettingsError> {
        todo!()
    }

    /// Up to `max` records from `from` on; none when there are none yet. The same records are
    /// read again until they are released. Gaps between offsets are normal.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or are no more; never a silent skip.
    pub async fn read(
        &self,
        _partition: i32,
        _from: i64,
        _max: usize,
    ) -> Result<Vec<Record<M>>, ReadError> {
        todo!()
    }

    /// Returns once [`read`](Self::read) from there may have something to say: a record, or an
    /// error.
    pub async fn wait(&self, _partition: i32, _from: i64) {
        todo!()
    }

    /// Says that nobody needs the records below `next` any more.
    pub fn release(&self, _partition: i32, _next: i64) {
        todo!()
    }

    /// Where the partition begins and ends now; the broker is asked.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn watermarks(&self, _partition: i32) -> Result<Watermarks, ReadError> {
        todo!()
    }

    /// One record as it stands in the log, `None` where there is none (any more). Whoever reads
    /// the partition is not disturbed.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn fetch(
        &self,
        _partition: i32,
        _offset: i64,
    ) -> Result<Option<OwnedRecord>, ReadError> {
        todo!()
    }

    /// What the group has committed for the partition.
    ///
    /// # Errors
    ///
    /// When no broker answers.
    pub async fn committed(&self, _partition: i32) -> Result<Option<i64>, ReadError> {
        todo!()
    }

    /// Commits `next` as the group's offset, in the background: a hint for tools that show lag.
    pub fn commit(&self, _partition: i32, _next: i64) {
        todo!()
    }

    /// Commits `next` as the group's offset, and returns once the broker has stored it.
    ///
    /// # Errors
    ///
    /// When it was not stored.
    pub async fn commit_now(&self, _partition: i32, _next: i64) -> Result<(), ReadError> {
        todo!()
    }

    /// Says that the lane of a revoked partition has finished.
    pub fn drained(&self, _partition: i32, _generation: u64) {
        todo!()
    }

    /// Leaves the group and ends the client. Reads fail from now on.
    ///
    /// # Errors
    ///
    /// When the client did not end in time: then the process should.
    pub async fn close(&self, _within: Duration) -> Result<(), NotClosed> {
        todo!()
    }
}
