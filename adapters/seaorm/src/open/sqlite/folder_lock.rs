//! Locks the folder of a database while a process opens or replaces the database.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::open_error::OpenError;
use crate::place::{canonical, folder};

/// How long to wait before trying again to lock a folder.
const PAUSE: Duration = Duration::from_millis(10);

/// A lock on a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderLock {
    /// Shared: a process opens a database in the folder, and others may do the same.
    Opening,
    /// Exclusive: a process replaces a database in the folder, and no other may open one.
    Replacing,
}

impl FolderLock {
    /// Locks the folder of the database itself, not that of a symbolic link to it. Dropping the
    /// returned file releases the lock. Returns `None` if the folder cannot be locked.
    ///
    /// # Errors
    ///
    /// When another process holds the lock for longer than `wait`.
    pub(crate) async fn take(
        self,
        file: &Path,
        wait: Duration,
        database: &str,
    ) -> Result<Option<File>, OpenError> {
        let Ok(file) = canonical(file) else { return Ok(None) };
        let Ok(folder) = File::open(folder(&file)) else { return Ok(None) };
        let since = Instant::now();
        loop {
            let taken = match self {
                Self::Opening => folder.try_lock_shared(),
                Self::Replacing => folder.try_lock(),
            };
            match taken {
                Ok(()) => return Ok(Some(folder)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if wait < since.elapsed() => {
                    return Err(OpenError::Locked { database: database.to_owned() });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn the_folder_that_is_locked_is_that_of_the_file_and_not_of_a_link() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        std::fs::create_dir(path("data")).unwrap();
        std::fs::write(path("data/a.db"), "").unwrap();
        std::os::unix::fs::symlink(path("data/a.db"), path("link.db")).unwrap();
        let taken =
            async |lock: FolderLock, file: &str| lock.take(&path(file), Duration::ZERO, file).await;
        let opening = taken(FolderLock::Opening, "link.db").await.unwrap();
        let refused = taken(FolderLock::Replacing, "data/a.db").await;
        assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
        drop(opening);
        let replacing = taken(FolderLock::Replacing, "data/a.db").await.unwrap();
        assert!(replacing.is_some());
        assert!(taken(FolderLock::Opening, "link.db").await.is_err());
    }
}
