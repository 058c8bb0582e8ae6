//! No command shows a password, whatever is wrong with the URL around it.

use std::fs;
#[cfg(unix)]
use std::os::unix::ffi::OsStringExt as _;

use crate::app::{HEADER, Ran, TestApp};

/// The password in each URL, in two halves, because some URLs have a mark between them.
const HALVES: [&str; 2] = ["hunter", "pa55word"];

const URLS: [&str; 20] = [
    "postgres://me:hunterpa55word@localhost:1/shops",
    "postgres://me:hunter?pa55word@localhost:1/shops",
    "postgres://me:hunter#pa55word@localhost:1/shops",
    "postgres://me:hunter/pa55word@localhost:1/shops",
    "postgres://me:hunter@pa55word@localhost:1/shops",
    "postgres://me:hunter%40pa55word@localhost:1/shops",
    "postgres://me:hunterpa55word%40localhost:1/shops",
    "postgres://me%3Ahunterpa55word@localhost:1/shops",
    "postgres://me:hunterpa55word@[::1]:1/shops",
    "postgres://localhost:1/shops?user=me&password=hunterpa55word",
    "postgres://localhost:1/shops?sslpassword=hunterpa55word",
    "postgres://localhost:1/shops?sslkey=hunterpa55word&sslmode=verify-full",
    "postgres://localhost:1/shops?password=hunter&pa55word",
    "postgres://me:hunterpa55word@localhost:1/shops?sslmode=none",
    "postgres:me:hunterpa55word@localhost",
    "host=localhost user=me password=hunterpa55word",
    "me:hunterpa55word@localhost/shops",
    "hunterpa55word",
    "sqlite://me:hunterpa55word@localhost/shops",
    "mysql://me:hunterpa55word@localhost/shops",
];

#[track_caller]
fn check(ran: &Ran, what: &str) {
    for half in HALVES {
        assert!(!ran.stdout.contains(half) && !ran.stderr.contains(half), "{what}: {ran:?}");
    }
}

fn ran(app: &TestApp, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = app.command(arguments);
    command.env("RUST_LOG", "trace").env("CATCHMENT__DATABASE__CONNECT_TIMEOUT", "100ms");
    command.envs(variables.iter().copied()).output().unwrap().into()
}

#[test]
fn a_url_shows_its_password_nowhere() {
    let app = TestApp::empty();
    for url in URLS {
        // If no URL is expected, a single word may be anything.
        let is_word = !url.contains([':', '=']);
        let keys = ["DATABASE__URL", "KAFKA__GROUP_ID", "KAFKA__BOOTSTRAP_SERVERS"];
        for key in keys.iter().take(if is_word { 1 } else { 3 }) {
            let variable = format!("CATCHMENT__{key}");
            for command in [["config", "check"], ["topics", "check"]] {
                check(&ran(&app, &[(&variable, url)], &command), url);
            }
        }
        for command in [
            &["--json", "config", "check"][..],
            &["database", "check"],
            &["database", "backup", "copy.db"],
        ] {
            check(&ran(&app, &[], &[&["--database", url], command].concat()), url);
        }
    }
}

#[test]
fn a_url_shows_its_scheme_alone_where_it_cannot_be_read() {
    let app = TestApp::empty();
    for (url, shown) in [
        ("postgres://me:hunter?2@localhost/shops", "postgres://***"),
        ("host=h user=u password=hunter2", "***"),
        ("postgres:user:hunter2@h", "postgres:***"),
    ] {
        let ran = ran(&app, &[], &["--database", url, "config", "check"]);
        let start = format!("catchment: bad settings: `database.url` is `{shown}` in --database: ");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{ran:?}");
        assert!(ran.stderr.starts_with(&start), "{ran:?}");
    }
}

#[test]
fn a_url_in_a_wrong_place_shows_no_password_either() {
    let app = TestApp::empty();
    for url in URLS.into_iter().filter(|url| url.contains([':', '='])) {
        for arguments in [
            &[url][..],
            &["database", url],
            &["database", "check", url],
            &["config", "check", url],
            &["--jsn", url, "config", "check"],
            &["campaign", "show", url],
            &["campaign", "outcomes", url],
            &["shops", "release", "a", "--campaign", url],
        ] {
            let ran = ran(&app, &[], arguments);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            check(&ran, &format!("{arguments:?}"));
        }
    }
}

