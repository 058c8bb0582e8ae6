//! The codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use super::Failure;

/// Returns the kind of a SQLSTATE, whose first two characters are the class.
///
/// Every transaction looks for a row before it adds it. So if a key already exists (23505), another
/// transaction added it after the look, and the next attempt finds it.
pub(super) fn failure(code: &str) -> Failure {
    match code {
        "40001" | "40P01" => Failure::Busy,
        "55P03" => Failure::Locked,
        "23505" => Failure::Duplicate,
        "57014" => Failure::Cancelled,
        // Too many connections; shutting down, crashed, starting up; idle for too long.
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Failure::Lost,
        "53100" => Failure::Full,
        // A prepared statement that does not exist, or exists already.
        "26000" | "42P05" => Failure::SharedSession,
        "08P01" => Failure::Other,
        // This server was made a standby, or was never the primary.
        "25006" => Failure::Standby,
        "42501" => Failure::ReadOnly,
        "42P01" | "42703" | "42883" | "3F000" => Failure::Schema,
        "3D000" => Failure::NoDatabase,
        "XX001" | "XX002" => Failure::Damaged,
        _ => match code.get(..2) {
            Some("08") => Failure::Lost,
            Some("22" | "23") => Failure::BadValue,
            Some("28") => Failure::Denied,
            _ => Failure::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        for (code, expected) in [
            ("40P01", Failure::Busy),
            ("55P03", Failure::Locked),
            ("23505", Failure::Duplicate),
            ("57014", Failure::Cancelled),
            ("25006", Failure::Standby),
            ("57P01", Failure::Lost),
            ("08006", Failure::Lost),
            ("53100", Failure::Full),
            ("26000", Failure::SharedSession),
            ("42P05", Failure::SharedSession),
            ("08P01", Failure::Other),
            ("25006", Failure::Standby),
            ("42501", Failure::ReadOnly),
            ("42703", Failure::Schema),
            ("28P01", Failure::Denied),
            ("3D000", Failure::NoDatabase),
            ("22021", Failure::BadValue),
            ("23514", Failure::BadValue),
            ("XX002", Failure::Damaged),
            ("XX", Failure::Other),
            ("", Failure::Other),
        ] {
            assert_eq!(failure(code), expected, "{code}");
        }
    }
}
