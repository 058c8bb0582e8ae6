//! Reads files of shop ids: one id per line, or CSV with a column of ids.

use std::collections::BTreeSet;

use catchment_bootstrap::settings::DatabaseUrl;
use catchment_domain::ShopId;
use csv::ByteRecord;

use crate::csv_file::{CsvFile, CsvRow, FileError, Source, is_named};

/// The possible names of a column of ids. The outcome lists of `catchment` call it `shop`.
const COLUMNS: [&str; 5] = ["id", "shop_id", "shop", "store_id", "store"];

/// The possible delimiters besides the comma.
const SEPARATORS: [(char, &str); 3] = [(';', "a semicolon"), ('\t', "a tab"), ('|', "a bar")];

/// The ids of a file, without repeats.
#[derive(Debug)]
pub(crate) struct IdFile {
    pub(crate) ids: BTreeSet<ShopId>,
    /// The column of the ids, if the file has a header.
    pub(crate) column: Option<&'static str>,
    /// The first line of a file without a header.
    pub(crate) first: Option<ShopId>,
}

/// Returns what to do about a first line that is not a shop.
pub(crate) fn advice(first: &ShopId) -> String {
    if let Some(separator) = separator_in(first.as_str()) {
        return separated_by(separator);
    }
    let first = shown(first);
    format!("if its first line, `{first}`, is a header, name the column `id`")
}

/// Returns an id as it may be shown: it may be a line from a file of settings.
pub(crate) fn shown(id: &ShopId) -> String {
    DatabaseUrl::redact_in(id.as_str())
}

fn separator_in(text: &str) -> Option<&'static str> {
    SEPARATORS.iter().find(|(sign, _)| text.contains(*sign)).map(|(_, name)| *name)
}

fn separated_by(separator: &str) -> String {
    format!(
        "its first line has {separator}: if that separates values, write a header that names the \
         column of ids `id`"
    )
}

