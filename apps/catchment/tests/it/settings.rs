//! Settings in layers.

use crate::app::{Ran, TestApp};

fn with(app: &TestApp, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    app.command(arguments).envs(variables.iter().copied()).output().unwrap().into()
}

fn timeout(app: &TestApp, variables: &[(&str, &str)]) -> String {
    let ran = with(app, variables, &["config", "check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = ran.stdout.lines().find(|line| line.starts_with("campaigns.timeout")).unwrap();
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn later_layers_win() {
    let app = TestApp::empty();
    assert_eq!(timeout(&app, &[]), "5m the defaults");
    std::fs::create_dir(app.path("config")).unwrap();
    app.file("config/prod.toml", "[campaigns]\ntimeout = \"7m\"\n");
    let prod = ("CATCHMENT_ENV", "prod");
    assert_eq!(timeout(&app, &[prod]), "7m config/prod.toml");
    let variable = ("CATCHMENT__CAMPAIGNS__TIMEOUT", "9m");
    assert_eq!(timeout(&app, &[prod, variable]), "9m an environment variable");
    app.file("other.toml", "[campaigns]\ntimeout = \"8m\"\n");
    let folder = ("CATCHMENT_CONFIG", ".");
    assert_eq!(timeout(&app, &[folder, ("CATCHMENT_ENV", "other")]), "8m ./other.toml");
}

#[test]
fn bad_settings_are_one_line_and_exit_64() {
    let app = TestApp::empty();
    app.file("typo.toml", "[campaigns]\ntiemout = \"7m\"\n");
    app.file("broken.toml", "[campaigns\n");
    for (variables, expected) in [
        (
            vec![("CATCHMENT__CAMPAIGNS__TIMEOUT", "5")],
            "`campaigns.timeout` is `5` in an environment variable: \
             expected a duration such as `5m`, `90s` or `1h30m`",
        ),
        (
            vec![("CATCHMENT_CONFIG", "."), ("CATCHMENT_ENV", "typo")],
            "unknown setting `campaigns.tiemout` in ./typo.toml: \
             did you mean `campaigns.timeout`?",
        ),
        (
            vec![("CATCHMENT_ENV", "nowhere")],
            "CATCHMENT_ENV is `nowhere`, but there is no file config/nowhere.toml",
        ),
    ] {
        let ran = with(&app, &variables, &["config", "check"]);
        let stderr = format!("catchment: bad settings: {expected}\n");
        assert_eq!(ran, Ran { code: Some(64), stdout: String::new(), stderr });
    }
    let broken = [("CATCHMENT_CONFIG", "."), ("CATCHMENT_ENV", "broken")];
    let ran = with(&app, &broken, &["triggers"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(64), 1), "{ran:?}");
}

#[test]
fn a_kind_of_ones_own_is_a_trigger_like_the_others() {
    let app = TestApp::with_shops();
    let variables = [
        ("CATCHMENT__TRIGGERS__STREET_PARTY__RANK", "15"),
        ("CATCHMENT__TRIGGERS__STREET_PARTY__DEFAULT_LIMIT", "500m"),
    ];
    let start = ["--json", "campaign", "start", "--kind", "street_party", "--all"];
    assert_eq!(with(&app, &variables, &start).value()["outcomes"]["applied"], 6);
}
