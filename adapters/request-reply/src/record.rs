//! Messages as they are sent, and records as they are read; no type of the client in sight.

use std::borrow::Cow;
use std::sync::Arc;

/// A header: its name and its bytes, `None` where it carries none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name; case matters.
    pub name: Cow<'static, str>,
    /// Its bytes.
    pub value: Option<Vec<u8>>,
}

impl Header {
    /// A header that carries bytes.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }

    fn size(&self) -> usize {
        self.name.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub topic: Arc<str>,
    /// The partition; `None` lets murmur2 of the key choose.
    pub partition: Option<i32>,
    /// What it is about: messages of one key keep their order.
    pub key: Option<Vec<u8>>,
    /// What it says.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

impl Message {
    /// Bytes of key, value and headers, as far as limits count them.
    #[must_use]
    pub fn size(&self) -> usize {
        let bytes = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        bytes(&self.key) + bytes(&self.value) + self.headers.iter().map(Header::size).sum::<usize>()
    }
}

/// When a record was written, in milliseconds since 1970, and by whose clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    /// There is none.
    Missing,
    /// By the sender's clock.
    Created(i64),
    /// By the broker's clock.
    Appended(i64),
}

/// A record as it is read, borrowed from the client while it is parsed.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order; empty where one has a name that is no UTF-8.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl<'a> Incoming<'a> {
    /// The bytes of the last header of this name: of a repeated one the last counts.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().rev().find(|(found, _)| *found == name).and_then(|(_, value)| *value)
    }

    /// Bytes of key, value and headers.
    pub(crate) fn size(&self) -> usize {
        let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + bytes(*value));
        bytes(self.key) + bytes(self.value) + headers.sum::<usize>()
    }

    /// A copy that outlives the client's memory.
    #[must_use]
    pub fn to_owned(&self) -> OwnedRecord {
        let owned = |(name, value): &(&str, Option<&[u8]>)| Header {
            name: Cow::Owned((*name).to_owned()),
            value: value.map(<[u8]>::to_vec),
        };
        OwnedRecord {
            topic: self.topic.to_owned(),
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers: self.headers.iter().map(owned).collect(),
        }
    }
}

/// A record, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

impl OwnedRecord {
    /// The same as it was when it was read.
    #[must_use]
    pub fn as_incoming(&self) -> Incoming<'_> {
        let headers = self.headers.iter();
        Incoming {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.map(|h| (h.name.as_ref(), h.value.as_deref())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: Vec<Header>) -> OwnedRecord {
        OwnedRecord {
            topic: "t".to_owned(),
            partition: 3,
            offset: 7,
            timestamp: Timestamp::Created(5),
            key: Some(b"key".to_vec()),
            value: None,
            headers,
        }
    }

    #[test]
    fn the_last_of_a_repeated_header_counts() {
        let record =
            record(vec![Header::new("a", "1"), Header::new("b", "2"), Header::new("a", "3")]);
        let incoming = record.as_incoming();
        assert_eq!(incoming.header("a"), Some(b"3".as_slice()));
        assert_eq!(incoming.header("A"), None, "case matters");
    }

    #[test]
    fn a_record_survives_being_borrowed_and_kept() {
        let nothing = Header { name: "n".into(), value: None };
        let record = record(vec![nothing, Header::new("a", [0, 255])]);
        assert_eq!(record.as_incoming().to_owned(), record);
    }

    #[test]
    fn a_message_is_as_large_as_its_parts() {
        let message = Message {
            topic: "t".into(),
            partition: None,
            key: Some(vec![0; 3]),
            value: Some(vec![0; 10]),
            headers: vec![Header::new("ab", [1, 2, 3])],
        };
        assert_eq!(message.size(), 18);
    }
}
