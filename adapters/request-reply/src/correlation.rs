//! Correlation ids of our own calls, as they travel.

use std::fmt;

use uuid::Uuid;

/// A correlation id that a requester of ours gave out: a UUID, as text or as raw bytes.
///
/// Kept inline, for there is one with every call and every reply. What peers give out is never
/// made into one: it is echoed as it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId {
    // What is behind it in `bytes` is 0. Above `LONGEST`, the id was cut, and is none of ours.
    length: usize,
    bytes: [u8; Self::LONGEST],
}

impl CorrelationId {
    /// The length of a UUID as text.
    const LONGEST: usize = uuid::fmt::Hyphenated::LENGTH;

    /// The id as text in lower case: the form that every known replier echoes.
    #[must_use]
    pub fn text(id: Uuid) -> Self {
        let mut bytes = [0; Self::LONGEST];
        id.hyphenated().encode_lower(&mut bytes);
        Self { length: Self::LONGEST, bytes }
    }

    /// The id as 16 bytes, in the order of RFC 9562.
    #[must_use]
    pub fn raw(id: Uuid) -> Self {
        Self::read(id.as_bytes())
    }

    /// Reads an id from a reply. Of one that is too long to be ours the beginning is kept, and it
    /// equals none of ours.
    #[must_use]
    pub fn read(source: &[u8]) -> Self {
        let mut bytes = [0; Self::LONGEST];
        bytes.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
        Self { length: source.len(), bytes }
    }

    /// The id as it travels, as far as it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    /// The UUID, where the id is one in either form.
    #[must_use]
    pub fn uuid(&self) -> Option<Uuid> {
        if Self::LONGEST < self.length {
            return None;
        }
        let bytes = self.as_bytes();
        match Uuid::from_slice(bytes) {
            Ok(id) => Some(id),
            Err(_) => Uuid::try_parse_ascii(bytes).ok(),
        }
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uuid() {
            Some(id) => write!(formatter, "{id}"),
            None => write!(formatter, "{}", self.as_bytes().escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_uuid_and_differ() {
        let id = Uuid::from_u128(0x0b81_3135_e19b_1c63_1198_817f_ffff_0001);
        let (text, raw) = (CorrelationId::text(id), CorrelationId::raw(id));
        assert_eq!(text.as_bytes(), id.to_string().as_bytes());
        assert_eq!(raw.as_bytes(), id.as_bytes());
        assert_eq!((text.uuid(), raw.uuid()), (Some(id), Some(id)));
        assert_ne!(text, raw);
    }

    #[test]
    fn what_is_too_long_is_none_of_ours() {
        let ours = CorrelationId::text(Uuid::now_v7());
        assert_eq!(CorrelationId::read(ours.as_bytes()), ours);
        let longer = CorrelationId::read(&[ours.as_bytes(), b"x"].concat());
        assert_ne!(longer, ours);
        assert_eq!((longer.as_bytes(), longer.uuid()), (ours.as_bytes(), None));
        assert_eq!(CorrelationId::read(b"").as_bytes(), b"");
    }

    #[test]
    fn a_shorter_id_is_not_the_longer_one_that_ends_in_zeros() {
        assert_ne!(CorrelationId::read(&[7]), CorrelationId::read(&[7, 0]));
    }
}
