//! Asks a service on this machine whether it is ready. This is the health check of a container,
//! which has no other program for that, and of the process that started the service.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, asking and answering may each take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A limit above the length of every answer.
const LONGEST_ANSWER: u64 = 65_536;

/// The answer of a service about its health.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the service can work.
    pub is_ready: bool,
    /// The text of the answer.
    pub text: String,
}

/// Asks the probes at this address, and blocks until they answer.
///
/// # Errors
///
/// When there is no answer in a few seconds, or the answer is not HTTP.
pub fn ask(address: SocketAddr) -> io::Result<Health> {
    get(address, "/readyz")
}

fn get(address: SocketAddr, path: &str) -> io::Result<Health> {
    let mut stream = TcpStream::connect_timeout(&reachable(address), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::other("what answered does not speak HTTP"))
}

fn read(answer: &str) -> Option<Health> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    Some(Health { is_ready: status == "200", text: body.trim().to_owned() })
}

/// Returns the address at which this machine reaches a service that listens on all addresses.
const fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::super::probes::Probes;
    use super::super::readiness::Readiness;
    use super::*;

    #[tokio::test]
    async fn a_service_is_asked_over_its_own_probes() {
        let readiness = Readiness::new(&["kafka"]);
        let probes = Probes::bind((Ipv4Addr::UNSPECIFIED, 0).into()).await.unwrap();
        let address = probes.address().unwrap();
        tokio::spawn(probes.serve(readiness.clone()));
        let asked = |path| tokio::task::spawn_blocking(move || get(address, path).unwrap());
        let health = asked("/readyz").await.unwrap();
        assert!(!health.is_ready);
        assert_eq!(health.text, r#"{"ready":false,"reasons":["kafka: starting"]}"#);
        assert_eq!(asked("/livez").await.unwrap().text, "alive");
        readiness.met("kafka");
        assert!(asked("/readyz").await.unwrap().is_ready);
    }

    #[test]
    fn an_answer_that_is_none_is_told_from_a_bad_one() {
        assert_eq!(read("220 smtp\r\n\r\n"), None);
        assert_eq!(read("HTTP/1.1 200 OK"), None);
        assert!(read("HTTP/1.1 200 OK\r\n\r\n").unwrap().is_ready);
        assert!(!read("HTTP/1.1 404 Not Found\r\n\r\n").unwrap().is_ready);
    }
}
