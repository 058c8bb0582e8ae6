use std::sync::Arc;

use super::{DeadLetterCache, Place};
use crate::error::ReadError;
use crate::profile::{self, DeadLetter};
use crate::reader::Reader;
use crate::record::{Header, Message, OwnedRecord};

/// Makes dead letters of requests, as Spring's tools know them.
#[derive(Debug)]
pub struct DeadLetters<M> {
    reader: Reader<M>,
    cache: Arc<DeadLetterCache>,
    pub(super) topic: Arc<str>,
    group: Box<str>,
}

impl<M: Clone + Send + Sync + 'static> DeadLetters<M> {
    /// Dead letters of the requests that a member of a group reads.
    #[must_use]
    pub fn new(reader: Reader<M>, cache: Arc<DeadLetterCache>, group: &str) -> Self {
        let topic = DeadLetter::topic(reader.topic()).into();
        Self { reader, cache, topic, group: group.into() }
    }

    /// A request as it stands in its topic; `None` where it is gone.
    pub(super) async fn original(
        &self,
        place: Place,
    ) -> Result<Option<Arc<OwnedRecord>>, ReadError> {
        if let Some(kept) = self.cache.get(place) {
            return Ok(Some(kept));
        }
        let fetched = self.reader.fetch(place.partition, place.offset).await?;
        Ok(fetched.map(Arc::new))
    }

    /// A request with the reason why it is given up, for the same partition.
    pub(super) fn letter(&self, original: &OwnedRecord, (code, message): (&str, &str)) -> Message {
        let origin = profile::Origin {
            topic: &original.topic,
            partition: original.partition,
            offset: original.offset,
            timestamp: original.timestamp,
            group: &self.group,
        };
        let letter = DeadLetter::new(origin, code, message);
        let headers = original.headers.iter().map(|h| (&*h.name, h.value.as_deref()));
        let owned = |(name, value): profile::Header<'_>| Header {
            name: name.to_owned().into(),
            value: value.map(<[u8]>::to_vec),
        };
        Message {
            topic: Arc::clone(&self.topic),
            partition: Some(original.partition),
            key: original.key.clone(),
            value: original.value.clone(),
            headers: letter.headers(headers).map(owned).collect(),
        }
    }
}
