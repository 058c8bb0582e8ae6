//! Encodes the receipt of an import in columns: a shop takes its id and about five bytes. Remarks
//! are rare, so each is stored with the place of its shop.

use catchment_domain::{CauseName, ImportEntry, ImportRemark, Revision, ShopId};
use serde::{Deserialize, Serialize};

use super::standings::Standings;
use super::{CodecError, Format, read, write};

const FORMAT: Format = 2;

#[derive(Default, Serialize, Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    shops: Vec<&'a str>,
    /// Whether the shop existed before.
    known: Vec<bool>,
    standings: Standings<'a>,
    /// Remarks with the places of their shops, in the order of the places.
    remarks: Vec<(u32, StoredRemark<'a>)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum StoredRemark<'a> {
    NewerBase(u64),
    ReleasedCampaign(u64),
    ReleasedKind(&'a str),
}

/// Encodes the entries of an import's receipt.
pub(crate) fn encode(entries: &[ImportEntry]) -> Vec<u8> {
    let mut columns = Columns::default();
    for (place, entry) in (0..).zip(entries) {
        columns.shops.push(entry.shop.as_str());
        columns.known.push(entry.standing.before.is_some());
        columns.standings.push(&entry.standing);
        columns.remarks.extend(entry.remark.as_ref().map(|it| (place, StoredRemark::from(it))));
    }
    write(FORMAT, &columns)
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<ImportEntry>, CodecError> {
    let Columns { shops, known, standings, remarks } = read(FORMAT, bytes)?;
    if shops.len() != known.len() {
        return Err(CodecError::Unreadable);
    }
    let mut standings = standings.read()?;
    let mut remarks = remarks.into_iter().peekable();
    let entries = (0..).zip(shops.into_iter().zip(known)).map(|(place, (shop, known))| {
        let shop: ShopId = shop.parse().map_err(|_| CodecError::Value("a shop id"))?;
        let remark = remarks.next_if(|(of, _)| *of == place);
        let remark = remark.map(|(_, remark)| remark.try_into()).transpose()?;
        Ok(ImportEntry { shop, standing: standings.next(known)?, remark })
    });
    let entries = entries.collect::<Result<Vec<_>, CodecError>>()?;
    if remarks.next().is_some() {
        return Err(CodecError::Value("the place of a remark"));
    }
    Ok(entries)
}

impl<'a> From<&'a ImportRemark> for StoredRemark<'a> {
    fn from(remark: &'a ImportRemark) -> Self {
        match remark {
            ImportRemark::NewerBase(revision) => Self::NewerBase(revision.0),
            ImportRemark::Released(CauseName::Campaign(revision)) => {
                Self::ReleasedCampaign(revision.0)
            }
            ImportRemark::Released(CauseName::Kind(kind)) => Self::ReleasedKind(kind.as_str()),
        }
    }
}

impl TryFrom<StoredRemark<'_>> for ImportRemark {
    type Error = CodecError;

    fn try_from(stored: StoredRemark<'_>) -> Result<Self, CodecError> {
        Ok(match stored {
            StoredRemark::NewerBase(revision) => Self::NewerBase(Revision(revision)),
            StoredRemark::ReleasedCampaign(revision) => {
                Self::Released(CauseName::Campaign(Revision(revision)))
            }
            StoredRemark::ReleasedKind(name) => {
                let kind = name.parse().map_err(|_| CodecError::Value("a trigger kind"))?;
                Self::Released(CauseName::Kind(kind))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{DecidedBy, Radius, Standing};

    use super::*;

    fn entry(number: u32) -> ImportEntry {
        let radius = |metres: u32| Radius::try_from(metres).unwrap();
        let kind = "rider_shortage".parse().unwrap();
        let standing = match number % 3 {
            0 => Standing {
                before: None,
                after: radius(5_000),
                decided_by: DecidedBy::Base,
                version: 1,
            },
            1 => Standing {
                before: Some(radius(0)),
                after: radius(3_000),
                decided_by: DecidedBy::Campaign { revision: Revision(300), kind },
                version: u64::from(number),
            },
            _ => Standing {
                before: Some(radius(3_000)),
                after: radius(3_000),
                decided_by: DecidedBy::Request { kind },
                version: u64::MAX,
            },
        };
        let remark = match number % 5 {
            1 => Some(ImportRemark::NewerBase(Revision::MAX)),
            2 => Some(ImportRemark::Released(CauseName::Campaign(Revision(7)))),
            4 => Some(ImportRemark::Released(CauseName::Kind(kind))),
            _ => None,
        };
        ImportEntry { shop: format!("가게-{number}").parse().unwrap(), standing, remark }
    }

    #[test]
    fn entries_are_read_as_written() {
        for count in [0, 1, 500] {
            let entries: Vec<ImportEntry> = (0..count).map(entry).collect();
            assert_eq!(decode(&encode(&entries)), Ok(entries));
        }
    }

    #[test]
    fn what_was_cut_off_or_comes_from_elsewhere_is_no_receipt() {
        let bytes = encode(&(0..5).map(entry).collect::<Vec<_>>());
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(CodecError::Unreadable));
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(CodecError::Unreadable));
        // In format 1, which had no remarks, each entry held the revision of a newer base radius.
        assert_eq!(decode(&[1]), Err(CodecError::Format(1)));
    }
}
