//! Encodes receipts in columns: a value that most entries share takes one small number, and a value
//! that few entries have takes no room in the others. An entry of a campaign takes about seven
//! bytes, four of them for its shop.

use catchment_domain::{Code, Outcome, Position, ReceiptEntry, RequestId, ShopFingerprint};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::runs::Runs;
use super::slots::{status, status_number};
use super::standings::{Standings, StandingsReader};
use super::{CodecError, Format, read, taken, write};

const FORMAT: Format = 2;

/// The columns. Columns with a value for each entry come first.
#[derive(Default, Serialize, Deserialize)]
struct Columns<'a> {
    /// The number of positions between an entry and the entry before it.
    gaps: Runs<u64>,
    /// The distance of an id from the id before it.
    ids: Runs<i128>,
    /// The fingerprint of the shop, or zeros if the shop is not known. It is stored as bytes: a
    /// hash is a high number and would take five bytes as a number.
    shops: Vec<[u8; 4]>,
    /// The status, and which of the columns below have a value.
    tags: Runs<u8>,
    #[serde(borrow)]
    standings: Standings<'a>,
    codes: Vec<&'a str>,
    details: Vec<&'a str>,
}

const STATUS: u8 = 0b0000_0111;
const STANDING: u8 = 0b0000_1000;
const BEFORE: u8 = 0b0001_0000;
const CODE: u8 = 0b0010_0000;
const DETAIL: u8 = 0b0100_0000;
const REPEAT: u8 = 0b1000_0000;

/// Encodes the entries of a receipt.
pub(crate) fn encode(from: Position, entries: &[ReceiptEntry]) -> Vec<u8> {
    let mut columns = Columns::default();
    let (mut next, mut id) = (from, 0);
    for entry in entries {
        columns.gaps.push(entry.position.0.wrapping_sub(next.0));
        next = entry.position.next();
        let bits = entry.id.0.as_u128();
        columns.ids.push(bits.wrapping_sub(id).cast_signed());
        id = bits;
        columns.shops.push(entry.shop.map_or(0, ShopFingerprint::get).to_le_bytes());
        columns.push_outcome(&entry.outcome);
    }
    write(FORMAT, &columns)
}

impl<'a> Columns<'a> {
    fn push_outcome(&mut self, outcome: &'a Outcome) {
        let mut tag = status_number(outcome.status);
        if let Some(standing) = &outcome.standing {
            tag |= if standing.before.is_some() { STANDING | BEFORE } else { STANDING };
            self.standings.push(standing);
        }
        if let Some(code) = outcome.code {
            tag |= CODE;
            self.codes.push(code.as_str());
        }
        if let Some(detail) = outcome.detail.as_deref() {
            tag |= DETAIL;
            self.details.push(detail);
        }
        if outcome.repeat {
            tag |= REPEAT;
        }
        self.tags.push(tag);
    }
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8], from: Position) -> Result<Vec<ReceiptEntry>, CodecError> {
    let columns: Columns<'_> = read(FORMAT, bytes)?;
    let mut rest = Rest {
        standings: columns.standings.read()?,
        codes: columns.codes.into_iter(),
        details: columns.details.into_iter(),
    };
    let lengths = [columns.gaps.len(), columns.ids.len(), columns.tags.len()];
    if lengths != [columns.shops.len() as u64; 3] {
        return Err(CodecError::Unreadable);
    }
    let (mut next, mut id) = (from, 0_u128);
    let rows = columns.gaps.read().zip(columns.ids.read()).zip(columns.shops);
    let rows = rows.zip(columns.tags.read());
    rows.map(|(((gap, distance), shop), tag)| {
        let position = Position(next.0.wrapping_add(gap));
        next = position.next();
        id = id.wrapping_add(distance.cast_unsigned());
        let outcome = rest.outcome(tag)?;
        let shop = ShopFingerprint::from_number(u32::from_le_bytes(shop));
        Ok(ReceiptEntry { position, id: RequestId(Uuid::from_u128(id)), shop, outcome })
    })
    .collect()
}

/// Readers of the columns that have values only for some entries.
struct Rest<'a> {
    standings: StandingsReader,
    codes: std::vec::IntoIter<&'a str>,
    details: std::vec::IntoIter<&'a str>,
}