#[test]
fn a_url_where_a_file_or_a_shop_belongs_shows_no_password_either() {
    let app = TestApp::empty();
    assert_eq!(app.import(&format!("{HEADER}\na,A,cafe,North,51.5,-0.1\n"), &[]).code, Some(0));
    let start = ["campaign", "start", "--kind", "manual", "--limit", "1km"];
    for url in URLS.into_iter().filter(|url| url.contains([':', '='])) {
        let option = format!("--ids={url}");
        for arguments in [
            vec!["shops", "show", url],
            vec!["shops", "release", url, "--kind", "manual"],
            vec!["shops", "import", url],
            vec!["shops", "list", "--region", url],
            [&start[..], &["--ids", url]].concat(),
            [&start[..], &[&option]].concat(),
        ] {
            let ran = ran(&app, &[], &arguments);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            check(&ran, &format!("{arguments:?}"));
        }
        let ran = ran(&app, &[("CATCHMENT_ENV", url)], &["triggers"]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        check(&ran, url);
    }
}

#[test]
fn a_file_of_settings_in_the_place_of_shops_or_ids_is_not_quoted() {
    let app = TestApp::empty();
    assert_eq!(app.import(&format!("{HEADER}\na,A,cafe,North,51.5,-0.1\n"), &[]).code, Some(0));
    let start = ["campaign", "start", "--kind", "manual", "--limit", "1km", "--ids", "given"];
    for line in ["POSTGRES_PASSWORD=hunterpa55word", "postgres://me:hunterpa55word@host/shops"] {
        app.file("given", format!("{line}\n{line}\n"));
        for arguments in [&["shops", "import", "given"][..], &start] {
            let ran = ran(&app, &[], arguments);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            check(&ran, line);
        }
    }
}

/// The client of Kafka would take the password for a host's name, and log it.
#[cfg(feature = "servers")]
#[test]
fn a_password_among_the_brokers_is_refused() {
    let app = TestApp::empty();
    for url in ["me:hunterpa55word@localhost:1", "sasl://me:hunterpa55word@localhost"] {
        let variables = [("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", url)];
        let ran = ran(&app, &variables, &["config", "check"]);
        let stderr = "catchment: bad settings: section `kafka`: `bootstrap.servers` is not a list \
                      of brokers such as `kafka-1:9092,kafka-2:9092`; user and password belong in \
                      the properties `sasl.username` and `sasl.password`\n"
            .to_owned();
        assert_eq!(ran, Ran { code: Some(64), stdout: String::new(), stderr });
    }
}

#[cfg(feature = "servers")]
#[test]
fn a_property_of_kafka_that_is_refused_does_not_quote_a_password() {
    let app = TestApp::empty();
    let variables =
        [("CATCHMENT__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl://me:hunterpa55word@localhost")];
    let ran = ran(&app, &variables, &["config", "check"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    check(&ran, "security.protocol");
}

#[cfg(all(feature = "servers", unix))]
#[test]
fn a_line_of_pgpass_that_cannot_be_read_is_not_quoted() {
    use std::os::unix::fs::PermissionsExt as _;

    let app = TestApp::empty();
    let path = app.file(".pgpass", "localhost:hunterpa55word\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let variables = [("PGPASSFILE", path.to_str().unwrap())];
    let url = "postgres://me@localhost:1/shops";
    let ran = ran(&app, &variables, &["--database", url, "database", "check"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    check(&ran, url);
}

#[test]
fn a_file_of_settings_that_cannot_be_read_is_not_quoted() {
    let app = TestApp::empty();
    for (number, line) in [
        "url = \"postgres://me:hunterpa55word@host",
        "url = postgres://me:hunterpa55word@host",
        "url = [\"postgres://me:hunterpa55word@host\"]",
        "hunterpa55word",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("broken{number}");
        fs::write(app.path(&format!("{name}.toml")), format!("[database]\n{line}\n")).unwrap();
        let variables = [("CATCHMENT_CONFIG", "."), ("CATCHMENT_ENV", name.as_str())];
        let ran = ran(&app, &variables, &["config", "check"]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        check(&ran, line);
    }
}

#[test]
fn secrets_of_kafka_are_not_shown() {
    let app = TestApp::empty();
    for name in
        ["SASL_PASSWORD", "SSL_KEY_PASSWORD", "SSL_KEY_PEM", "SASL_OAUTHBEARER_CLIENT_SECRET"]
    {
        for table in ["PROPERTIES", "PRODUCER", "CONSUMER"] {
            let name = format!("CATCHMENT__KAFKA__{table}__{name}");
            let ran = ran(&app, &[(&name, "hunterpa55word")], &["config", "check"]);
            check(&ran, &name);
        }
    }
    // The name of this variable is misspelt.
    let name = "CATCHMENT__KAFKA__PROPERTIES__SASL_PASWORD";
    let ran = ran(&app, &[(name, "hunterpa55word")], &["triggers"]);
    check(&ran, name);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused_by_its_name() {
    let app = TestApp::empty();
    let value = std::ffi::OsString::from_vec(b"postgres://me:hunterpa55word\xff@host".to_vec());
    let mut command = app.command(&["config", "check"]);
    let ran = Ran::from(command.env("CATCHMENT__DATABASE__URL", value).output().unwrap());
    let stderr = "catchment: bad settings: the environment variable \
                  `CATCHMENT__DATABASE__URL` is not UTF-8\n"
        .to_owned();
    assert_eq!(ran, Ran { code: Some(64), stdout: String::new(), stderr });
}
