use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::layout::Layout;
use super::*;

fn open(content: &[u8]) -> Result<CsvFile, FileError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    CsvFile::open(&Source::Path(file.path().into()), &["id", "name"])
}

/// Returns the rows with the lines in which they begin and end.
fn rows(content: &[u8]) -> Result<Vec<(u64, u64, Vec<String>)>, FileError> {
    let mut file = open(content)?;
    let mut rows = Vec::new();
    while let Some(CsvRow { lines, values }) = file.next_row()? {
        let values = values.iter().map(|value| String::from_utf8_lossy(value).into_owned());
        rows.push((lines.first, lines.last, values.collect()));
    }
    Ok(rows)
}

fn refusal(content: &[u8]) -> String {
    rows(content).unwrap_err().to_string()
}

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lines_are_those_that_an_editor_counts() {
    for (content, expected) in [
        ("a\nb\n", &[(1, 1), (2, 2)][..]),
        ("a\r\nb\r\nc", &[(1, 1), (2, 2), (3, 3)]),
        ("a\rb\rc\r", &[(1, 1), (2, 2), (3, 3)]),
        ("\n\r\n\ra\n\n\r\n\rb", &[(4, 4), (8, 8)]),
        ("a\n,,\n \nb", &[(1, 1), (4, 4)]),
        ("\"a\r\nb\",c\r\nd\r\n", &[(1, 2), (3, 3)]),
        ("a,\"\n\n\"\n\nd", &[(1, 3), (5, 5)]),
    ] {
        let rows = rows(content.as_bytes()).unwrap();
        let lines: Vec<(u64, u64)> = rows.iter().map(|(first, last, _)| (*first, *last)).collect();
        assert_eq!(lines, expected, "{content:?}");
    }
}

/// For all short files of letters, delimiters, quotes and line ends, the layout finds the same rows
/// as the parser, in the right lines.
#[test]
fn the_layout_agrees_with_the_parser() {
    const LETTERS: [u8; 5] = [b'a', b',', b'"', b'\r', b'\n'];
    const LONGEST: u32 = 6;
    for length in 0..=LONGEST {
        for number in 0..LETTERS.len().pow(length) {
            let letter = |place| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()];
            let content: Vec<u8> = (0..length).map(letter).collect();
            check_layout(&content);
        }
    }
}

fn check_layout(content: &[u8]) {
    let builder = || {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).buffer_capacity(64);
        builder
    };
    let mut expected = Vec::new();
    let mut plain = builder().from_reader(content);
    let mut row = ByteRecord::new();
    while plain.read_byte_record(&mut row).unwrap() {
        let start = usize::try_from(row.position().unwrap().byte()).unwrap();
        let ends = content[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let before = String::from_utf8_lossy(&content[..start + ends]);
        let before = before.replace("\r\n", "\n").replace('\r', "\n");
        expected.push((1 + before.matches('\n').count() as u64, row.clone()));
    }
    let mut reader = builder().from_reader(Layout::new(content, b','));
    let mut found = Vec::new();
    loop {
        match reader.read_byte_record(&mut row) {
            Ok(true) => {
                found.push((reader.get_mut().next_lines().first, row.clone()));
            }
            Ok(false) => return assert_eq!(found, expected, "{content:?}"),
            // The layout refuses more files than the parser.
            Err(_) => return assert!(expected.starts_with(&found), "{content:?}"),
        }
    }
}

#[test]
fn a_quote_that_swallows_lines_is_refused() {
    for (content, expected) in [
        ("a,\"b\n", "the quote that opens in line 1 is never closed"),
        ("a\r\nb,\"x\r\ny\"\"z\r\n", "the quote that opens in line 2 is never closed"),
        ("a\n\"", "the quote that opens in line 2 is never closed"),
        (
            "a\nb,\"x\nc,\"y\",z\n",
            "the quote that opens in line 2 is not closed before line 3, where text follows it; \
             a quote inside a quoted value is written twice",
        ),
    ] {
        assert_eq!(refusal(content.as_bytes()), expected, "{content:?}");
    }
    for (content, values) in [
        ("a\"b,c\n", &["a\"b", "c"][..]),
        ("\"a\"b,c\n", &["ab", "c"]),
        ("\"a\n\"\"b\"\"\",c\n", &["a\n\"b\"", "c"]),
        ("a,\"\"", &["a", ""]),
        ("a,\"b\"", &["a", "b"]),
    ] {
        assert_eq!(rows(content.as_bytes()).unwrap()[0].2, values, "{content:?}");
    }
}

#[test]
fn a_row_without_an_end_is_refused_before_it_is_read_whole() {
    let long = "x".repeat(3 << 20);
    let unclosed = format!("a\nb,\"{}", "c,d\n".repeat(1 << 20));
    for (content, expected) in [
        (format!("a\nb\n{long}"), "line 3 is longer than 1 MiB"),
        (unclosed, "the quote that opens in line 2 is not closed within 1 MiB"),
    ] {
        assert_eq!(refusal(content.as_bytes()), expected);
        assert_eq!(refusal(&compressed(content.as_bytes())), expected);
    }
}

#[test]
fn the_delimiter_is_that_which_gives_the_names() {
    for content in ["id,name", "id;name", "Name\tx\tID", "id| name", "\"id\";\"a,b;c\";name"] {
        let rows = rows(content.as_bytes()).unwrap();
        assert!(2 <= rows[0].2.len(), "{content}: {rows:?}");
    }
    for content in ["a;b", "id", "\"id;name\""] {
        assert_eq!(rows(content.as_bytes()).unwrap()[0].2.len(), 1, "{content}");
    }
}

