//! Reads the rows of a file of shops.

use std::collections::HashSet;
use std::sync::Arc;

use catchment_domain::{Lanes, Location, LocationError, Radius, ShopId};
use csv::ByteRecord;

use crate::csv_file::CsvRow;
use crate::number::counted;

use super::header::{BASE_RADIUS, Header, REQUIRED, listed};
use super::rows::{BadRows, CheckedRows, Row};

/// The most bytes of a name, a category or a region.
const TEXT_MAX: usize = 1024;

/// Reads one row after another.
pub(super) struct Reader {
    header: Header,
    rows: Vec<Row>,
    bad: BadRows,
    /// How many shops lie at 0,0, and the line of the first.
    at_zero: Option<(u64, u64)>,
    /// The regions and categories. They are few, so each is stored only once.
    words: HashSet<Arc<str>>,
}

impl Reader {
    pub(super) fn new(header: Header) -> Self {
        Self {
            header,
            rows: Vec::new(),
            bad: BadRows::default(),
            at_zero: None,
            words: HashSet::new(),
        }
    }

    /// Stores a row, or the reason why it is bad.
    pub(super) fn read(&mut self, row: &CsvRow<'_>) {
        let line = row.lines.first;
        let read = self.parse(line, row.values);
        match row.lines.check(read) {
            Ok(row) => {
                let place = row.location;
                if place.latitude() == 0.0 && place.longitude() == 0.0 {
                    let (count, first) = self.at_zero.unwrap_or((0, line));
                    self.at_zero = Some((count + 1, first));
                }
                self.rows.push(row);
            }
            Err(reason) => self.bad.push(line, reason),
        }
    }

    /// Ends the reading, and returns the checked rows.
    pub(super) fn into_checked(self, lanes: Lanes) -> CheckedRows {
        let remarks = self.remarks();
        CheckedRows::new(self.rows, self.bad, remarks, lanes)
    }

    /// Returns remarks about the file that are not errors.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let unused = &self.header.unused;
        if !unused.is_empty() {
            remarks.push(format!("columns that are not used: {}", listed(unused)));
        }
        remarks.extend(self.at_zero.map(|(count, line)| match count {
            1 => format!("the shop in line {line} lies at 0,0: is its place unknown?"),
            _ => format!(
                "{} lie at 0,0, the first in line {line}: are their places unknown?",
                counted(count, "shop")
            ),
        }));
        remarks
    }

    fn parse(&mut self, line: u64, record: &ByteRecord) -> Result<Row, String> {
        if record.len() != self.header.columns {
            let (found, expected) = (record.len(), self.header.columns);
            return Err(format!("it has {found} values, the header {expected}"));
        }
        let [id, name, category, region, latitude, longitude] = self.header.required;
        let field = |place: usize, column: &str| {
            let bytes = record.get(place).unwrap_or_default();
            let text = std::str::from_utf8(bytes).map_err(|_| format!("{column} is not UTF-8"))?;
            Ok::<_, String>(text.trim())
        };
        let id: ShopId = field(id, "id")?.parse().map_err(|error| format!("{error}"))?;
        let name = named(field(name, "name")?, "name")?.into();
        let category = self.word(named(field(category, "category")?, "category")?);
        let region = self.word(named(field(region, "region")?, "region")?);
        let location = Location::new(
            degrees(field(latitude, "lat")?, "lat")?,
            degrees(field(longitude, "lon")?, "lon")?,
        );
        let location = location.map_err(|error| {
            let place = match error {
                LocationError::Latitude => latitude,
                LocationError::Longitude => longitude,
            };
            format!("{error}, not {}", shown(record, place))
        })?;
        let base = match self.header.base_radius {
            Some(place) => base_radius(field(place, BASE_RADIUS)?)?,
            None => None,
        };
        Ok(Row { id, name, category, region, location, base, line })
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

fn named<'a>(text: &'a str, column: &str) -> Result<&'a str, String> {
    if text.is_empty() {
        return Err(format!("{column} is empty"));
    }
    if TEXT_MAX < text.len() {
        return Err(format!("{column} is longer than {TEXT_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{column} has a control character"));
    }
    Ok(text)
}

/// Parses degrees. Some countries write a comma before the decimals. That is not ambiguous, because
/// no place has thousands of degrees.
fn degrees(text: &str, column: &str) -> Result<f64, String> {
    let number = text.parse().or_else(|_| text.replacen(',', ".", 1).parse());
    number.map_err(|_| format!("{column} is no number: `{}`", cut(text)))
}

fn base_radius(text: &str) -> Result<Option<Radius>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    // Programs without whole numbers write `3000.0` for 3000.
    let is_whole = |decimals: &str| decimals.bytes().all(|digit| digit == b'0');
    let number = text.split_once('.').filter(|(_, decimals)| is_whole(decimals));
    let whole = number.map_or(text, |(whole, _)| whole);
    whole.parse().map(Some).map_err(|error| format!("{BASE_RADIUS} is `{}`: {error}", cut(text)))
}

fn shown(record: &ByteRecord, place: usize) -> String {
    cut(&String::from_utf8_lossy(record.get(place).unwrap_or_default()))
}

/// Shortens a wrong value for a message.
fn cut(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

const _: () = assert!(REQUIRED.len() == 6, "a row takes its six values apart by name");
