//! Encodes slots with one byte for each shop, so that the index of a byte is the place of its shop.

use catchment_domain::{Slot, Status};

use super::CodecError;

/// Encodes slots.
pub(crate) fn encode(slots: &[Slot]) -> Vec<u8> {
    slots.iter().map(|slot| number(*slot)).collect()
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Slot>, CodecError> {
    bytes.iter().map(|byte| slot(*byte)).collect()
}

/// Decodes each slot by itself: `None` if a byte is not a slot.
pub(crate) fn decode_each(bytes: &[u8]) -> Vec<Option<Slot>> {
    bytes.iter().map(|byte| slot(*byte).ok()).collect()
}

/// Returns the byte of a slot. These bytes must never change their meaning.
const fn number(slot: Slot) -> u8 {
    match slot {
        Slot::Idle => 0,
        Slot::Open => 1,
        Slot::Closed(status) => status_number(status),
    }
}

fn slot(number: u8) -> Result<Slot, CodecError> {
    match number {
        0 => Ok(Slot::Idle),
        1 => Ok(Slot::Open),
        number => Ok(Slot::Closed(status(number)?)),
    }
}

/// Returns the number of a status. These numbers must never change their meaning.
pub(crate) const fn status_number(status: Status) -> u8 {
    match status {
        Status::Applied => 2,
        Status::Unchanged => 3,
        Status::Superseded => 4,
        Status::Rejected => 5,
        Status::Expired => 6,
        Status::Failed => 7,
    }
}

/// Returns the status of a number.
pub(crate) const fn status(number: u8) -> Result<Status, CodecError> {
    match number {
        2 => Ok(Status::Applied),
        3 => Ok(Status::Unchanged),
        4 => Ok(Status::Superseded),
        5 => Ok(Status::Rejected),
        6 => Ok(Status::Expired),
        7 => Ok(Status::Failed),
        _ => Err(CodecError::Value("a status")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_as_written() {
        let mut slots = vec![Slot::Idle, Slot::Open];
        slots.extend(Status::ALL.map(Slot::Closed));
        assert_eq!(encode(&slots), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(decode(&encode(&slots)), Ok(slots));
        assert_eq!(decode(&[1, 8]), Err(CodecError::Value("a status")));
        assert_eq!(decode_each(&[1, 8]), [Some(Slot::Open), None]);
    }
}
