//! The rights of a file.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::Path;

/// A file's owner and group, and the permissions of each.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    owner: u32,
    group: u32,
    mode: u32,
}

#[cfg(unix)]
impl Rights {
    pub(crate) fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;

        Self { owner: file.uid(), group: file.gid(), mode: file.mode() & 0o7777 }
    }

    /// Removes every permission that another file does not grant. If the groups differ, the group
    /// gets no permission.
    pub(crate) const fn no_wider_than(self, other: Self) -> Self {
        let group = if self.group == other.group { 0o7777 } else { 0o7707 };
        Self { mode: self.mode & other.mode & group, ..self }
    }

    /// Returns whether both files belong to the same user.
    pub(crate) const fn has_owner_of(self, other: Self) -> bool {
        self.owner == other.owner
    }

    /// Returns whether nobody may write the file. Root could write it nevertheless, but should not.
    pub(crate) const fn is_protected(self) -> bool {
        self.mode & 0o222 == 0
    }

    /// Gives these rights to a file.
    ///
    /// # Errors
    ///
    /// When this process may not give the file to that owner or group.
    pub(crate) fn give_to(self, file: &Path) -> io::Result<()> {
        use std::os::unix::fs::{PermissionsExt as _, chown};

        let has = Self::of(&file.metadata()?);
        if (has.owner, has.group) != (self.owner, self.group) {
            chown(file, Some(self.owner), Some(self.group))?;
        }
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(self.mode))
    }
}

#[cfg(unix)]
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, group, mode } = self;
        write!(f, "mode {mode:o}, user {owner}, group {group}")
    }
}

/// Whether a file is write-protected.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    is_protected: bool,
}

#[cfg(not(unix))]
impl Rights {
    pub(crate) fn of(file: &Metadata) -> Self {
        Self { is_protected: file.permissions().readonly() }
    }

    pub(crate) const fn no_wider_than(self, _: Self) -> Self {
        self
    }

    pub(crate) const fn has_owner_of(self, _: Self) -> bool {
        true
    }

    pub(crate) const fn is_protected(self) -> bool {
        self.is_protected
    }

    /// Does nothing: a new file has the rights of its folder here.
    pub(crate) const fn give_to(self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_protected { "write-protected" } else { "not write-protected" })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_grants_nothing_that_its_source_does_not() {
        for (copy, source, expected) in [
            // Each side is a group and a mode.
            ((1, 0o644), (1, 0o600), 0o600),
            ((1, 0o600), (1, 0o644), 0o600),
            ((1, 0o664), (1, 0o640), 0o640),
            ((2, 0o664), (1, 0o640), 0o600),
            ((2, 0o664), (1, 0o664), 0o604),
        ] {
            let rights = |(group, mode)| Rights { owner: 7, group, mode };
            let found = rights(copy).no_wider_than(rights(source));
            assert_eq!(found, rights((copy.0, expected)), "{copy:?} {source:?}");
        }
    }
}
