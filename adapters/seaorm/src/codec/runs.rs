//! Encodes a column in which most values equal the value before: each run is stored once, with its
//! length.

use std::vec;

use serde::{Deserialize, Serialize};

/// The column, as runs of a value and a length.
#[derive(Serialize, Deserialize)]
pub(super) struct Runs<T>(Vec<(T, u32)>);

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + PartialEq> Runs<T> {
    /// Adds a value.
    pub(super) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((last, count)) if *last == value && *count < u32::MAX => *count += 1,
            _ => self.0.push((value, 1)),
        }
    }

    /// Returns the number of values.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Reads the values in the order in which they were added.
    pub(super) fn read(self) -> RunsReader<T> {
        RunsReader { runs: self.0.into_iter(), run: None }
    }
}

/// Reads a column, one value after another. Nothing may collect the values: the column of a damaged
/// blob may be very long.
pub(super) struct RunsReader<T> {
    runs: vec::IntoIter<(T, u32)>,
    /// The value of the current run, and how often it is still to come.
    run: Option<(T, u32)>,
}

impl<T: Copy> Iterator for RunsReader<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some((value, left)) = &mut self.run
                && 0 < *left
            {
                *left -= 1;
                return Some(*value);
            }
            self.run = Some(self.runs.next()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_added_and_runs_stand_once() {
        for (values, runs) in [(vec![], 0), (vec![5], 1), (vec![5, 5, 5, 7, 5], 3)] {
            let mut column = Runs::default();
            for value in &values {
                column.push(*value);
            }
            assert_eq!((column.0.len(), column.len()), (runs, values.len() as u64));
            assert_eq!(column.read().collect::<Vec<u8>>(), values);
        }
        // Runs that `push` never writes are read without harm.
        assert_eq!(Runs(vec![(1, 0), (2, 1), (3, 0)]).read().collect::<Vec<u8>>(), [2]);
    }
}
