//! Reads the header of a file of shops: which column holds which value.

use catchment_application::nearest::nearest;
use catchment_bootstrap::settings::DatabaseUrl;
use csv::ByteRecord;

use crate::csv_file::FileError;

/// The columns that every file must have, in the order in which they are written.
pub(super) const REQUIRED: [&str; 6] = ["id", "name", "category", "region", "lat", "lon"];
/// The optional column.
pub(super) const BASE_RADIUS: &str = "base_radius";
/// How many columns are named in a message.
const SHOWN: usize = 10;
/// All columns of an export.
pub(crate) const EXPORTED: [&str; 11] = [
    "id",
    "name",
    "category",
    "region",
    "lat",
    "lon",
    "base_radius",
    "radius",
    "decided_by",
    "campaign",
    "version",
];

/// The columns of the values.
#[derive(Debug)]
pub(super) struct Header {
    /// The places of [`REQUIRED`], in the same order.
    pub(super) required: [usize; REQUIRED.len()],
    /// The place of the base radius, if the file has it.
    pub(super) base_radius: Option<usize>,
    /// The number of columns.
    pub(super) columns: usize,
    /// The columns that are not used. The additional columns of an export are not listed.
    pub(super) unused: Vec<String>,
}

impl Header {
    /// Reads the names of the columns, in any order and case.
    ///
    /// # Errors
    ///
    /// When the header is not text, lacks a column, or has one twice. Also when it has no
    /// `base_radius`, but a column that looks like one.
    pub(super) fn read(record: &ByteRecord) -> Result<Self, FileError> {
        let names = record.iter().map(column_name).collect::<Result<Vec<_>, _>>()?;
        let mut required = [0; REQUIRED.len()];
        let mut missing = Vec::new();
        for (place, name) in required.iter_mut().zip(REQUIRED) {
            match find(&names, name)? {
                Some(found) => *place = found,
                None => missing.push(format!("`{name}`")),
            }
        }
        if !missing.is_empty() {
            let columns = if missing.len() == 1 { "column" } else { "columns" };
            // The header may be the first line of a file of settings.
            let found: Vec<_> = names.iter().map(|name| DatabaseUrl::redact_in(name)).collect();
            let (missing, found) = (missing.join(", "), listed(&found));
            return Err(FileError::Header(format!("it has no {columns} {missing}, only {found}")));
        }
        let base_radius = find(&names, BASE_RADIUS)?;
        if base_radius.is_none()
            && let Some(name) = names.iter().find(|name| looks_like_a_radius(name))
        {
            return Err(FileError::Header(format!(
                "it has a column `{name}`, but no `{BASE_RADIUS}`: rename it if it is the base \
                 radius, or leave it out"
            )));
        }
        let columns = names.len();
        let is_known = |name: &str| name.is_empty() || EXPORTED.contains(&name);
        let unused = names.into_iter().filter(|name| !is_known(name)).collect();
        Ok(Self { required, base_radius, columns, unused })
    }
}

/// Formats the first of these columns, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn column_name(field: &[u8]) -> Result<String, FileError> {
    let name = std::str::from_utf8(field).map_err(|_| FileError::Binary)?.trim();
    if name.chars().any(char::is_control) {
        return Err(FileError::Binary);
    }
    // Messages show a wrong header, so it is kept short.
    Ok(name.chars().take(40).collect::<String>().to_lowercase())
}

fn find(names: &[String], name: &str) -> Result<Option<usize>, FileError> {
    let mut places = names.iter().enumerate().filter(|(_, known)| *known == name);
    let place = places.next().map(|(place, _)| place);
    if places.next().is_some() {
        return Err(FileError::Header(format!("it has the column `{name}` twice")));
    }
    Ok(place)
}

fn looks_like_a_radius(name: &str) -> bool {
    let is_other = EXPORTED.contains(&name) && !name.contains("radius");
    // A shorter name is part of too many words.
    !is_other
        && 4 <= name.len()
        && (name.contains("radius") || !nearest(name, &[BASE_RADIUS]).is_empty())
}
