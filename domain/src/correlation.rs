//! Correlation: what a campaign's request id says of the request, so that a reply finds its
//! place in the ledger without a table of pending requests.

use uuid::Uuid;

use crate::request::RequestId;
use crate::revision::Revision;

/// Which part of a campaign a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The limit begins.
    Activation,
    /// The limit is over.
    Release,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Release => "release",
        }
    }
}

/// Which time a campaign's shops are asked: 1, and one more with each retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u16);

impl Attempt {
    /// The first.
    pub const FIRST: Self = Self(1);
    /// The last there can be: a request id has 11 bits for it.
    pub const MAX: Self = Self((1 << 11) - 1);
}

/// A random number of a campaign that makes its request ids hard to meet by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(u64);

impl Nonce {
    const BITS: u32 = 34;

    /// The lowest 34 bits of a random number.
    #[must_use]
    pub const fn from_random(random: u64) -> Self {
        Self(random & ((1 << Self::BITS) - 1))
    }

    /// The number, below 2^34.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What the id of a campaign's request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The campaign's revision.
    pub revision: Revision,
    /// The phase.
    pub phase: Phase,
    /// The attempt.
    pub attempt: Attempt,
    /// The shop's place in the campaign's list, below 2^28.
    pub index: u32,
    /// The campaign's random number.
    pub nonce: Nonce,
}

/// The most shops that a campaign has.
pub const MAX_SHOPS: u32 = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 28;

impl Ticket {
    /// The request's id: a `UUIDv8` (RFC 9562, section 5.8) of 48 bits of revision, 1 of
    /// phase, 11 of attempt, 34 of random number and 28 of index, from the highest on.
    #[must_use]
    pub fn id(self) -> RequestId {
        let phase = u128::from(self.phase == Phase::Release);
        let bits = u128::from(self.revision.0 & Revision::MAX.0) << 80
            | 8 << 76
            | phase << 75
            | u128::from(self.attempt.0 & Attempt::MAX.0) << 64
            | 2 << 62
            | u128::from(self.nonce.0) << INDEX_BITS
            | u128::from(self.index & (MAX_SHOPS - 1));
        RequestId(Uuid::from_u128(bits))
    }

    /// What an id says, where it is one of a campaign's request.
    #[must_use]
    pub fn read(id: RequestId) -> Option<Self> {
        let bits = id.0.as_u128();
        let field = |shift: u32, width: u32| {
            u64::try_from(bits >> shift & ((1 << width) - 1)).unwrap_or_default()
        };
        if field(76, 4) != 8 || field(62, 2) != 2 {
            return None;
        }
        Some(Self {
            revision: Revision(field(80, 48)),
            phase: if field(75, 1) == 1 { Phase::Release } else { Phase::Activation },
            attempt: Attempt(u16::try_from(field(64, 11)).ok()?),
            index: u32::try_from(field(0, INDEX_BITS)).ok()?,
            nonce: Nonce(field(INDEX_BITS, Nonce::BITS)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_was_made_of() {
        let ticket = Ticket {
            revision: Revision::MAX,
            phase: Phase::Release,
            attempt: Attempt::MAX,
            index: MAX_SHOPS - 1,
            nonce: Nonce::from_random(u64::MAX),
        };
        assert_eq!(ticket.id().to_string(), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        assert_eq!(Ticket::read(ticket.id()), Some(ticket));
        let small = Ticket {
            revision: Revision(1),
            phase: Phase::Activation,
            attempt: Attempt::FIRST,
            index: 0,
            nonce: Nonce::from_random(0),
        };
        assert_eq!(small.id().to_string(), "00000000-0001-8001-8000-000000000000");
        assert_eq!(Ticket::read(small.id()), Some(small));
    }

    #[test]
    fn an_id_of_another_version_is_no_ticket() {
        for text in ["00000000-0001-7001-8000-000000000000", "00000000-0001-8001-c000-000000000000"]
        {
            assert_eq!(Ticket::read(RequestId(text.parse().unwrap())), None);
        }
    }
}
