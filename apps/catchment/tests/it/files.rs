//! Files of users: what other tools made of each, and what the command must make of it.
//!
//! A test reads the file of its name if the folder of cases lies beside the repository. Otherwise
//! it writes a similar file itself.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::{Ran, TestApp};

const ROWS: [&str; 5] = [
    "id,name,category,region,lat,lon",
    "t-1,Test One,cafe,North,37.50,127.00",
    "t-2,Test Two,pub,North,37.51,127.01",
    "t-3,Test Three,cafe,South,37.52,127.02",
    "t-4,Test Four,pub,South,37.53,127.03",
];
const NOTHING: &str = "nothing was stored (--skip-bad leaves bad rows out)";

fn lines(rows: &[&str]) -> String {
    rows.join("\n") + "\n"
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Puts a case into the app's folder under its own name, and returns that name.
fn case<'a>(app: &TestApp, path: &'a str, content: impl AsRef<[u8]>) -> &'a str {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let name = path.rsplit_once('/').unwrap().1;
    match fs::read(cases.join(path)) {
        Ok(given) => app.file(name, given),
        Err(_) => app.file(name, content),
    };
    name
}

/// Imports a case into an empty database.
fn import(path: &str, content: impl AsRef<[u8]>, options: &[&str]) -> (TestApp, Ran) {
    let app = TestApp::empty();
    let name = case(&app, path, content);
    let ran = app.run(&[&["shops", "import", name], options].concat());
    (app, ran)
}

/// Checks that a case is refused with this line, with and without `--skip-bad`.
#[track_caller]
fn check_refused(path: &str, content: impl AsRef<[u8]>, line: &str) {
    let name = path.rsplit_once('/').unwrap().1;
    for options in [&[][..], &["--skip-bad"]] {
        let (app, ran) = import(path, &content, options);
        let stderr = format!("catchment: could not import {name}: {line}\n");
        assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr }, "{options:?}");
        assert_eq!(app.run(&["shops", "list"]).done().lines().count(), 1, "shops came in");
    }
}

/// Checks that this many shops of a case are imported, with this note.
#[track_caller]
fn check_imported(path: &str, content: impl AsRef<[u8]>, shops: usize, note: &str) -> TestApp {
    let (app, ran) = import(path, content, &[]);
    assert_eq!(ran.done(), format!("added {shops}, updated 0, bad 0\n"));
    assert_eq!(ran.stderr, note);
    app
}

#[test]
fn shops_quote_last_csv_names_the_line_where_the_quote_opens() {
    let content = lines(&[
        "id,name,category,region,lat,lon,note",
        "q-1,Fine,cafe,North,1,2,ok",
        "q-2,Two,cafe,North,1,2,\"see",
        "q-3,Three,cafe,North,1,2,ok",
        "q-4,Four,cafe,North,1,2,ok",
    ]);
    let line = "the quote that opens in line 3 is never closed";
    check_refused("shops/quote-last.csv", content, line);
}

#[test]
fn shops_quote_eof_csv_names_the_line_where_the_quote_opens() {
    let content = lines(&[
        "id,name,category,region,lat,lon",
        "q-1,Fine,cafe,North,1,2",
        "q-2,\"Joe,cafe,North,1,2",
        "q-3,Good,cafe,North,1,2",
        "q-4,Good,cafe,North,1,2",
    ]);
    let line = "the quote that opens in line 3 is never closed";
    check_refused("shops/quote-eof.csv", content, line);
}

/// The file has two open quotes, and each is taken for the end of the other.
#[test]
fn shops_with_two_open_quotes_are_refused_too() {
    let content = lines(&[
        "id,name,category,region,lat,lon,note",
        "q-1,One,cafe,North,1,2,\"see",
        "q-2,Two,cafe,North,1,2,ok",
        "q-3,Three,cafe,North,1,2,\"see\"",
    ]);
    let line = "the quote that opens in line 2 is not closed before line 4, where text follows \
                it; a quote inside a quoted value is written twice";
    check_refused("shops/two-quotes.csv", content, line);
}

