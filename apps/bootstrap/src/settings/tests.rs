use std::collections::HashMap;

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
        ("CATCHMENT_ELSE", "no setting of ours"),
    ]);
    let settings = Settings::load(&layers).unwrap();
    assert_eq!(settings.timeout, Duration::from_mins(10));
    assert_eq!(settings.policy.rank("rider_shortage".parse().unwrap()), Some(Rank(30)));
    assert_eq!(settings.policy.rank("street_party".parse().unwrap()), Some(Rank(5)));
    assert_eq!(settings.database.url.expose(), "sqlite://variable.db");
    layers.database = Some("sqlite://option.db".into());
    let settings = Settings::load(&layers).unwrap();
    assert_eq!(settings.database.url.expose(), "sqlite://option.db");
    assert_eq!(settings.values["database.url"].origin, "--database");
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
        ("LOG__FORMAT", "xml", "expected `text` or `json`"),
        ("DATABASE__URL", "catchment.db", "expected a file such as `sqlite://catchment.db`"),
    ] {
        let key = name.to_lowercase().replace("__", ".");
        assert_eq!(
            refusal(&[(&format!("CATCHMENT__{name}"), value)]),
            format!("bad settings: `{key}` is `{value}` in an environment variable: {expected}")
        );
    }
}

#[test]
fn a_new_kind_needs_a_rank() {
    let refusal = refusal(&[("CATCHMENT__TRIGGERS__STREET_PARTY__DEFAULT_LIMIT", "50%")]);
    assert_eq!(refusal, "bad settings: `triggers.street_party.rank` is missing");
}

#[test]
fn a_password_is_not_shown() {
    for (url, shown) in [
        ("sqlite://catchment.db", "sqlite://catchment.db"),
        ("postgres://me:secret@host/shops?a=b", "postgres://me:***@host/shops?a=b"),
        ("postgres://me:se@cret@host", "postgres://me:***@host"),
        ("postgres://me@host/shops", "postgres://me@host/shops"),
    ] {
        assert_eq!(format!("{:?}", DatabaseUrl(url.into())), shown);
    }
    let refusal = refusal(&[("CATCHMENT__DATABASE__URL", "postgres://me:secret@host")]);
    assert!(refusal.contains("me:***@host") && !refusal.contains("secret"), "{refusal}");
}