/// Reads the ids of a file.
///
/// # Errors
///
/// When the file cannot be used, or a row has no id.
pub(crate) fn read(source: &Source) -> Result<IdFile, FileError> {
    let mut file = CsvFile::open(source, &COLUMNS)?;
    let mut read = IdFile { ids: BTreeSet::new(), column: None, first: None };
    let Some(first) = file.next_row()? else { return Ok(read) };
    first.check(Ok(()))?;
    let place = match column_of_ids(first.values)? {
        Some((place, column)) => {
            read.column = Some(column);
            place
        }
        None if !is_alone(first.values) => {
            let line = first.lines.first;
            let reason = format!(
                "it has {} values, and none of them is a header `id`: write a header, or one id \
                 a line (one with a comma in quotes)",
                first.values.len()
            );
            return Err(FileError::Row { line, reason });
        }
        None => {
            let first = id(&first, 0).map_err(|error| match separator_of(first.values) {
                Some(separator) => FileError::Header(separated_by(separator)),
                None => error,
            })?;
            read.ids.insert(first.clone());
            read.first = Some(first);
            0
        }
    };
    // A wrong encoding is found only at the end of the file, and must be reported instead of a bad
    // row.
    let mut wrong = None;
    while let Some(row) = file.next_row()? {
        if read.column.is_none() && !is_alone(row.values) {
            let reason = "it has several values; an id with a comma stands in quotes".to_owned();
            return Err(FileError::Row { line: row.lines.first, reason });
        }
        match id(&row, place) {
            Ok(id) => {
                read.ids.insert(id);
            }
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    wrong.map_or(Ok(read), Err)
}

/// Returns the column of ids: the first of the possible names that the header has.
///
/// # Errors
///
/// When two columns have this name.
fn column_of_ids(header: &ByteRecord) -> Result<Option<(usize, &'static str)>, FileError> {
    for column in COLUMNS {
        let is_place = |(place, value)| is_named(value, column).then_some(place);
        let mut places = header.iter().enumerate().filter_map(is_place);
        let Some(place) = places.next() else { continue };
        if places.next().is_some() {
            return Err(FileError::Header(format!("it has the column `{column}` twice")));
        }
        return Ok(Some((place, column)));
    }
    Ok(None)
}

/// Returns whether a row has nothing behind its first value, as in a saved sheet of one column.
fn is_alone(values: &ByteRecord) -> bool {
    values.iter().skip(1).all(|value| value.trim_ascii().is_empty())
}

fn separator_of(values: &ByteRecord) -> Option<&'static str> {
    values.get(0).and_then(|value| separator_in(&String::from_utf8_lossy(value)))
}

fn id(row: &CsvRow<'_>, place: usize) -> Result<ShopId, FileError> {
    let value = row.values.get(place).unwrap_or_default();
    let text = std::str::from_utf8(value).map_err(|_| "the id is not UTF-8".to_owned());
    let id =
        text.and_then(|text| text.trim().parse::<ShopId>().map_err(|error| format!("{error}")));
    row.check(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(content: &[u8]) -> Result<IdFile, FileError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(&Source::Path(file.path().into()))
    }

    #[test]
    fn ids_are_trimmed_and_counted_once() {
        for (content, expected, column) in [
            ("", &[][..], None),
            ("\n \n", &[], None),
            (" b \r\n\n  \na\nb", &["a", "b"], None),
            ("\u{feff}a\n", &["a"], None),
            ("\"a,1\"\nb;2\n", &["a,1", "b;2"], None),
            ("id\nb\na\n", &["a", "b"], Some("id")),
            ("ID,name\nb,B\n,\na,A\n", &["a", "b"], Some("id")),
            ("name\tshop_id\nB\tb\n", &["b"], Some("shop_id")),
            ("shop,status,code,message\nb,rejected,,\n", &["b"], Some("shop")),
            ("shop;id\nnorth;b\n", &["b"], Some("id")),
            ("Shop ID\nb\na\n", &["a", "b"], Some("shop_id")),
            ("store_id;name\nb;B\n", &["b"], Some("store_id")),
            ("\u{feff}\"Store-Id\",\"Name\"\r\n\"b\",\"B\"\r\n", &["b"], Some("store_id")),
            ("\u{feff}\"ID\"  \r\n a\u{a0}\r\n", &["a"], Some("id")),
            ("shopId\tName\nb\tB\n", &["b"], Some("shop_id")),
            ("a,\nb,,\n", &["a", "b"], None),
            ("sep=;\r\nname;id\r\nB;b\r\n", &["b"], Some("id")),
            ("SEP=,\nb\n", &["b"], None),
            ("sep=", &["sep="], None),
        ] {
            let read = read_bytes(content.as_bytes()).unwrap();
            assert_eq!(read.ids.iter().map(ShopId::as_str).collect::<Vec<_>>(), expected);
            assert_eq!(read.column, column, "{content}");
        }
    }

    #[test]
    fn a_file_without_ids_says_where_and_why() {
        let no_id = "a shop id is 1 to 128 bytes without control characters or blanks at its ends";
        for (content, expected) in [
            (&b"a\n\n\nx\x07y\n"[..], format!("line 4: {no_id}")),
            (b"name,id\r\nA,a\r\nB\r\n", format!("line 3: {no_id}")),
            (b"id,ID\na,x\n", "it has the column `id` twice".to_owned()),
            (
                b"id,note\na,\"5 m\nb,\nc,7 m\"\n",
                "line 2: it goes on to line 4: is a quote too many?".to_owned(),
            ),
            (
                b"id,\"note\na,\"\nb,\n",
                "line 1: it goes on to line 2: is a quote too many?".to_owned(),
            ),
            (
                b"a\nb,c\n",
                "line 2: it has several values; an id with a comma stands in quotes".to_owned(),
            ),
            (
                b"a,Acorn\n",
                "line 1: it has 2 values, and none of them is a header `id`: write a header, \
                 or one id a line (one with a comma in quotes)"
                    .to_owned(),
            ),
            (
                b"a\tAcorn\n",
                "its first line has a tab: if that separates values, write a header that names the \
                 column of ids `id`"
                    .to_owned(),
            ),
            (&b"x".repeat(3 << 20), "line 1 is longer than 1 MiB".to_owned()),
        ] {
            assert_eq!(read_bytes(content).unwrap_err().to_string(), expected);
        }
        let broken = read_bytes(b"\xc3\xa9\n\xc3\xa8\na\n\xff\n").unwrap_err();
        assert_eq!(broken.to_string(), "line 4: the id is not UTF-8");
        let other = read_bytes(b"a\n\xb0\xa1\xb3\xaa\xb4\xd9\n").unwrap_err().to_string();
        assert!(other.starts_with("it is not UTF-8 but probably "), "{other}");
    }
}
