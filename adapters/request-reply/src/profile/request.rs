use super::{OwnHeader, Trace, kafka, smallrye};
use crate::correlation::CorrelationId;

/// How a requester writes its correlation ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CorrelationForm {
    /// UUID text in lower case: the one form that repliers of every kind echo.
    #[default]
    Text,
    /// 16 bytes, as Spring itself does.
    Raw,
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

/// What a replier is asked with; the default suits every kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestStyle {
    /// How correlation ids are written.
    pub correlation: CorrelationForm,
    /// How the partition of the reply is written.
    pub partition: PartitionForm,
}

impl RequestStyle {
    /// The style towards a replier of ours, which finds the requester's own partition.
    pub const OWN: Self =
        Self { correlation: CorrelationForm::Text, partition: PartitionForm::Binary };
}

/// The headers of a request, under the names of both families: Spring's, which NestJS shares, and
/// SmallRye's.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeaders<'a> {
    topic: &'a str,
    partition: WrittenPartition,
    correlation_id: CorrelationId,
    trace: Trace<'a>,
}

impl<'a> RequestHeaders<'a> {
    /// Headers that ask for a reply in `topic`, and in `partition` where the style names it.
    #[must_use]
    pub fn new(
        style: RequestStyle,
        (topic, partition): (&'a str, i32),
        id: uuid::Uuid,
        trace: Trace<'a>,
    ) -> Self {
        let correlation_id = match style.correlation {
            CorrelationForm::Text => CorrelationId::text(id),
            CorrelationForm::Raw => CorrelationId::raw(id),
        };
        let partition = WrittenPartition::new(style.partition, partition);
        Self { topic, partition, correlation_id, trace }
    }

    /// The correlation id as it is sent, and as it will come back.
    #[must_use]
    pub const fn correlation_id(&self) -> CorrelationId {
        self.correlation_id
    }

    /// The headers, each name once.
    pub fn iter(&self) -> impl Iterator<Item = OwnHeader<'_>> {
        let id = Some(self.correlation_id.as_bytes());
        let topic = Some(self.topic.as_bytes());
        let partition = self.partition.bytes();
        let families = [
            Some((kafka::CORRELATION_ID, id)),
            Some((kafka::REPLY_TOPIC, topic)),
            partition.map(|bytes| (kafka::REPLY_PARTITION, Some(bytes))),
            Some((smallrye::CORRELATION_ID, id)),
            Some((smallrye::REPLY_TOPIC, topic)),
            partition.map(|bytes| (smallrye::REPLY_PARTITION, Some(bytes))),
        ];
        families.into_iter().flatten().chain(self.trace.headers())
    }
}

/// A partition in the bytes of its form, kept inline: the longest decimal has ten digits.
#[derive(Clone, Copy, Debug)]
struct WrittenPartition {
    first: usize,
    end: usize,
    bytes: [u8; 10],
}

impl WrittenPartition {
    fn new(form: PartitionForm, partition: i32) -> Self {
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

    fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(self.first..self.end).filter(|bytes| !bytes.is_empty())
    }
}
