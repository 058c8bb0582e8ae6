//! What a group's member is told of its partitions.

use std::time::Instant;

use tokio::sync::mpsc;

/// Rebalances are rare; an owner that leaves so many events lying has stopped.
const EVENTS: usize = 256;

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
    /// [`drained`](crate::Reader::drained) for each. Reading them fails from now on.
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

pub(super) fn channel() -> (mpsc::Sender<GroupEvent>, GroupEvents) {
    mpsc::channel(EVENTS)
}
