use super::{Header, PEERS, own};

/// A reply as a requester reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReply<'a> {
    /// The correlation id, byte for byte; without one nobody can know what is answered.
    pub correlation_id: Option<&'a [u8]>,
    /// What the replier says.
    pub answer: Answer<'a>,
}

/// What a replier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The value of the reply.
    Value(&'a [u8]),
    /// The replier's handler failed, in the replier's own words: JSON as a rule.
    Failure(&'a [u8]),
    /// Neither a value nor a failure: no replier means that as a success.
    Malformed,
}

impl<'a> ReadReply<'a> {
    /// Reads a reply of any kind of replier, be it asked in one family of headers or in both.
    pub fn read(headers: impl IntoIterator<Item = Header<'a>>, value: Option<&'a [u8]>) -> Self {
        let mut ids = [None; PEERS.len()];
        let (mut failures, mut own_failure) = ([None; PEERS.len()], None);
        for (name, value) in headers {
            for ((peer, id), failure) in PEERS.iter().zip(&mut ids).zip(&mut failures) {
                if peer.correlation_id == name {
                    *id = value;
                } else if peer.failure == Some(name) {
                    *failure = value;
                }
            }
            if name == own::FAILURE {
                own_failure = value;
            }
        }
        let failures = failures.into_iter().chain([own_failure]).flatten();
        let failure = failures.into_iter().find(|failure| !failure.is_empty());
        let answer = match (failure, value) {
            (Some(failure), _) => Answer::Failure(failure),
            (None, Some(value)) => Answer::Value(value),
            (None, None) => Answer::Malformed,
        };
        Self { correlation_id: ids.into_iter().flatten().next(), answer }
    }
}
