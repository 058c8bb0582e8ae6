//! Reads files of shops completely, and checks them before anything is stored.

mod header;
mod row;
mod rows;

use catchment_domain::Lanes;

use crate::csv_file::{CsvFile, FileError, Source};

use self::header::{Header, REQUIRED};
use self::row::Reader;

pub(crate) use self::header::EXPORTED;
pub(crate) use self::rows::{BadRow, BadRows, CheckedRows};

/// Reads all rows. The good rows come in the order of lane and id.
///
/// # Errors
///
/// When the file as a whole cannot be used. Bad rows are part of the result.
pub(crate) fn read(source: &Source, lanes: Lanes) -> Result<CheckedRows, FileError> {
    let mut file = CsvFile::open(source, &REQUIRED)?;
    let Some(header) = file.next_row()? else { return Err(FileError::Empty) };
    header.check(Ok(()))?;
    let mut rows = Reader::new(Header::read(header.values)?);
    while let Some(row) = file.next_row()? {
        rows.read(&row);
    }
    Ok(rows.into_checked(lanes))
}

#[cfg(test)]
mod tests;
