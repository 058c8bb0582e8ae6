use super::{Header, kafka, nest, own, smallrye};

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
        let (mut kafka_id, mut smallrye_id) = (None, None);
        let (mut nest_failure, mut own_failure) = (None, None);
        for (name, value) in headers {
            match name {
                kafka::CORRELATION_ID => kafka_id = value,
                smallrye::CORRELATION_ID => smallrye_id = value,
                nest::FAILURE => nest_failure = value,
                own::FAILURE => own_failure = value,
                _ => {}
            }
        }
        let failures = [own_failure, nest_failure].into_iter().flatten();
        let answer = match (failures.into_iter().find(|failure| !failure.is_empty()), value) {
            (Some(failure), _) => Answer::Failure(failure),
            (None, Some(value)) => Answer::Value(value),
            (None, None) => Answer::Malformed,
        };
        Self { correlation_id: kafka_id.or(smallrye_id), answer }
    }
}
