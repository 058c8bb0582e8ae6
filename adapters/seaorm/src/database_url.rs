//! The URL of a database, and which parts of it may be shown: only this module knows both.
//!
//! A wrong URL may have its password anywhere: behind a `?` that should have been escaped, in place
//! of a port, in a text without any scheme. So this module does not cut secrets out of a text. It
//! builds the shown text from the parts that it could parse. If it could not parse the text, it
//! shows only the scheme.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use thiserror::Error;
use url::Url;

/// The text shown in place of a secret.
const HIDDEN: &str = "***";

/// The schemes that are shown for a text that cannot be parsed. Other text before a colon may be a
/// user, or a part of a password.
const SCHEMES: [&str; 12] = [
    "postgresql",
    "postgres",
    "sqlite",
    "mysql",
    "mariadb",
    "jdbc",
    "https",
    "http",
    "sasl_ssl",
    "sasl_plaintext",
    "plaintext",
    "ssl",
];

/// The options of a server's URL that the driver knows, and whether their values may be shown. The
/// driver logs the values of unknown options.
const OPTIONS: [(&str, bool); 17] = [
    ("sslmode", true),
    ("ssl-mode", true),
    ("sslrootcert", true),
    ("ssl-root-cert", true),
    ("ssl-ca", true),
    ("sslcert", true),
    ("ssl-cert", true),
    // The value is a file, or the key itself.
    ("sslkey", false),
    ("ssl-key", false),
    ("statement-cache-capacity", true),
    ("host", true),
    ("hostaddr", true),
    ("port", true),
    ("dbname", true),
    ("user", true),
    ("password", false),
    ("application_name", true),
];

/// The URL of a database. `Display` and `Debug` hide its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    shown: String,
    /// The file of a `SQLite` database.
    file: Option<PathBuf>,
}

/// Why a text is not the URL of a database. The message never contains a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// The text is not a URL of a supported database.
    #[error(
        "expected a file such as `sqlite://catchment.db`, or a server such as \
         `postgres://user@host/database`"
    )]
    Unknown,
    /// The scheme is known, but the parts of the URL are not clear.
    #[error(
        "its parts cannot be told from each other; in a user, a password or a name, write `%40` \
         for `@`, `%2F` for `/`, `%3F` for `?`, `%23` for `#` and `%3A` for `:`"
    )]
    Unreadable,
    /// The URL has an option that the driver would ignore.
    #[error(
        "it has an option that is not known; known are sslmode, sslrootcert, sslcert, sslkey, \
         host, hostaddr, port, dbname, user, password, application_name, options and \
         statement-cache-capacity"
    )]
    Option,
    /// An option has a value that the driver refuses.
    #[error("an option has a value that it cannot have")]
    Value,
    /// The URL begins with `sqlite:`, but names a user of a server.
    #[error("a file has no user and no password; a server begins with `postgres://`")]
    UserOfFile,
}

