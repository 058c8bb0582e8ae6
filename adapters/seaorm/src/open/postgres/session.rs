//! What every session with a `PostgreSQL` server is set to.
//!
//! A statement sets it, because a pooler refuses or drops settings in the message that starts a
//! session; those that the URL names are taken out of that message, too.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;

use crate::database_url::{DatabaseUrl, DatabaseUrlError};
use crate::settings::StoreSettings;

/// The setting that says when a transaction counts as stored. Levels that wait for a disk are kept.
const SYNCHRONOUS_COMMIT: &str = "synchronous_commit";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Work,
    /// Changing the schema: a step may take long, and so may waiting for another process.
    Migrate,
}

/// How a server is reached, and the settings that its URL names, for a statement.
pub(super) fn parse(
    url: &DatabaseUrl,
) -> Result<(PgConnectOptions, Vec<(String, String)>), DatabaseUrlError> {
    let options =
        |text: &str| text.parse::<PgConnectOptions>().map_err(|_| DatabaseUrlError::Value);
    let named = options(url.expose())?;
    let named = named.get_options().map_or(Some(Vec::new()), settings_of);
    let options = options(&url.without_settings())?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("catchment"),
    };
    // Since version 12, PostgreSQL writes numbers exactly without it.
    let options = options.extra_float_digits(None);
    Ok((options, named.ok_or(DatabaseUrlError::Value)?))
}

/// The settings of a text such as `-c search_path=shops --lock_timeout=5s`, in which a backslash
/// stands before a blank or a backslash of a value; `None` where there is something else in it.
fn settings_of(options: &str) -> Option<Vec<(String, String)>> {
    let mut words = words_of(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next()?,
            Some(setting) => setting.to_owned(),
            None => return None,
        };
        let (name, value) = setting.split_once('=')?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(settings)
}

