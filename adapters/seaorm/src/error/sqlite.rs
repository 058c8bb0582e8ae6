//! The result codes of <https://www.sqlite.org/rescode.html>.

use super::Failure;

/// Returns the kind of a result code. The low byte is the main code, and the rest gives details.
/// A wrong statement (1) means that a table or column is missing. A file is brought up to date when
/// it is opened, so such a file is damaged.
pub(super) const fn failure(code: i32) -> Failure {
    const NO_ROOM_FOR_THE_INDEX_OF_THE_LOG: i32 = 4874;
    const PRIMARY_KEY: i32 = 1555;
    const UNIQUE: i32 = 2067;
    match code {
        NO_ROOM_FOR_THE_INDEX_OF_THE_LOG => return Failure::Full,
        PRIMARY_KEY | UNIQUE => return Failure::Duplicate,
        _ => {}
    }
    match code & 0xff {
        5 | 6 => Failure::Busy,
        8 => Failure::ReadOnly,
        1 | 11 | 26 => Failure::Damaged,
        13 => Failure::Full,
        14 => Failure::CannotOpen,
        18..=20 => Failure::BadValue,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        for (code, expected) in [
            // Locked, and a snapshot that is older than another writer's commit.
            (5, Failure::Busy),
            (517, Failure::Busy),
            (6, Failure::Busy),
            (8, Failure::ReadOnly),
            (1, Failure::Damaged),
            (11, Failure::Damaged),
            (26, Failure::Damaged),
            (13, Failure::Full),
            (4874, Failure::Full),
            (14, Failure::CannotOpen),
            (19, Failure::BadValue),
            // A write that failed, and too little memory.
            (778, Failure::Other),
            (7, Failure::Other),
        ] {
            assert_eq!(failure(code), expected, "{code}");
        }
    }
}
