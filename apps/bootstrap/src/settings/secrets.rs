//! What nobody may see of the settings: passwords and keys.

/// What the names of secret settings have in them: librdkafka's, libpq's, and any that either
/// may add.
const SECRETS: [&str; 6] =
    ["password", "passphrase", "secret", "key.pem", "jaas", "oauthbearer.config"];

/// What is shown in the place of a secret.
const HIDDEN: &str = "***";

/// The text of a setting as it may be shown.
pub(super) fn shown(key: &str, text: &str) -> String {
    if is_secret(key) {
        return HIDDEN.to_owned();
    }
    redacted(text)
}

fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|part| key.contains(part))
}

/// The text of a URL with `***` in the place of each password: that of the user, and those
/// among its parameters.
pub(super) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, parameters) = match rest.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (rest, None),
    };
    let place = without_password(place);
    match parameters.map(without_secret_parameters) {
        Some(parameters) => format!("{scheme}://{place}?{parameters}"),
        None => format!("{scheme}://{place}"),
    }
}

/// `name:password@rest` without the password. A password that should have been escaped may
/// itself hold `@`, `/` or `:`, so everything up to the last `@` is taken for it.
fn without_password(place: &str) -> String {
    let named = place.rsplit_once('@').and_then(|(user, rest)| {
        let (name, _) = user.split_once(':')?;
        Some(format!("{name}:{HIDDEN}@{rest}"))
    });
    named.unwrap_or_else(|| place.to_owned())
}

fn without_secret_parameters(parameters: &str) -> String {
    let hide = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => parameter.to_owned(),
    };
    parameters.split('&').map(hide).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, expected) in [
            ("sqlite://catchment.db", "sqlite://catchment.db"),
            ("postgres://me:secret@host/shops?a=b", "postgres://me:***@host/shops?a=b"),
            ("postgres://me:se@cret@host", "postgres://me:***@host"),
            ("postgres://me:se/cret@host/shops", "postgres://me:***@host/shops"),
            ("postgres://me@host/shops", "postgres://me@host/shops"),
            (
                "postgres://host/shops?user=me&password=secret&sslpassword=secret",
                "postgres://host/shops?user=me&password=***&sslpassword=***",
            ),
            ("me:secret", "me:secret"),
        ] {
            assert_eq!(redacted(url), expected);
        }
    }

    #[test]
    fn secrets_of_the_broker_are_hidden_by_their_names() {
        for key in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.jaas.config",
        ] {
            assert_eq!(shown(&format!("kafka.properties.{key}"), "hush"), "***", "{key}");
        }
        assert_eq!(shown("kafka.properties.sasl.username", "me"), "me");
    }

    /// A build without Kafka has to know them, too.
    #[cfg(feature = "servers")]
    #[test]
    fn the_client_of_kafka_has_the_same_secrets() {
        for name in SECRETS {
            let key = format!("some.{name}.of.it");
            assert!(is_secret(&key) && catchment_kafka::is_secret(&key), "{key}");
        }
        for key in ["sasl.username", "client.id", "ssl.ca.location"] {
            assert!(!is_secret(key) && !catchment_kafka::is_secret(key), "{key}");
        }
    }
}