#[test]
fn shops_crlf_line2_csv_and_crlf_dup_csv_and_lf_blank_csv_name_the_line_in_the_file() {
    let header = "id,name,category,region,lat,lon";
    let latitude = "a latitude lies between -90 and 90 degrees, not 91";
    for (path, content, line) in [
        (
            "shops/crlf-line2.csv",
            format!("{header}\r\nx,n,c,r,91,0\r\na,n,c,r,0,0\r\n"),
            format!("line 2: {latitude}"),
        ),
        (
            "shops/crlf-dup.csv",
            format!("{header}\r\na,n,c,r,0,0\r\nb,n,c,r,0,0\r\na,n,c,r,0,0\r\n"),
            "line 4: the id `a` is in line 2 already".to_owned(),
        ),
        (
            "shops/lf-blank.csv",
            format!("{header}\na,n,c,r,0,0\n\n\n\nx,n,c,r,91,0\n"),
            format!("line 6: {latitude}"),
        ),
    ] {
        let (_, ran) = import(path, content, &[]);
        let name = path.rsplit_once('/').unwrap().1;
        let stderr = format!("catchment: could not import {name}: {line}; {NOTHING}\n");
        assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr });
    }
}

#[test]
fn shops_radius_csv_is_refused_before_its_radii_are_lost() {
    let content = lines(&[
        "id,name,category,region,lat,lon,radius",
        "r-1,R,cafe,North,1,2,800",
        "r-2,R,cafe,North,1,2,900",
    ]);
    let line = "it has a column `radius`, but no `base_radius`: rename it if it is the base \
                radius, or leave it out";
    check_refused("shops/radius.csv", content, line);
}

#[test]
fn shops_columns_that_are_not_used_are_named() {
    let content = lines(&["id,name,category,region,lat,lon,note,phone", "r-1,R,cafe,N,1,2,x,y"]);
    let note = "notes.csv: columns that are not used: note, phone\n";
    check_imported("shops/notes.csv", content, 1, note);
}

#[test]
fn shops_semicolon_csv_and_tab_csv_are_read() {
    for (path, delimiter) in [("shops/semicolon.csv", ";"), ("shops/tab.csv", "\t")] {
        let app = check_imported(path, lines(&ROWS).replace(',', delimiter), 4, "");
        assert_eq!(app.ask(&["shops", "show", "t-4"])["lon"], 127.03);
    }
}

#[test]
fn shops_excel_empty_rows_csv_has_as_many_shops_as_it_shows() {
    let content = format!("{},,,,,\r\n,,,,,\r\n", lines(&ROWS));
    check_imported("shops/excel-empty-rows.csv", content, 4, "");
}

#[test]
fn shops_base_float_csv_is_a_whole_number() {
    let content =
        lines(&["id,name,category,region,lat,lon,base_radius", "r-1,R,cafe,North,1,2,3000.0"]);
    let app = check_imported("shops/base-float.csv", content, 1, "");
    assert_eq!(app.ask(&["shops", "show", "r-1"])["baseRadius"], 3000);
}

#[test]
fn shops_gz_newline_and_gz_zero_padded_are_read_to_their_end() {
    let content = compressed(&lines(&ROWS));
    for (path, padding) in
        [("shops/gz-newline.csv.gz", &b"\n"[..]), ("shops/gz-zero-padded.csv.gz", &[0; 512])]
    {
        check_imported(path, [&content[..], padding].concat(), 4, "");
    }
}

#[test]
fn shops_text_behind_gzip_data_is_named() {
    let content = [&compressed(&lines(&ROWS))[..], b"t-5,Five,cafe,North,1,2\n"].concat();
    let line = "something else follows its gzip data: `t-5,Five,cafe,North,`; \
                compress the whole file again";
    check_refused("shops/appended.csv.gz", content, line);
}

#[test]
fn shops_cp949_csv_is_refused_with_the_command_that_converts_it() {
    let mut content = b"id,name,category,region,lat,lon\nk-1,".to_vec();
    content.extend(b"\xc7\xd1\xb1\xb9 \xc4\xa1\xc5\xb2,\xc4\xa1\xc5\xb2,");
    content.extend(b"\xb8\xb6\xc6\xf7\xb1\xb8,37.5,127.0\n");
    let line = "it is not UTF-8 but probably CP949; \
                this converts it: `iconv -f CP949 -t UTF-8 cp949.csv > utf8.csv`";
    check_refused("shops/cp949.csv", content, line);
}

#[test]
fn shops_null_island_csv_is_taken_with_a_note() {
    let content = lines(&["id,name,category,region,lat,lon", "z-1,Nowhere,pub,North,0,0"]);
    let note = "null-island.csv: the shop in line 2 lies at 0,0: is its place unknown?\n";
    check_imported("shops/null-island.csv", content, 1, note);
}

