//! Hides the secrets of the settings: passwords and keys.

use catchment_seaorm::DatabaseUrl;

/// Parts of the names of secret settings, for librdkafka, libpq and any that either may add.
const SECRETS: [&str; 7] =
    ["password", "passphrase", "secret", "key.pem", "jaas", "oauthbearer.config", "kinit.cmd"];

/// The text shown in place of a secret.
const HIDDEN: &str = "***";

/// Returns the text of a setting as it may be shown. Any setting may hold the URL of a database by
/// mistake.
pub(super) fn shown(key: &str, text: &str) -> String {
    if is_secret(key) {
        HIDDEN.to_owned()
    } else if key == "database.url" {
        DatabaseUrl::redact(text)
    } else {
        DatabaseUrl::redact_in(text)
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', ".");
    SECRETS.iter().any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_hidden_wherever_it_stands() {
        for (key, text, expected) in [
            ("database.url", "catchment.db", "***"),
            ("database.url", "postgres://me:secret@host", "postgres://me:***@host"),
            ("kafka.group_id", "postgres://me:secret@host", "postgres://me:***@host"),
            ("kafka.bootstrap_servers", "host=h password=secret", "***"),
            ("kafka.bootstrap_servers", "SSL://kafka:9092", "SSL://kafka:9092"),
        ] {
            assert_eq!(shown(key, text), expected);
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
            "sasl.kerberos.kinit.cmd",
            "SASL.Password",
            "ssl_key_pem",
        ] {
            assert_eq!(shown(&format!("kafka.properties.{key}"), "hush"), "***", "{key}");
        }
        assert_eq!(shown("kafka.properties.sasl.username", "me"), "me");
    }

    /// A build without Kafka must know the secrets, too.
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
