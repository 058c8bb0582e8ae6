//! Our own requester: it asks under the names of every peer, and is told failures in a header.

use super::{OwnHeader, PartitionForm, Peer, Trace};
use crate::correlation::CorrelationId;

/// A failure, towards every peer that has no header of its own for it. Its value is the JSON of
/// [`Failure`](super::Failure).
pub(super) const FAILURE: &str = "catchment-failure";

/// How a requester writes its correlation ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CorrelationForm {
    /// UUID text in lower case: the one form that repliers of every kind echo.
    #[default]
    Text,
    /// 16 bytes, as Spring itself does.
    Raw,
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
#[derive(Clone, Debug)]
pub struct RequestHeaders<'a> {
    topic: &'a str,
    partition: Option<Vec<u8>>,
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
        let partition = style.partition.bytes(partition);
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
        let partition = self.partition.as_deref();
        let count = if partition.is_some() { 3 } else { 2 };
        let values = [id, topic, partition];
        let named = move |peer: &'static Peer| peer.names().into_iter().zip(values).take(count);
        Peer::asked().flat_map(named).chain(self.trace.headers())
    }
}
