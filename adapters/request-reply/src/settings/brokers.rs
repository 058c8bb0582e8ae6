//! Checks the addresses of brokers.

use std::net::Ipv6Addr;

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// Whether a text is a list of `host`, `host:port` or `protocol://host:port`, with commas between.
///
/// The client takes any text for a host, and shows it in its log lines and errors. So a text with a
/// user and a password, such as a URL, must not reach the client.
pub(super) fn are_brokers(text: &str) -> bool {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).all(is_broker)
}

fn is_broker(text: &str) -> bool {
    let address = match text.split_once("://") {
        None => text,
        Some((protocol, address))
            if PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(protocol)) =>
        {
            address
        }
        Some(_) => return false,
    };
    if address.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    match address.rsplit_once(':') {
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok(),
        None => is_host(address),
    }
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = address.split_once('%').map_or(address, |(address, _)| address);
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_allowed = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    !text.is_empty() && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_and_ports_without_users_and_passwords() {
        for text in [
            "",
            "kafka",
            "kafka-1.example:9092",
            "kafka_1:9092, 10.0.0.1:9093,",
            "SASL_SSL://kafka:9092",
            "ssl://[::1]:9092",
            "[fe80::1%eth0]:9092",
            "::1",
        ] {
            assert!(are_brokers(text), "{text}");
        }
        for text in [
            "me:hunter2@kafka:9092",
            "me@kafka:9092",
            "kafka:9092,me:hunter2@kafka:9092",
            "sasl://me:hunter2@kafka",
            "SASL_SSL://me:hunter2@kafka:9092",
            "kafka://kafka:9092",
            "kafka:9092?password=hunter2",
            "kafka:9092/hunter2",
            "me:hunter2",
            "host=kafka password=hunter2",
            "kafka:90920",
            ":9092",
        ] {
            assert!(!are_brokers(text), "{text}");
        }
    }
}
