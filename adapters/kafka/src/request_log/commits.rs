//! What an owner of a lane commits: its position as the group's offset, and its epoch beside it.

use catchment_domain::{Committed, Epoch};
use catchment_request_reply::Commit;

use crate::error::{offset, position};

/// What stands before the epoch.
const EPOCH: &str = "epoch=";

/// What is committed to the group.
pub(crate) fn written(committed: Committed) -> Commit {
    let Committed { epoch, next } = committed;
    Commit { next: offset(next), metadata: format!("{EPOCH}{epoch}") }
}

/// What was committed; `None` where somebody else set the offset, such as an operator with Kafka's
/// own tools.
pub(crate) fn read(commit: &Commit) -> Option<Committed> {
    let epoch = commit.metadata.strip_prefix(EPOCH)?.parse().ok()?;
    Some(Committed { epoch: Epoch(epoch), next: position(commit.next) })
}

#[cfg(test)]
mod tests {
    use catchment_domain::Position;

    use super::*;

    #[test]
    fn what_is_committed_is_read_as_it_was_written() {
        for (epoch, next) in [(0, 0), (7, 1_234), (u64::MAX, 9)] {
            let committed = Committed { epoch: Epoch(epoch), next: Position(next) };
            assert_eq!(read(&written(committed)), Some(committed));
        }
        // Written down in clusters: must not change.
        let committed = Committed { epoch: Epoch(7), next: Position(3) };
        assert_eq!(written(committed), Commit { metadata: "epoch=7".to_owned(), next: 3 });
    }

    #[test]
    fn an_offset_of_somebody_else_says_nothing() {
        for metadata in ["", "7", "epoch=", "epoch=x", "epoch=-1", "owner=7"] {
            let commit = Commit { metadata: metadata.to_owned(), next: 3 };
            assert_eq!(read(&commit), None, "{metadata}");
        }
    }
}
