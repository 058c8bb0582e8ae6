//! One row of a file of shops.

use std::collections::HashSet;
use std::sync::Arc;

use catchment_domain::{Lanes, Location, LocationError, Radius, ShopId};
use csv::ByteRecord;

use super::header::{BASE_RADIUS, Header, REQUIRED};
use super::rows::{BadRows, CheckedRows, Row};

/// The most bytes of a name, a category or a region.
const TEXT_MAX: usize = 1024;

/// Reads row after row.
pub(super) struct Reader {
    header: Header,
    rows: Vec<Row>,
    bad: BadRows,
    /// Regions and categories are few: each is kept once.
    words: HashSet<Arc<str>>,
}

impl Reader {
    pub(super) fn new(header: Header) -> Self {
        Self { header, rows: Vec::new(), bad: BadRows::default(), words: HashSet::new() }
    }

    /// Keeps a row, or why it is bad.
    pub(super) fn read(&mut self, line: u64, record: &ByteRecord) {
        match self.parse(line, record) {
            Ok(row) => self.rows.push(row),
            Err(reason) => self.bad.push(line, reason),
        }
    }

    /// Ends the reading.
    pub(super) fn into_checked(self, lanes: Lanes) -> CheckedRows {
        CheckedRows::new(self.rows, self.bad, lanes)
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

fn degrees(text: &str, column: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{column} is no number: `{}`", cut(text)))
}

fn base_radius(text: &str) -> Result<Option<Radius>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| format!("{BASE_RADIUS} is `{}`: {error}", cut(text)))
}

fn shown(record: &ByteRecord, place: usize) -> String {
    cut(&String::from_utf8_lossy(record.get(place).unwrap_or_default()))
}

/// What is shown of a wrong value stays short.
fn cut(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

const _: () = assert!(REQUIRED.len() == 6, "a row takes its six values apart by name");