impl Rest<'_> {
    fn outcome(&mut self, tag: u8) -> Result<Outcome, CodecError> {
        let has = |flag: u8| tag & flag != 0;
        let standing = if has(STANDING) { Some(self.standings.next(has(BEFORE))?) } else { None };
        let code = if has(CODE) { Some(code(self.codes.next())?) } else { None };
        let detail = if has(DETAIL) { Some(taken(self.details.next())?.into()) } else { None };
        let status = status(tag & STATUS)?;
        Ok(Outcome { status, code, detail, standing, repeat: has(REPEAT) })
    }
}

fn code(text: Option<&str>) -> Result<Code, CodecError> {
    taken(text)?.parse().map_err(|()| CodecError::Value("a code"))
}

#[cfg(test)]
mod tests {
    use catchment_domain::{
        Attempt, DecidedBy, Nonce, Phase, Radius, Revision, Standing, Status, Ticket,
    };

    use super::*;

    fn id(index: u32) -> RequestId {
        let (revision, nonce) = (Revision(17), Nonce::from_random(1 << 33));
        Ticket { revision, phase: Phase::Activation, attempt: Attempt::FIRST, index, nonce }.id()
    }

    fn standing(before: Option<u32>, decided_by: DecidedBy) -> Standing {
        let radius = |metres: u32| Radius::try_from(metres).unwrap();
        Standing { before: before.map(radius), after: radius(3_000), decided_by, version: 7 }
    }

    fn applied(index: u32) -> ReceiptEntry {
        let kind = "rider_shortage".parse().unwrap();
        let decided_by = DecidedBy::Campaign { revision: Revision(17), kind };
        let standing = Some(standing(Some(5_000), decided_by));
        let status = Status::Applied;
        let outcome = Outcome { status, code: None, detail: None, standing, repeat: false };
        let shop = format!("seoul-{index:05}").parse().unwrap();
        let shop = Some(ShopFingerprint::of(&shop));
        let position = Position(1_000_000 + u64::from(index));
        ReceiptEntry { position, id: id(index), shop, outcome }
    }

    /// Returns one entry of each kind, with gaps between them and ids in no order.
    fn mixed() -> Vec<ReceiptEntry> {
        let kind = "manual".parse().unwrap();
        let outcomes = [
            Outcome::rejected(Code::Unreadable, Some("no JSON".into())),
            Outcome::rejected(Code::UnknownShop, None),
            Outcome {
                status: Status::Unchanged,
                code: None,
                detail: None,
                standing: Some(standing(None, DecidedBy::Request { kind })),
                repeat: true,
            },
            Outcome {
                status: Status::Expired,
                code: Some(Code::DeadlinePassed),
                detail: None,
                standing: Some(standing(Some(0), DecidedBy::Base)),
                repeat: false,
            },
        ];
        let ids = [Uuid::max(), Uuid::nil(), Uuid::from_u128(1 << 127), Uuid::from_u128(5)];
        let positions = [10, 11, 500, u64::MAX - 1].map(Position);
        let shops = [0, 1, u32::MAX, 1 << 31].map(ShopFingerprint::from_number);
        let entries = positions.into_iter().zip(ids.map(RequestId)).zip(shops).zip(outcomes);
        entries
            .map(|(((position, id), shop), outcome)| ReceiptEntry { position, id, shop, outcome })
            .collect()
    }

    #[test]
    fn entries_are_read_as_written() {
        let from = Position(3);
        for entries in [mixed(), (0..50).map(applied).collect(), Vec::new()] {
            assert_eq!(decode(&encode(from, &entries), from), Ok(entries));
        }
    }

    #[test]
    fn an_entry_of_a_campaign_takes_seven_bytes() {
        let entries: Vec<ReceiptEntry> = (0..2_000).map(applied).collect();
        let bytes = encode(Position(1_000_000), &entries).len();
        assert!(bytes <= 2_000 * 7 + 100, "{bytes}");
    }

    #[test]
    fn what_was_cut_off_or_comes_from_elsewhere_is_no_receipt() {
        let bytes = encode(Position(0), &mixed());
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end], Position(0)), Err(CodecError::Unreadable));
        }
        assert_eq!(decode(&[9], Position(0)), Err(CodecError::Format(9)));
    }
}
