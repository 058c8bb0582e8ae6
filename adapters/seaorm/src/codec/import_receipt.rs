//! What imports did, in columns: a shop takes its id and about six bytes.

use catchment_domain::{ImportEntry, ShopId};
use serde::{Deserialize, Serialize};

use super::standings::Standings;
use super::{CodecError, read, write};

#[derive(Default, Serialize, Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    shops: Vec<&'a str>,
    /// Whether the shop was there before.
    known: Vec<bool>,
    standings: Standings<'a>,
}

/// The bytes of an import's entries.
pub(crate) fn encode(entries: &[ImportEntry]) -> Vec<u8> {
    let mut columns = Columns::default();
    for entry in entries {
        columns.shops.push(entry.shop.as_str());
        columns.known.push(entry.standing.before.is_some());
        columns.standings.push(&entry.standing);
    }
    write(&columns)
}

/// The entries that [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<ImportEntry>, CodecError> {
    let Columns { shops, known, standings } = read(bytes)?;
    if shops.len() != known.len() {
        return Err(CodecError::Unreadable);
    }
    let mut standings = standings.read()?;
    let entries = shops.into_iter().zip(known).map(|(shop, known)| {
        let shop: ShopId = shop.parse().map_err(|_| CodecError::Value("a shop id"))?;
        Ok(ImportEntry { shop, standing: standings.next(known)? })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use catchment_domain::{DecidedBy, Radius, Revision, Standing};

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
        ImportEntry { shop: format!("가게-{number}").parse().unwrap(), standing }
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
        assert_eq!(decode(&[2]), Err(CodecError::Format(2)));
    }
}
