//! The rows of a file of shops: those that can be stored, and those that cannot.

use std::sync::Arc;

use catchment_domain::{Lane, Lanes, Location, Profile, Radius, ShopId, ShopImport};

/// How many bad rows are kept for messages.
const SHOWN: usize = 20;

/// A row that can be stored, kept small: a file of a million rows fits in memory.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: ShopId,
    pub(super) name: Box<str>,
    pub(super) category: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) location: Location,
    pub(super) base: Option<Radius>,
    pub(super) line: u64,
}

impl Row {
    fn to_import(&self) -> ShopImport {
        ShopImport {
            id: self.id.clone(),
            profile: Profile {
                name: self.name.to_string(),
                category: self.category.to_string(),
                region: self.region.to_string(),
                location: self.location,
            },
            base: self.base,
        }
    }
}

/// A row that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// The line of the row in the file, from 1.
    pub(crate) line: u64,
    /// What is wrong with the row.
    pub(crate) reason: String,
}

/// The number of bad rows, and the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct BadRows {
    /// The number of bad rows.
    pub(crate) count: u64,
    first: Vec<BadRow>,
}

impl BadRows {
    pub(super) fn push(&mut self, line: u64, reason: String) {
        self.count += 1;
        self.first.push(BadRow { line, reason });
        if 2 * SHOWN < self.first.len() {
            self.keep_first();
        }
    }

    /// Returns the first bad rows, by line.
    pub(crate) fn first(&self) -> &[BadRow] {
        &self.first
    }

    fn keep_first(&mut self) {
        self.first.sort_by_key(|row| row.line);
        self.first.truncate(SHOWN);
    }
}

/// The rows of a file of shops that was read to its end.
#[derive(Debug)]
pub(crate) struct CheckedRows {
    rows: Vec<Row>,
    /// The rows that cannot be stored.
    pub(crate) bad: BadRows,
    /// Remarks about the file that are not errors.
    pub(crate) remarks: Vec<String>,
}

impl CheckedRows {
    /// Sorts the rows by lane and id. If rows have the same id, only the first is good.
    pub(super) fn new(
        rows: Vec<Row>,
        mut bad: BadRows,
        remarks: Vec<String>,
        lanes: Lanes,
    ) -> Self {
        let mut keyed: Vec<(Lane, Row)> =
            rows.into_iter().map(|row| (lanes.lane_of(&row.id), row)).collect();
        keyed.sort_unstable_by(|(a_lane, a), (b_lane, b)| {
            (a_lane, &a.id, a.line).cmp(&(b_lane, &b.id, b.line))
        });
        let mut rows: Vec<Row> = Vec::with_capacity(keyed.len());
        for (_, row) in keyed {
            match rows.last() {
                Some(first) if first.id == row.id => {
                    let reason = format!("the id `{}` is in line {} already", row.id, first.line);
                    bad.push(row.line, reason);
                }
                _ => rows.push(row),
            }
        }
        bad.keep_first();
        Self { rows, bad, remarks }
    }

    /// Returns how many rows can be stored.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the rows that can be stored.
    pub(crate) fn good(&self) -> impl Iterator<Item = ShopImport> + '_ {
        self.rows.iter().map(Row::to_import)
    }
}