fn words_of(options: &str) -> Vec<String> {
    let (mut words, mut word, mut is_escaped) = (Vec::new(), String::new(), false);
    for letter in options.chars() {
        match letter {
            _ if is_escaped => {
                word.push(letter);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            _ if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The first of the settings that a URL names and that each session would overrule.
pub(super) fn overruled(
    settings: &StoreSettings,
    named: &[(String, String)],
) -> Option<&'static str> {
    let ours = wanted(Purpose::Work, settings);
    named.iter().find_map(|(name, value)| {
        let known = ours.iter().map(|(ours, _)| *ours).find(|ours| name.eq_ignore_ascii_case(ours));
        let is_off = ["off", "false", "no", "0"].iter().any(|off| value.eq_ignore_ascii_case(off));
        let loses_data = is_off && name.eq_ignore_ascii_case(SYNCHRONOUS_COMMIT);
        known.or(loses_data.then_some(SYNCHRONOUS_COMMIT))
    })
}

/// What to do where a URL names such a setting.
pub(super) fn advice(setting: &str) -> String {
    let key = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]
        .contains(&setting)
        .then(|| format!(", and set `database.{setting}`"));
    format!("take it out of the URL{}", key.unwrap_or_default())
}

/// Where `default_transaction_read_only` is on, and what to do. A setting of the URL overrules those
/// of the server.
pub(super) fn place_of_read_only(named: &[(String, String)]) -> &'static str {
    let is_named =
        |(name, _): &(String, String)| name.eq_ignore_ascii_case("default_transaction_read_only");
    if named.iter().any(is_named) {
        "in the URL; take it out of the URL"
    } else {
        "for this user, this database or the whole server; turn it off, or name another user"
    }
}

/// The statements that set a session, so that a process that froze, or is cut off, does not hold
/// what others wait for. They leave out what this version of the server does not have.
///
/// The session may have been another connection's before, which left prepared statements of the
/// same names.
pub(super) fn statement(
    purpose: Purpose,
    settings: &StoreSettings,
    named: &[(String, String)],
) -> String {
    let ours = wanted(purpose, settings);
    let ours: Vec<_> = ours.iter().map(|(name, value)| pair(name, value)).collect();
    let named: Vec<_> = named
        .iter()
        .map(|(name, value)| format!("SELECT set_config({}, {}, false);", text(name), text(value)))
        .collect();
    let named = named.concat();
    // What is reported as stored must be: a level that waits for a disk stays as it is.
    format!(
        "DEALLOCATE ALL;
         {named}
         SELECT count(set_config(name, value, false)) FROM (
             VALUES {}
             UNION ALL
             SELECT 'synchronous_commit', 'on' WHERE current_setting('synchronous_commit') = 'off'
         ) AS wanted (name, value)
         WHERE current_setting(name, true) IS NOT NULL",
        ours.join(", ")
    )
}

/// The statement that names the settings which a session does not have, though it was set.
pub(super) fn differing(purpose: Purpose, settings: &StoreSettings) -> String {
    // Those of TCP are 0 on a socket of the machine.
    let kept = wanted(purpose, settings).into_iter().filter(|(name, _)| !name.starts_with("tcp"));
    let kept: Vec<_> = kept.map(|(name, value)| pair(name, &value)).collect();
    format!(
        "SELECT coalesce(string_agg(name, ', ' ORDER BY name), '')
         FROM pg_settings LEFT JOIN (VALUES {}) AS wanted (name, value) USING (name)
         WHERE setting <> value OR (name = 'synchronous_commit' AND setting = 'off')",
        kept.join(", ")
    )
}

/// What a session is set to, as the server writes it.
fn wanted(purpose: Purpose, settings: &StoreSettings) -> [(&'static str, String); 12] {
    let limit = |duration: Duration| match purpose {
        Purpose::Migrate => String::from("0"),
        Purpose::Work => duration.as_millis().to_string(),
    };
    let idle = settings.idle_in_transaction_session_timeout;
    [
        ("idle_in_transaction_session_timeout", idle.as_millis().to_string()),
        ("lock_timeout", limit(settings.lock_timeout)),
        ("statement_timeout", limit(settings.statement_timeout)),
        // The other three limit a transaction well enough.
        ("transaction_timeout", String::from("0")),
        // A session waits for its next batch for as long as it takes.
        ("idle_session_timeout", String::from("0")),
        // A client that is gone without a word is noticed within 25 seconds.
        ("tcp_keepalives_idle", String::from("10")),
        ("tcp_keepalives_interval", String::from("5")),
        ("tcp_keepalives_count", String::from("3")),
        ("tcp_user_timeout", String::from("25000")),
        // Rows are locked one by one, in one order: that is enough, and is what the statements
        // were made for.
        ("default_transaction_isolation", String::from("read committed")),
        // The statements are constant, and their arrays say nothing about how many rows they
        // meet; a plan made for each set of values takes longer than running it.
        ("plan_cache_mode", String::from("force_generic_plan")),
        // Every statement goes by a key, in its order. Where nothing is known of a table yet, as
        // after its first import, the rest of it would be sorted for each page.
        ("enable_bitmapscan", String::from("off")),
    ]
}

fn pair(name: &str, value: &str) -> String {
    format!("({}, {})", text(name), text(value))
}

/// A text as it may stand in a statement, however the session reads a backslash.
fn text(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_url_are_set_by_a_statement() {
        for (options, expected) in [
            ("", Some(vec![])),
            ("-c search_path=a,b", Some(vec![("search_path", "a,b")])),
            (
                "  -csearch_path=a --lock-timeout=5s",
                Some(vec![("search_path", "a"), ("lock_timeout", "5s")]),
            ),
            (r"-c search_path=a,\ b\\c", Some(vec![("search_path", r"a, b\c")])),
            ("-c", None),
            ("-c search_path", None),
            ("-B 5", None),
            ("5", None),
        ] {
            let expected = expected.map(|settings| {
                settings.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(settings_of(options), expected, "{options}");
        }
    }

    #[test]
    fn a_url_keeps_everything_but_its_settings() {
        let url = "postgres://u:p%40ss@h:6/d?options[search_path]=a%20b&sslmode=disable\
                   &options=-c%20lock_timeout%3D1";
        let url: DatabaseUrl = url.parse().unwrap();
        let (options, named) = parse(&url).unwrap();
        assert_eq!(options.get_options(), None);
        assert_eq!((options.get_host(), options.get_port()), ("h", 6));
        assert_eq!(options.get_database(), Some("d"));
        let named: Vec<_> = named.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(named, [("search_path", "a b"), ("lock_timeout", "1")]);
        let url: DatabaseUrl = "postgres:///d?options=-B%205".parse().unwrap();
        assert_eq!(parse(&url).unwrap_err(), DatabaseUrlError::Value);
    }

    #[test]
    fn a_url_that_only_reads_is_told_so() {
        let place = |url: &str| place_of_read_only(&parse(&url.parse().unwrap()).unwrap().1);
        let url = "postgres:///d?options[default_transaction_read_only]=on";
        assert_eq!(place(url), "in the URL; take it out of the URL");
        let url = "postgres:///d?options=-c%20Default-Transaction-Read-Only%3D1";
        assert_eq!(place(url), "in the URL; take it out of the URL");
        assert!(place("postgres:///d?options[search_path]=a").starts_with("for this user, "));
    }

    #[test]
    fn a_text_does_not_end_early() {
        assert_eq!(text(r"it's \' all"), r"E'it''s \\'' all'");
    }
}
