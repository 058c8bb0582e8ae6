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
                decimal(digits).map_or(Self::Unusable, ReplyPartition::Number)
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

fn decimal(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0_i32, |number, digit| {
        number.checked_mul(10)?.checked_add(i32::from(digit - b'0'))
    })
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

/// A partition in the bytes of its form, kept inline: the longest decimal has ten digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenPartition {
    first: usize,
    end: usize,
    bytes: [u8; 10],
}

impl WrittenPartition {
    pub(super) fn new(form: PartitionForm, partition: i32) -> Self {
        match form {
            PartitionForm::Absent => Self { first: 0, end: 0, bytes: [0; 10] },
            PartitionForm::Binary => Self::binary(partition),
            PartitionForm::Decimal => Self::decimal(partition.unsigned_abs()),
        }
    }

    fn binary(partition: i32) -> Self {
        let [p0, p1, p2, p3] = partition.to_be_bytes();
        Self { first: 0, end: 4, bytes: [p0, p1, p2, p3, 0, 0, 0, 0, 0, 0] }
    }

    fn decimal(partition: u32) -> Self {
        let mut bytes = [0; 10];
        let (mut first, mut rest) = (bytes.len(), partition);
        for digit in bytes.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            first -= 1;
            if rest == 0 {
                break;
            }
        }
        Self { first, end: bytes.len(), bytes }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(self.first..self.end).filter(|bytes| !bytes.is_empty())
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
