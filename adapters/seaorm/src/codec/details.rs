//! Encodes why slots were closed other than by plain success.

use catchment_domain::{Detail, Phase};
use serde::{Deserialize, Serialize};

use super::{CodecError, Format, read, write};

const FORMAT: Format = 1;

#[derive(Serialize, Deserialize)]
struct StoredDetail<'a> {
    is_release: bool,
    place: u16,
    code: &'a str,
    message: Option<&'a str>,
}

/// Encodes details. Without details, there are no bytes.
pub(crate) fn encode(details: &[Detail]) -> Vec<u8> {
    if details.is_empty() {
        return Vec::new();
    }
    let stored = details.iter().map(|detail| StoredDetail {
        is_release: detail.phase == Phase::Release,
        place: detail.place,
        code: detail.code.as_str(),
        message: detail.message.as_deref(),
    });
    write(FORMAT, &stored.collect::<Vec<_>>())
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Detail>, CodecError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    read::<Vec<StoredDetail<'_>>>(FORMAT, bytes)?.into_iter().map(Detail::try_from).collect()
}

impl TryFrom<StoredDetail<'_>> for Detail {
    type Error = CodecError;

    fn try_from(stored: StoredDetail<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            phase: if stored.is_release { Phase::Release } else { Phase::Activation },
            place: stored.place,
            code: stored.code.parse().map_err(|()| CodecError::Value("a code"))?,
            message: stored.message.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::Code;

    use super::*;

    #[test]
    fn details_are_read_as_written() {
        let details = vec![
            Detail { phase: Phase::Activation, place: 7, code: Code::GivenUp, message: None },
            Detail {
                phase: Phase::Release,
                place: u16::MAX,
                code: Code::UnknownShop,
                message: Some("no such shop".into()),
            },
        ];
        assert_eq!(decode(&encode(&details)), Ok(details));
        assert_eq!(decode(&encode(&[])), Ok(Vec::new()));
    }
}
