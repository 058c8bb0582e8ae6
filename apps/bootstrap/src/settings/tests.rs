use std::collections::HashMap;

use catchment_domain::Rank;
use tracing::Level;

use super::*;

fn with_variables(variables: &[(&str, &str)]) -> Layers {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Layers { variables, ..Layers::default() }
}

fn refusal(variables: &[(&str, &str)]) -> String {
    Settings::load(&with_variables(variables)).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_complete_and_valid() {
    let settings = Settings::load(&Layers::default()).unwrap();
    assert_eq!(settings.database.url.expose(), "sqlite://catchment.db");
    assert_eq!(settings.database.lanes.count(), 16);
    assert_eq!(settings.database.campaigns_kept, None);
    assert_eq!(settings.timeout, Duration::from_mins(5));
    assert_eq!(settings.default_base.metres(), 5_000);
    let rule = |kind: &str| settings.policy.triggers[&kind.parse().unwrap()];
    let limit = |kind: &str| rule(kind).default_limit.map(|limit| limit.to_string());
    assert_eq!(limit("system_failure").as_deref(), Some("1 km"));
    assert_eq!(limit("bad_weather").as_deref(), Some("50 %"));
    assert_eq!(limit("order_surge").as_deref(), Some("70 %"));
    assert_eq!(limit("rider_shortage").as_deref(), Some("3 km"));
    assert_eq!(limit("manual"), None);
    assert!(rule("rider_shortage").rank < rule("manual").rank);
}

#[test]
fn variables_win_over_defaults_and_the_option_over_variables() {
    let mut layers = with_variables(&[
        ("CATCHMENT__CAMPAIGNS__TIMEOUT", "10m"),
        ("CATCHMENT__TRIGGERS__RIDER_SHORTAGE__RANK", "30"),
        ("CATCHMENT__TRIGGERS__STREET_PARTY__RANK", "5"),
        ("CATCHMENT__DATABASE__URL", "sqlite://variable.db"),
        ("CATCHMENT__DATABASE__CAMPAIGNS_KEPT", "90d"),
        ("CATCHMENT_ELSE", "no setting of ours"),
    ]);
    let settings = Settings::load(&layers).unwrap();
    assert_eq!(settings.timeout, Duration::from_mins(10));
    assert_eq!(settings.database.campaigns_kept, Some(Duration::from_hours(90 * 24)));
    assert_eq!(settings.policy.rank("rider_shortage".parse().unwrap()), Some(Rank(30)));
    assert_eq!(settings.policy.rank("street_party".parse().unwrap()), Some(Rank(5)));
    assert_eq!(settings.database.url.expose(), "sqlite://variable.db");
    layers.database = Some("sqlite://option.db".into());
    let settings = Settings::load(&layers).unwrap();
    assert_eq!(settings.database.url.expose(), "sqlite://option.db");
    let shown = settings.shown();
    let url = shown.iter().find(|setting| setting.key == "database.url").unwrap();
    assert_eq!(url.origin, "--database");
    assert!(!settings.is_default("database.url") && settings.is_default("database.lanes"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (name, expected) in [
        (
            "CATCHMENT__CAMPAIGNS__TIEMOUT",
            "unknown setting `campaigns.tiemout` in an environment variable: \
             did you mean `campaigns.timeout`?",
        ),
        (
            "CATCHMENT__TRIGGERS__MANUAL__RNAK",
            "unknown setting `triggers.manual.rnak` in an environment variable: \
             did you mean `triggers.manual.rank`?",
        ),
        (
            "CATCHMENT__X",
            "unknown setting `x` in an environment variable; \
             `catchment config check` shows those that there are",
        ),
    ] {
        assert_eq!(refusal(&[(name, "1")]), format!("bad settings: {expected}"));
    }
}

#[test]
fn a_bad_value_is_named_with_its_key() {
    for (name, value, expected) in [
        ("CAMPAIGNS__TIMEOUT", "5", "expected a duration such as `5m`, `90s` or `1h30m`"),
        ("SHOPS__FLOOR", "-1", "a radius cannot be negative"),
        ("TRIGGERS__MANUAL__DEFAULT_LIMIT", "150%", "a limit is at most 100%"),
        ("TRIGGERS__MANUAL__RANK", "256", "expected a whole number from 0 to 255"),
        ("DATABASE__LANES", "0", "expected a whole number from 1 to 1024"),
        ("DATABASE__CAMPAIGNS_KEPT", "long", "expected `forever`, or a duration such as `90d`"),
        ("ENGINE__LEASE", "301s", "a lease is at most 5 m"),
        ("LOG__FORMAT", "xml", "expected `text` or `json`"),
        ("PROBES__ADDRESS", "8080", "expected an address such as `0.0.0.0:8080`, or `none`"),
        ("KAFKA__GROUP_ID", "", "it must not be empty"),
        (
            "KAFKA__REPLY_TOPICS_ALLOWED",
            "a.*, b;c",
            "no topic can be `b;c`: expected names separated by commas",
        ),
    ] {
        let key = name.to_lowercase().replace("__", ".");
        assert_eq!(
            refusal(&[(&format!("CATCHMENT__{name}"), value)]),
            format!("bad settings: `{key}` is `{value}` in an environment variable: {expected}")
        );
    }
}

#[test]
fn requests_and_replies_have_topics_of_their_own() {
    for key in ["REQUESTS_TOPIC", "REPLIES_TOPIC"] {
        let topics = Settings::load(&Layers::default()).unwrap().kafka;
        let other =
            if key == "REQUESTS_TOPIC" { topics.replies_topic } else { topics.requests_topic };
        let refusal = refusal(&[(&format!("CATCHMENT__KAFKA__{key}"), &other)]);
        assert!(refusal.contains("it must not be `kafka.requests_topic`, too"), "{refusal}");
    }
}

#[test]
fn a_new_kind_needs_a_rank() {
    let refusal = refusal(&[("CATCHMENT__TRIGGERS__STREET_PARTY__DEFAULT_LIMIT", "50%")]);
    assert_eq!(refusal, "bad settings: `triggers.street_party.rank` is missing");
}

#[test]
fn secrets_are_not_shown() {
    let secrets = [
        ("CATCHMENT__DATABASE__URL", "postgres://me:hush@host"),
        ("CATCHMENT__KAFKA__PROPERTIES__SASL_PASSWORD", "hush"),
        ("CATCHMENT__KAFKA__PRODUCER__SASL_PASSWORD", "hush"),
    ];
    let settings = Settings::load(&with_variables(&secrets)).unwrap();
    let shown = format!("{settings:?} {:?} {:?}", settings.database, settings.kafka);
    assert!(shown.contains("me:***@host") && !shown.contains("hush"), "{shown}");
    let refusal = refusal(&[("CATCHMENT__DATABASE__URL", "mysql://me:hush@host")]);
    let expected = "bad settings: `database.url` is `mysql://***` in an environment variable: \
                    expected a file such as `sqlite://catchment.db`, or a server such as \
                    `postgres://user@host/database`";
    assert_eq!(refusal, expected);
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_a_word_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.toml");
    std::fs::write(&path, "[database]\nurl = \"postgres://me:hush@host\n").unwrap();
    let layers = Layers::default().with_file(Some(path.clone()));
    let refusal = Settings::load(&layers).unwrap_err().to_string();
    assert!(!refusal.contains("hush"), "{refusal}");
    assert!(refusal.contains(&path.display().to_string()), "{refusal}");
    assert!(refusal.contains("line 2"), "{refusal}");
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    let unreadable = vec!["CATCHMENT__DATABASE__URL".to_owned()];
    let layers = Layers { unreadable, ..Layers::default() };
    let refusal = Settings::load(&layers).unwrap_err().to_string();
    let expected = "the environment variable `CATCHMENT__DATABASE__URL` is not UTF-8";
    assert_eq!(refusal, format!("bad settings: {expected}"));
}

#[test]
fn properties_of_the_broker_client_are_passed_through() {
    let settings = Settings::load(&with_variables(&[
        ("CATCHMENT__KAFKA__PROPERTIES__CLIENT_ID", "shops"),
        ("CATCHMENT__KAFKA__PRODUCER__LINGER_MS", "0"),
    ]));
    let kafka = settings.unwrap().kafka;
    assert_eq!(kafka.properties.0["client.id"], "shops");
    assert_eq!(kafka.producer.0["linger.ms"], "0");
    assert_eq!(kafka.consumer, Properties::default());
}

#[test]
fn a_file_may_write_properties_with_and_without_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kafka.toml");
    let text = "[kafka.properties]\nclient.id = \"shops\"\n\"client.rack\" = \"a\"\n\
                [kafka.consumer]\n\"fetch.wait.max.ms\" = 50\n";
    std::fs::write(&path, text).unwrap();
    let kafka = Settings::load(&Layers::default().with_file(Some(path))).unwrap().kafka;
    assert_eq!(kafka.properties.0["client.id"], "shops");
    assert_eq!(kafka.properties.0["client.rack"], "a");
    assert_eq!(kafka.consumer.0["fetch.wait.max.ms"], "50");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let layers = Layers::default().with_file(Some("missing.toml".into()));
    let refusal = Settings::load(&layers).unwrap_err().to_string();
    assert_eq!(refusal, "bad settings: there is no file missing.toml");
}

#[test]
fn time_outs_that_contradict_each_other_are_refused() {
    for (name, value, expected) in [
        (
            "SHUTDOWN__DRAIN",
            "8s",
            "`shutdown.drain` is 8 s: it must be below `kafka.session_timeout`, which is 8 s",
        ),
        (
            "KAFKA__SESSION_TIMEOUT",
            "6m",
            "`kafka.session_timeout` is 6 m: it must be at most `max.poll.interval.ms`, which is \
             5 m",
        ),
        (
            "KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS",
            "6000",
            "`kafka.session_timeout` is 8 s: it must be at most `max.poll.interval.ms`, which \
             is 6 s",
        ),
        (
            "KAFKA__PROPERTIES__MAX_POLL_INTERVAL_MS",
            "soon",
            "`max.poll.interval.ms` is `soon`: expected a whole number of milliseconds",
        ),
        (
            "DATABASE__IDLE_IN_TRANSACTION_SESSION_TIMEOUT",
            "1m",
            "`database.idle_in_transaction_session_timeout` is 1 m: it must be below \
             `kafka.session_timeout`, which is 8 s",
        ),
        (
            "DATABASE__LOCK_TIMEOUT",
            "50s",
            "`database.lock_timeout` is 50 s: it must be below `kafka.session_timeout`, which \
             is 8 s",
        ),
    ] {
        let refusal = refusal(&[(&format!("CATCHMENT__{name}"), value)]);
        assert_eq!(refusal, format!("bad settings: {expected}"));
    }
}

#[test]
fn a_property_that_the_broker_client_does_not_know_is_refused() {
    let refusal = refusal(&[("CATCHMENT__KAFKA__PRODUCER__LINGR_MS", "5")]);
    assert!(refusal.starts_with("bad settings: section `kafka`: `lingr.ms`"), "{refusal}");
}

#[test]
fn a_command_warns_in_our_words_and_not_in_those_of_the_driver() {
    let filter = Settings::load(&Layers::default()).unwrap().log.filter;
    for (target, warns) in [
        ("catchment", true),
        ("catchment_seaorm::writers", true),
        ("sqlx::query", false),
        ("sqlx_core::pool::connection", false),
    ] {
        assert_eq!(filter.would_enable(target, &Level::WARN), warns, "{target}");
        assert!(filter.would_enable(target, &Level::ERROR), "{target}");
    }
}
