use std::fmt;

use super::{OwnHeader, PEERS, ReplyPartition};

/// A kind of peer, with all that is particular to it.
///
/// Each kind stands in a file of its own, and in one list. A request belongs to the first of the
/// list that it can be from.
pub struct Peer {
    pub(super) name: &'static str,
    pub(super) correlation_id: &'static str,
    pub(super) reply_topic: &'static str,
    pub(super) reply_partition: &'static str,
    /// Whether a request under these names is from such a peer. Given the partition's header.
    pub(super) is_sender: fn(Option<&[u8]>) -> bool,
    /// Reads the partition's header.
    pub(super) read_partition: fn(&[u8]) -> ReplyPartition,
    /// The header in which it looks for a failure. Its client then ignores the value.
    pub(super) failure: Option<&'static str>,
    /// The header in which it looks for the class of a value.
    pub(super) type_id: Option<&'static str>,
    /// A header that every reply needs.
    pub(super) every_reply: Option<OwnHeader<'static>>,
    /// Whether our requester writes its requests under these names, too.
    pub(super) is_asked: bool,
}

impl Peer {
    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names under which a request asks for a reply.
    pub(super) const fn names(&self) -> [&'static str; 3] {
        [self.correlation_id, self.reply_topic, self.reply_partition]
    }

    /// The place in the list.
    pub(super) fn index(&self) -> usize {
        PEERS.iter().position(|peer| *peer == self).unwrap_or_default()
    }

    /// The peers under whose names our requester asks. No name is twice among them.
    pub(super) fn asked() -> impl Iterator<Item = &'static Self> {
        PEERS.iter().copied().filter(|peer| peer.is_asked)
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Peer {}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