impl DatabaseUrl {
    /// Returns the URL of a database file.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        let text = format!("sqlite://{}", path.display());
        Self { shown: text.clone(), text, file: Some(path.to_owned()) }
    }

    /// Returns whether the URL leads to a `PostgreSQL` server.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        self.file.is_none()
    }

    /// Returns the file of a `SQLite` database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the whole URL, with any password in it: only for the connection.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns the whole URL without the settings of sessions in its options.
    #[cfg(feature = "postgres")]
    pub(crate) fn without_settings(&self) -> String {
        let Ok(mut url) = Url::parse(&self.text) else { return self.text.clone() };
        let kept: Vec<_> = url.query_pairs().into_owned().collect();
        let kept = kept.into_iter().filter(|(option, _)| !is_setting(option));
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.into()
    }

    /// Returns what may be shown of a text that is, or should be, the URL of a database.
    #[must_use]
    pub fn redact(text: &str) -> String {
        text.parse().map_or_else(|_| scheme_of(text), |url: Self| url.shown)
    }

    /// Returns what may be shown of any text: the text itself, unless it may be a URL or several
    /// words with a password.
    #[must_use]
    pub fn redact_in(text: &str) -> String {
        let lower = text.to_lowercase();
        // If the URL was taken for a file's name, a folder may stand before the scheme.
        let schemes = ["postgres:", "postgresql:", "sqlite:", "mysql:", "jdbc:"];
        let has_scheme = schemes.iter().any(|scheme| lower.contains(scheme));
        if has_scheme || lower.trim_start().starts_with("postgres") {
            return Self::redact(text);
        }
        let names_secret = ["password", "passwd", "pwd", "secret", "token"];
        let has_secret =
            lower.contains('=') && names_secret.iter().any(|name| lower.contains(name));
        // The text may begin with a user in front of a host.
        let has_user = text.contains('@') && text.contains(':');
        if has_secret || has_user { scheme_of(text) } else { text.to_owned() }
    }

    /// Parses a URL as the driver of `SQLite` does, so a file's name may have blanks.
    fn of_sqlite(text: &str) -> Result<Self, DatabaseUrlError> {
        let parsed: SqliteConnectOptions = text.parse().map_err(|_| DatabaseUrlError::Unknown)?;
        let file = parsed.get_filename();
        let name = file.to_string_lossy();
        // A database in memory would be a different one for each connection.
        let options = text.split_once('?').map_or("", |(_, options)| options);
        let in_memory = [":memory:", "file:sqlx-in-memory"].iter().any(|mark| name.contains(mark));
        if name.is_empty() || in_memory || options.contains("mode=memory") {
            return Err(DatabaseUrlError::Unknown);
        }
        if name.split_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err(DatabaseUrlError::UserOfFile);
        }
        Ok(Self { text: text.to_owned(), shown: text.to_owned(), file: Some(file.to_owned()) })
    }

    fn of_server(text: &str) -> Result<Self, DatabaseUrlError> {
        let url = Url::parse(text).map_err(|_| DatabaseUrlError::Unreadable)?;
        let name = url.path().trim_start_matches('/');
        if url.fragment().is_some() || name.contains(['/', '@']) {
            return Err(DatabaseUrlError::Unreadable);
        }
        if url.query_pairs().any(|(option, _)| option_of(&option).is_none()) {
            return Err(DatabaseUrlError::Option);
        }
        Ok(Self { text: text.to_owned(), shown: shown(&url, name), file: None })
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("sqlite:") {
            Self::of_sqlite(text)
        } else if ["postgres://", "postgresql://"].iter().any(|start| text.starts_with(start)) {
            Self::of_server(text)
        } else {
            Err(DatabaseUrlError::Unknown)
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the scheme of a text if it is a known scheme, and hides the rest.
fn scheme_of(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':') else { return HIDDEN.to_owned() };
    let slashes = if rest.starts_with("//") { "//" } else { "" };
    match SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known)) {
        Some(known) => format!("{known}:{slashes}{HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

/// Builds the shown text of a server's URL from parts that cannot hold a secret by mistake.
fn shown(url: &Url, name: &str) -> String {
    let user = plain(url.username(), "");
    let user = match (url.password(), user) {
        (Some(_), user) => format!("{user}:{HIDDEN}@"),
        (None, "") => String::new(),
        (None, user) => format!("{user}@"),
    };
    let host = url.host_str().unwrap_or_default();
    // The URL parser accepts only an IPv6 address in brackets.
    let host = if host.starts_with('[') { host } else { plain(host, "/") };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let slash = if url.path().is_empty() { "" } else { "/" };
    let name = plain(name, "");
    let options: Vec<String> = url.query_pairs().map(|(key, value)| option(&key, &value)).collect();
    let mark = if options.is_empty() { "" } else { "?" };
    let (scheme, options) = (url.scheme(), options.join("&"));
    format!("{scheme}://{user}{host}{port}{slash}{name}{mark}{options}")
}

/// Returns an option as it may be shown.
fn option(key: &str, value: &str) -> String {
    match option_of(key) {
        Some(true) => format!("{key}={}", plain(value, "/")),
        Some(false) => format!("{key}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

/// Returns whether an option holds settings of sessions.
#[cfg(feature = "postgres")]
fn is_setting(option: &str) -> bool {
    option == "options" || option.starts_with("options[")
}

/// Returns whether the value of an option may be shown, or `None` if the option is unknown.
fn option_of(key: &str) -> Option<bool> {
    if key == "options" {
        return Some(true);
    }
    if let Some(name) = key.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']')) {
        return (plain(name, "") == name).then_some(true);
    }
    OPTIONS.iter().find(|(known, _)| *known == key).map(|(_, is_open)| *is_open)
}

/// Returns a part of a URL, escaped or not, if it is plain, and hides it otherwise. A plain part
/// has letters, digits, some marks and the characters of `also`, but no other character that
/// divides the parts of a URL.
fn plain<'a>(part: &'a str, also: &str) -> &'a str {
    let is_plain = part.split('%').enumerate().all(|(place, piece)| {
        let rest = if place == 0 { Some(piece) } else { behind_escape(piece, also) };
        rest.is_some_and(|rest| rest.chars().all(|c| is_word(c) || also.contains(c)))
    });
    if is_plain { part } else { HIDDEN }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || "-_.~$+".contains(character)
}

/// Returns the text after the two digits of an escape. Returns `None` unless the escape is a byte
/// of a character beyond ASCII, or one of the characters in `also`.
fn behind_escape<'a>(piece: &'a str, also: &str) -> Option<&'a str> {
    let byte = u8::from_str_radix(piece.get(..2)?, 16).ok()?;
    let is_allowed = 0x80 <= byte || also.contains(char::from(byte));
    piece.get(2..).filter(|_| is_allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_understood_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("sqlite://catchment.db", "sqlite://catchment.db"),
            ("sqlite:data/catchment.db?mode=ro", "sqlite:data/catchment.db?mode=ro"),
            ("sqlite://my shops.db", "sqlite://my shops.db"),
            ("postgres://host/shops", "postgres://host/shops"),
            ("postgres://me@host/shops", "postgres://me@host/shops"),
            ("postgres://me:hunter2@host:5432/shops", "postgres://me:***@host:5432/shops"),
            ("postgresql://me:hunter2@host", "postgresql://me:***@host"),
            ("postgres://:hunter2@host/shops", "postgres://:***@host/shops"),
            ("postgres://me:hunter@2@host/shops", "postgres://me:***@host/shops"),
            ("postgres://me:hunt%40er%2F2@host/shops", "postgres://me:***@host/shops"),
            ("postgres://me:hunter2@[::1]:5432/shops", "postgres://me:***@[::1]:5432/shops"),
            ("postgres://me@%2Frun%2Fpostgresql/shops", "postgres://me@%2Frun%2Fpostgresql/shops"),
            // Too much was escaped, or too little.
            ("postgres://me%3Ahunter2@host/shops", "postgres://***@host/shops"),
            ("postgres://me%3Ahunter2%40host/shops", "postgres://***/shops"),
            ("postgres://host/shops%3Fpassword%3Dhunter2", "postgres://host/***"),
            ("postgres://host/shops&password=hunter2", "postgres://host/***"),
            (
                "postgres://host/shops?user=me&password=hunter2&sslmode=require",
                "postgres://host/shops?user=me&password=***&sslmode=require",
            ),
            ("postgres://host/shops?sslkey=hunter2", "postgres://host/shops?sslkey=***"),
            (
                "postgres://host/shops?options=-c%20a=hunter2&options[search_path]=b",
                "postgres://host/shops?options=***&options[search_path]=b",
            ),
        ] {
            let parsed: DatabaseUrl = url.parse().unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(format!("{parsed:?}"), shown);
            assert_eq!(DatabaseUrl::redact_in(url), shown);
            assert_eq!(parsed.expose(), url);
        }
    }

    #[test]
    fn what_is_not_understood_shows_its_scheme_alone() {
        use DatabaseUrlError as E;
        for (url, error, shown) in [
            ("", E::Unknown, "***"),
            ("hunter2", E::Unknown, "***"),
            ("catchment.db", E::Unknown, "***"),
            ("me:hunter2@host", E::Unknown, "***"),
            ("host=h user=u password=hunter2", E::Unknown, "***"),
            ("postgres:user:hunter2@h", E::Unknown, "postgres:***"),
            ("POSTGRES://me:hunter2@host", E::Unknown, "postgres://***"),
            ("\"postgres://me:hunter2@host\"", E::Unknown, "***"),
            ("mysql://me:hunter2@host", E::Unknown, "mysql://***"),
            ("jdbc:postgresql://host?password=hunter2", E::Unknown, "jdbc:***"),
            ("postgres://user:hunter?2@host/db", E::Unreadable, "postgres://***"),
            ("postgres://user:1234?5@host/db", E::Option, "postgres://***"),
            ("postgres://user:hunter#2@host/db", E::Unreadable, "postgres://***"),
            ("postgres://user:1234#5@host/db", E::Unreadable, "postgres://***"),
            ("postgres://user:hunter/2@host/db", E::Unreadable, "postgres://***"),
            ("postgres://user:1234/5@host/db", E::Unreadable, "postgres://***"),
            ("postgres://user:1234/5@host", E::Unreadable, "postgres://***"),
            ("postgres://user:hunter2%40host/db", E::Unreadable, "postgres://***"),
            ("postgres://host/db?sslpassword=hunter2", E::Option, "postgres://***"),
            ("postgres://host/db?password=a&hunter2", E::Option, "postgres://***"),
            ("postgres://host/db?password=hunt#er2", E::Unreadable, "postgres://***"),
            ("sqlite::memory:", E::Unknown, "sqlite:***"),
            ("sqlite://", E::Unknown, "sqlite://***"),
            ("sqlite://catchment.db?mode=memory", E::Unknown, "sqlite://***"),
            ("sqlite://me:hunter2@host/db", E::UserOfFile, "sqlite://***"),
            ("sqlite://catchment.db?key=hunter2", E::Unknown, "sqlite://***"),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>(), Err(error), "{url}");
            assert_eq!(DatabaseUrl::redact(url), shown, "{url}");
        }
    }

    #[test]
    fn other_texts_are_shown_unless_they_may_hold_a_secret() {
        for (text, shown) in [
            ("5m", "5m"),
            ("kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
            ("https://idp/token", "https://idp/token"),
            ("a@b", "a@b"),
            ("https://me:hunter2@idp/token", "https://***"),
            ("https://idp?client_secret=hunter2", "https://***"),
            ("SASL_SSL://me:hunter2@kafka:9092", "sasl_ssl://***"),
            ("host=h Password=hunter2", "***"),
            ("me:hunter2@host", "***"),
            ("config/postgres://me:hunter2%40host/shops.toml", "***"),
        ] {
            assert_eq!(DatabaseUrl::redact_in(text), shown);
        }
    }

    /// Returns URLs that hold a password in every way, right or wrong.
    fn forms(password: &str) -> Vec<String> {
        let escaped: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
        vec![
            format!("postgres://me:{password}@host/shops"),
            format!("postgres://me:{escaped}@host:5432/shops?sslmode=require"),
            format!("postgresql://me:{password}@[::1]:5432/shops"),
            format!("POSTGRES://me:{password}@host/shops"),
            format!("postgres://me%3A{escaped}@host/shops"),
            format!("postgres://me%3A{escaped}%40host/shops"),
            format!("postgres://me:{escaped}%40host/shops"),
            format!("postgres://host/shops?user=me&password={password}"),
            format!("postgres://host/shops?password={escaped}&sslmode=require"),
            format!("postgres://host/shops?sslkey={password}&sslpassword={password}"),
            format!("postgres://host/shops?options=-c%20x={password}"),
            format!("postgres:me:{password}@host"),
            format!("me:{password}@host/shops"),
            format!("host=h user=me password={password}"),
            format!("jdbc:postgresql://host/shops?user=me&password={password}"),
            format!("sqlite://me:{password}@host/shops"),
            format!("mysql://me:{password}@host/shops"),
            format!(" postgres://me:{password}@host/shops"),
        ]
    }

    /// Returns whether a text has four characters in a row of the password that do not occur in the
    /// forms themselves.
    fn tells(text: &str, password: &str) -> bool {
        let characters: Vec<char> = password.chars().collect();
        characters.windows(4).any(|part| {
            let part: String = part.iter().collect();
            text.contains(&part) && !forms("").iter().any(|form| form.contains(&part))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn prop_no_part_of_a_password_is_shown(
            password in "[ -~가-힣]{4,16}|[a-z0-9]{1,6}[?#/@:&=% ][a-z0-9]{1,6}([?#/@:&=][a-z0-9]{4})?"
        ) {
            for url in forms(&password) {
                for shown in [DatabaseUrl::redact(&url), DatabaseUrl::redact_in(&url)] {
                    prop_assert!(!tells(&shown, &password), "{url} is shown as {shown}");
                }
            }
        }
    }
}
