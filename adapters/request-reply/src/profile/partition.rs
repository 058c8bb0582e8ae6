/// Which partition of the reply topic a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyPartition {
    /// None is asked for: the reply's key chooses.
    #[default]
    Any,
    /// This one.
    Number(i32),
    /// What is asked for cannot be read. The reply's key chooses, and it is worth counting.
    Unusable,
}

impl ReplyPartition {
    /// Reads a partition without being told how it is encoded.
    ///
    /// 1. Four bytes of which the first is 0 are a signed big-endian number.
    /// 2. Decimal digits, and nothing else, are a decimal number.
    /// 3. Anything else is not usable.
    ///
    /// The first two never meet: no digit is a 0 byte.
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        match value {
            [0, rest @ ..] if rest.len() == 3 => {
                Self::Number(rest.iter().fold(0, |number, byte| number << 8 | i32::from(*byte)))
            }
            digits if is_decimal(digits) => {
                let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                number.map_or(Self::Unusable, Self::Number)
            }
            _ => Self::Unusable,
        }
    }

    /// The partition, where one is asked for in a way that can be read.
    #[must_use]
    pub const fn number(self) -> Option<i32> {
        match self {
            Self::Number(number) => Some(number),
            Self::Any | Self::Unusable => None,
        }
    }
}

/// Whether a partition is written the way NestJS does.
pub(super) fn is_decimal(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

/// How a requester writes the partition in which it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartitionForm {
    /// Not at all: no encoding suits every kind of replier. The reply's key chooses then.
    #[default]
    Absent,
    /// Four bytes, big endian: for our own replier, Spring and SmallRye.
    Binary,
    /// Decimal text: for NestJS.
    Decimal,
}

impl PartitionForm {
    pub(super) fn bytes(self, partition: i32) -> Option<Vec<u8>> {
        match self {
            Self::Absent => None,
            Self::Binary => Some(partition.to_be_bytes().to_vec()),
            Self::Decimal => Some(partition.to_string().into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_encodings_are_read_and_nothing_else() {
        let cases: &[(&[u8], ReplyPartition)] = &[
            (&[0, 0, 0, 0], ReplyPartition::Number(0)),
            (&[0, 0, 0, 1], ReplyPartition::Number(1)),
            (&[0, 1, 0, 2], ReplyPartition::Number(65_538)),
            (&[0, 255, 255, 255], ReplyPartition::Number(16_777_215)),
            (b"0", ReplyPartition::Number(0)),
            (b"12", ReplyPartition::Number(12)),
            (b"0012", ReplyPartition::Number(12)),
            (b"2147483647", ReplyPartition::Number(i32::MAX)),
            (b"2147483648", ReplyPartition::Unusable),
            (&[255, 255, 255, 255], ReplyPartition::Unusable),
            (&[1, 0, 0, 0], ReplyPartition::Unusable),
            (&[0, 0, 0], ReplyPartition::Unusable),
            (&[0, 0, 0, 0, 0], ReplyPartition::Unusable),
            (b"", ReplyPartition::Unusable),
            (b"-1", ReplyPartition::Unusable),
            (b" 1", ReplyPartition::Unusable),
        ];
        for (bytes, expected) in cases {
            assert_eq!(ReplyPartition::read(bytes), *expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_is_what_the_standard_library_reads(number in 0..=i32::MAX) {
            let text = number.to_string();
            prop_assert_eq!(ReplyPartition::read(text.as_bytes()), ReplyPartition::Number(number));
        }

        #[test]
        fn four_bytes_are_what_java_writes(number in 0_i32..1 << 24) {
            prop_assert_eq!(
                ReplyPartition::read(&number.to_be_bytes()),
                ReplyPartition::Number(number)
            );
        }
    }
}