#[test]
fn a_first_line_that_names_the_delimiter_is_no_row() {
    for (content, first, values) in [
        ("sep=;\nx;y,z\n", 2, &["x", "y,z"][..]),
        ("\u{feff}SEP=|\r\n\r\nid|name", 3, &["id", "name"]),
        ("sep=\t\rid\tname", 2, &["id", "name"]),
        ("sep=;x\nid,name", 1, &["sep=;x"]),
        ("sep=\"\nx", 1, &["sep=\""]),
        ("sep=", 1, &["sep="]),
    ] {
        for content in [content.as_bytes().to_vec(), compressed(content.as_bytes())] {
            let mut file = open(&content).unwrap();
            let row = file.next_row().unwrap().unwrap();
            assert_eq!((row.lines.first, row.values), (first, &ByteRecord::from(values)));
        }
    }
    assert!(rows(b"sep=;").unwrap().is_empty());
    let said = refusal(b"sep=;\r\nid;\xb0\xa1\xb3\xaa\xb4\xd9\r\n");
    assert!(said.starts_with("it is not UTF-8 but probably "), "{said}");
}

#[test]
fn compressed_data_may_have_several_members_and_padding() {
    let [one, two] = ["a\nb", "c\n"].map(|part| compressed(part.as_bytes()));
    let expected = rows(b"a\nbc\n").unwrap();
    for padding in [&b""[..], b"\n", b"\r\n \t", &vec![0; 100_000], b"\0\0\n"] {
        let content = [&one[..], padding, &two, padding].concat();
        assert_eq!(rows(&content).unwrap(), expected, "{padding:?}");
    }
    for (behind, expected) in [
        ("\na,b\nc", "something else follows its gzip data: `a,b`; compress the whole file again"),
        ("\x1fno gzip data", "its gzip data is damaged or cut off"),
    ] {
        assert_eq!(refusal(&[&two[..], behind.as_bytes()].concat()), expected);
    }
    let mut damaged = one.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    for content in [&one[..one.len() - 6], &one[..12], &damaged] {
        assert_eq!(refusal(content), "its gzip data is damaged or cut off");
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    for (content, expected) in [
        (
            &b"PK\x03\x04..."[..],
            "it is a workbook or another zip file: save its sheet as CSV (UTF-8)",
        ),
        (b"{\"id\":\"a\"}\n", "it is JSON, not a CSV file"),
        (b"\x28\xb5\x2f\xfd...", "it is compressed with zstd: `zstd -dc` decompresses it"),
        // Most of every second byte is zero, as in UTF-16.
        (
            b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\
              \0\0\0\x04\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0",
            "it is a database of SQLite, not a CSV file",
        ),
    ] {
        assert_eq!(refusal(content), expected);
        assert_eq!(refusal(&compressed(content)), expected);
    }
}

#[test]
fn another_encoding_is_guessed_from_most_of_the_rows() {
    let [korean, french, utf8] = [
        &b"\xc7\xd1\xb1\xb9 \xc4\xa1\xc5\xb2"[..],
        b"Th\xe9\xe2tre de la r\xe9gion",
        "é".as_bytes(),
    ];
    for (encoding, first, lines) in [
        (Some("CP949"), &b"id,name"[..], &[korean, korean, utf8][..]),
        (Some("CP949"), korean, &[]),
        (Some("CP1252"), b"id,name", &[b"ascii", french]),
        (Some("UTF-16"), b"\xff\xfei\0d\0", &[]),
        (Some("UTF-16"), b"\xfe\xff\0i\0d", &[]),
        (Some("UTF-16LE"), b"i\0d\0\n\0", &[]),
        (Some("UTF-16BE"), b"\0i\0d\0\n", &[]),
        (None, b"id,name", &[korean, utf8]),
        (None, b"\xef\xbb\xbfid,name", &[utf8]),
    ] {
        let content = [&[first][..], lines].concat().join(&b"\n"[..]);
        for (content, command) in [(content.clone(), "`iconv"), (compressed(&content), "`gzip")] {
            let said = rows(&content).map_or_else(|error| error.to_string(), |_| String::new());
            let expected = encoding.map(|encoding| {
                format!("it is not UTF-8 but probably {encoding}; this converts it: {command}")
            });
            assert_eq!(said.is_empty(), expected.is_none(), "{said}");
            assert!(said.starts_with(&expected.unwrap_or_default()), "{said}");
        }
    }
}

#[test]
fn the_command_that_converts_a_file_can_be_pasted() {
    for (path, is_compressed, expected) in [
        ("-", false, "iconv -f CP949 -t UTF-8"),
        ("a/가.csv", false, "iconv -f CP949 -t UTF-8 a/가.csv > utf8.csv"),
        ("-a.csv", false, "iconv -f CP949 -t UTF-8 -- -a.csv > utf8.csv"),
        ("a b's.gz", true, r"gzip -dc 'a b'\''s.gz' | iconv -f CP949 -t UTF-8 > utf8.csv"),
    ] {
        let error = Source::from(path).in_other_encoding("CP949", is_compressed).to_string();
        assert!(error.ends_with(&format!("this converts it: `{expected}`")), "{error}");
    }
}
