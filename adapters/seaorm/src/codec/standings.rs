//! Encodes standings in columns: each decider is stored once, and shops refer to it by its place.

use std::collections::HashMap;
use std::vec;

use catchment_domain::{DecidedBy, Radius, Revision, Standing};
use serde::{Deserialize, Serialize};

use super::runs::{Runs, RunsReader};
use super::{CodecError, taken};

/// The columns.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Standings<'a> {
    afters: Runs<u32>,
    deciders: Runs<u32>,
    versions: Vec<u64>,
    /// The radii before, only of shops that had one.
    befores: Vec<u32>,
    /// The deciders, each once. The values of `deciders` are places in this column.
    #[serde(borrow)]
    decided_by: Vec<Decider<'a>>,
    /// The places of the deciders. Used only while the columns are written.
    #[serde(skip)]
    places: HashMap<Decider<'a>, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Decider<'a> {
    Base,
    Campaign(u64, &'a str),
    Request(&'a str),
}

impl<'a> Standings<'a> {
    /// Adds a standing. The caller must remember whether it has a radius before.
    pub(super) fn push(&mut self, standing: &'a Standing) {
        self.afters.push(standing.after.metres());
        self.versions.push(standing.version);
        let decider = Decider::from(&standing.decided_by);
        let place = *self.places.entry(decider).or_insert_with(|| {
            self.decided_by.push(decider);
            // INVARIANT: there are no more deciders than shops in a batch.
            u32::try_from(self.decided_by.len() - 1).unwrap_or(u32::MAX)
        });
        self.deciders.push(place);
        self.befores.extend(standing.before.map(Radius::metres));
    }

    /// Reads the standings in the order in which they were added.
    pub(super) fn read(self) -> Result<StandingsReader, CodecError> {
        let decided_by = self.decided_by.into_iter().map(DecidedBy::try_from);
        Ok(StandingsReader {
            afters: self.afters.read(),
            deciders: self.deciders.read(),
            versions: self.versions.into_iter(),
            befores: self.befores.into_iter(),
            decided_by: decided_by.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads standings, one after another.
pub(super) struct StandingsReader {
    afters: RunsReader<u32>,
    deciders: RunsReader<u32>,
    versions: vec::IntoIter<u64>,
    befores: vec::IntoIter<u32>,
    decided_by: Vec<DecidedBy>,
}

impl StandingsReader {
    /// Reads the next standing.
    pub(super) fn next(&mut self, has_before: bool) -> Result<Standing, CodecError> {
        let before = if has_before { Some(radius(self.befores.next())?) } else { None };
        let after = radius(self.afters.next())?;
        let decided_by = self.decided_by.get(taken(self.deciders.next())? as usize).copied();
        let decided_by = decided_by.ok_or(CodecError::Value("what decided"))?;
        Ok(Standing { before, after, decided_by, version: taken(self.versions.next())? })
    }
}

impl<'a> From<&'a DecidedBy> for Decider<'a> {
    fn from(decided_by: &'a DecidedBy) -> Self {
        match decided_by {
            DecidedBy::Base => Self::Base,
            DecidedBy::Campaign { revision, kind } => Self::Campaign(revision.0, kind.as_str()),
            DecidedBy::Request { kind } => Self::Request(kind.as_str()),
        }
    }
}

impl TryFrom<Decider<'_>> for DecidedBy {
    type Error = CodecError;

    fn try_from(stored: Decider<'_>) -> Result<Self, CodecError> {
        let kind = |name: &str| name.parse().map_err(|_| CodecError::Value("a trigger kind"));
        Ok(match stored {
            Decider::Base => Self::Base,
            Decider::Campaign(revision, name) => {
                Self::Campaign { revision: Revision(revision), kind: kind(name)? }
            }
            Decider::Request(name) => Self::Request { kind: kind(name)? },
        })
    }
}

fn radius(metres: Option<u32>) -> Result<Radius, CodecError> {
    Radius::try_from(taken(metres)?).map_err(|_| CodecError::Value("a radius"))
}
