//! What a member of a group was assigned, as the group's leader wrote it for the member
//! (`ConsumerProtocolAssignment`): a version, and for each topic its partitions.

/// The partitions of a topic that an assignment names; `None` where it cannot be read.
///
/// Anything may stand there that a client has written.
pub(super) fn partitions(assignment: &[u8], topic: &str) -> Option<Vec<i32>> {
    let mut rest = Rest(assignment);
    let _version = rest.take::<2>()?;
    let mut found = Vec::new();
    for _ in 0..rest.count()? {
        let length = i16::from_be_bytes(rest.take()?);
        let name = rest.bytes(usize::try_from(length).ok()?)?;
        for _ in 0..rest.count()? {
            let partition = i32::from_be_bytes(rest.take()?);
            if name == topic.as_bytes() {
                found.push(partition);
            }
        }
    }
    Some(found)
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.bytes(COUNT)?.try_into().ok()
    }

    /// How many things follow; there may be none.
    fn count(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two topics: `a` with partition 7, and `orders` with 0 and 2; then data of the assignor.
    const ASSIGNMENT: &[u8] = b"\0\x01\0\0\0\x02\
        \0\x01a\0\0\0\x01\0\0\0\x07\
        \0\x06orders\0\0\0\x02\0\0\0\0\0\0\0\x02\
        \xff\xff\xff\xff";

    #[test]
    fn the_partitions_of_a_topic_are_found_among_others() {
        assert_eq!(partitions(ASSIGNMENT, "orders"), Some(vec![0, 2]));
        assert_eq!(partitions(ASSIGNMENT, "a"), Some(vec![7]));
        assert_eq!(partitions(ASSIGNMENT, "order"), Some(Vec::new()));
    }

    #[test]
    fn what_breaks_off_is_no_assignment() {
        for end in 0..ASSIGNMENT.len() - 4 {
            assert_eq!(partitions(&ASSIGNMENT[..end], "orders"), None, "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn prop_whatever_stands_there_harms_nobody(bytes: Vec<u8>) {
            let found = partitions(&bytes, "");
            prop_assert!(found.is_none_or(|found| found.len() * 4 <= bytes.len()));
        }
    }
}