#[test]
fn shops_of_which_none_can_be_stored_are_a_failure() {
    let header = "id,name,category,region,lat,lon";
    let (_, ran) =
        import("shops/all-bad.csv", format!("{header}\nx,n,c,r,91,0\n"), &["--skip-bad"]);
    let stderr = "catchment: all-bad.csv: left out line 2: \
                  a latitude lies between -90 and 90 degrees, not 91\n\
                  catchment: could not import all-bad.csv: its only row is bad; nothing was stored\n";
    assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() });
    check_refused("shops/no-rows.csv", format!("{header}\n"), "it has a header, but no shop");
}

/// Starts a campaign for the ids of a case, whose shops exist.
fn start(path: &str, content: &str) -> (TestApp, Ran) {
    let app = TestApp::empty();
    assert_eq!(app.import(&lines(&ROWS), &[]).done(), "added 4, updated 0, bad 0\n");
    let name = case(&app, path, content);
    let options = ["campaign", "start", "--kind", "manual", "--limit", "closed", "--ids", name];
    let ran = app.run(&[&["--json"], &options[..]].concat());
    (app, ran)
}

#[test]
fn ids_csv_csv_and_ids_header_txt_give_the_ids_of_their_column() {
    for (path, content, shops) in [
        ("ids/ids-csv.csv", lines(&ROWS), 4),
        ("ids/ids-header.txt", lines(&["id", "t-1", "t-2"]), 2),
    ] {
        let (_, ran) = start(path, &content);
        let name = path.rsplit_once('/').unwrap().1;
        assert_eq!(ran.stderr, format!("{name}: the ids are those of its column `id`\n"));
        let value = ran.value();
        assert_eq!(
            (&value["shops"], &value["outcomes"]["applied"]),
            (&shops.into(), &shops.into())
        );
    }
}

/// The headers have names from other programs, or are saved by spreadsheets.
#[test]
fn ids_under_other_headers_are_read_or_the_header_is_named() {
    for (content, shops, note) in [
        ("Shop ID\r\nt-1  \r\nt-2\r\n\r\n", 2, "the ids are those of its column `shop_id`"),
        ("store_id;name\nt-1;One\nt-2;Two\n", 2, "the ids are those of its column `store_id`"),
        ("\u{feff}\"ID\",\"Name\"\n\"t-1\",\"One\"\n", 1, "the ids are those of its column `id`"),
        (
            "Outlet\nt-1\nt-2\n",
            2,
            "there is no shop `Outlet`; if its first line, `Outlet`, is a header, name the column \
             `id`",
        ),
    ] {
        let (_, ran) = start("ids/list", content);
        assert_eq!(ran.stderr.lines().next().unwrap(), format!("list: {note}"));
        let told: serde_json::Value =
            serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(told["outcomes"]["applied"], shops, "{content}");
    }
}

#[test]
fn ids_of_the_outcomes_of_a_campaign_start_another() {
    let (app, _) = start("ids/one.txt", "t-1\n");
    let outcomes = app.run(&["campaign", "outcomes", "2", "--format", "csv"]);
    app.file("outcomes.csv", outcomes.done());
    let again =
        ["campaign", "start", "--kind", "manual", "--limit", "1km", "--ids", "outcomes.csv"];
    let ran = app.run(&[&["--json"], &again[..]].concat());
    assert_eq!(ran.stderr, "outcomes.csv: the ids are those of its column `shop`\n");
    assert_eq!(ran.value()["shops"], 1);
}

#[test]
fn ids_that_are_none_say_what_the_file_looks_like() {
    for (content, line) in [
        (
            lines(ROWS.get(1..).unwrap()).as_str(),
            "could not read ids from list: line 1: it has 6 values, and none of them is a header \
             `id`: write a header, or one id a line (one with a comma in quotes)",
        ),
        (
            "number\n1\n",
            "there is no shop of the 2 ids in list, such as `1`; if its first line, `number`, is a \
             header, name the column `id`",
        ),
        (
            "number;name\nt-1;One\n",
            "there is no shop of the 2 ids in list, such as `number;name`; its first line has a \
             semicolon: if that separates values, write a header that names the column of ids `id`",
        ),
        (
            "t\0-\x001\0\n\0",
            "could not read ids from list: it is not UTF-8 but probably UTF-16LE; this converts it: \
             `iconv -f UTF-16LE -t UTF-8 list > utf8.csv`",
        ),
        ("[\"t-1\"]\n", "could not read ids from list: it is JSON, not a CSV file"),
    ] {
        let (app, ran) = start("ids/list", content);
        let stderr = format!("catchment: could not start the campaign: {line}\n");
        assert_eq!(ran, Ran { code: Some(1), stdout: String::new(), stderr });
        assert_eq!(app.run(&["--json", "campaign", "list"]).done(), "", "a campaign was stored");
    }
}
