//! Imports and exports of shops.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::{HEADER, Ran, TestApp, program};

#[test]
fn what_is_exported_can_be_imported_again() {
    let app = TestApp::with_shops();
    let base =
        "id,lon,lat,base_radius,region,category,name\nb,-0.1,51.5,1500m,Hackney,pub,\"B, 2\"\n";
    assert_eq!(app.import(base, &[]).stdout, "added 0, updated 1, bad 0\n");
    assert_eq!(app.run(&["shops", "export", "--output", "out.csv"]).code, Some(0));
    let exported = std::fs::read_to_string(app.path("out.csv")).unwrap();
    assert!(
        exported.contains("\nb,\"B, 2\",pub,Hackney,51.5,-0.1,1500,1500,base,,2\n"),
        "{exported}"
    );

    assert_eq!(app.run(&["--json", "shops", "export", "-o", "out.json"]).code, Some(0));
    let json = std::fs::read_to_string(app.path("out.json")).unwrap();
    assert_eq!(json, app.run(&["--json", "shops", "export"]).stdout);
    assert!(json.starts_with('{'), "{json}");

    let other = TestApp::empty();
    assert_eq!(other.import(&exported, &[]).stdout, "added 6, updated 0, bad 0\n");
    let without_version = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
    };
    let again = other.run(&["shops", "export"]).stdout;
    assert_eq!(without_version(&again), without_version(&exported));
}

#[test]
fn good_rows_are_stored_where_bad_ones_may_be_skipped() {
    let app = TestApp::with_shops();
    let content = format!("{HEADER}\ng,n,c,r,0,0\nh,n,c,r,91,0\ng,n,c,r,0,0\na,n,c,r,0,0\n");
    let refused = app.import(&content, &[]);
    assert_eq!(
        refused.stderr,
        "catchment: bad line 3: a latitude lies between -90 and 90 degrees, not 91\n\
         catchment: bad line 4: the id `g` is in line 2 already\n\
         catchment: could not import shops.csv: 2 of 4 rows are bad; \
         nothing was stored (--skip-bad leaves bad rows out)\n"
    );
    let ran = app.import(&content, &["--skip-bad", "--json"]);
    let value = ran.value();
    assert_eq!(
        (&value["added"], &value["updated"], &value["bad"]),
        (&1.into(), &1.into(), &2.into())
    );
    assert_eq!(value["badRows"][1]["line"], 4);
}

#[test]
fn the_same_seed_gives_the_same_shops() {
    let [one, two, other] = ["7", "7", "8"].map(|seed| {
        let app = TestApp::empty();
        let ran = app.run(&["shops", "generate", "--count", "300", "--seed", seed]);
        assert_eq!(ran.stdout, "added 300, updated 0, bad 0\n");
        app.run(&["shops", "export"]).stdout
    });
    assert_eq!(one, two);
    assert_ne!(one, other);
    assert_eq!(one.lines().count(), 301);
}

#[test]
fn lists_are_aligned_with_wide_letters() {
    let app = TestApp::with_shops();
    let ran = app.run(&["shops", "list", "--category", "cafe", "--limit", "2"]);
    assert_eq!(ran.stderr, "and 1 other shop: --limit shows more\n");
    let all = app.run(&["shops", "list", "--category", "cafe"]).stdout;
    let wide = |c: char| if c.is_ascii() { 1 } else { 2 };
    let columns: Vec<usize> = all
        .lines()
        .map(|line| line.split("cafe").next().unwrap_or_default().chars().map(wide).sum())
        .collect();
    assert_eq!(columns[1..], [columns[1]; 3], "{all}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let app = TestApp::with_shops();
    for arguments in [&["shops", "export"][..], &["shops", "list"], &["--json", "shops", "list"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(program())
            .args(arguments)
            .current_dir(app.path(""))
            .env_clear()
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output);
        let ran = Ran::from(output.unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

/// The file has as many shops as a large city, in the form that other programs write.
#[test]
fn a_compressed_file_of_a_whole_city_comes_in_whole() {
    let app = TestApp::empty();
    let names = ["\"Joe's \"\"Best\"\", Ltd\"", "\"카페 봄, 2호점\"", "Café Zoë"];
    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    write!(file, "{HEADER}\r\n").unwrap();
    for (number, name) in (0..50_000).zip(names.iter().cycle()) {
        write!(file, "s{number},{name},cafe,강남구 역삼동,37.5,127.0\r\n").unwrap();
    }
    app.file("city.csv.gz", file.finish().unwrap());
    let ran = app.run(&["shops", "import", "city.csv.gz"]);
    assert_eq!(ran.done(), "added 50,000, updated 0, bad 0\n");
    for (id, name) in [("s49998", "Joe's \"Best\", Ltd"), ("s49999", "카페 봄, 2호점")] {
        assert_eq!(app.ask(&["shops", "show", id])["name"], name);
    }
}
