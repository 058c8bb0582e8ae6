use std::io::Write;
use std::num::NonZeroU16;

use catchment_domain::Radius;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::rows::BadRow;
use super::*;

const HEADER: &str = "id,name,category,region,lat,lon";

fn read_bytes(content: &[u8]) -> Result<CheckedRows, FileError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    read(&Source::Path(file.path().into()), Lanes(NonZeroU16::new(4).unwrap()))
}

fn bad_rows(content: &str) -> Vec<(u64, String)> {
    let rows = read_bytes(content.as_bytes()).unwrap();
    rows.bad.first().iter().map(|row| (row.line, row.reason.clone())).collect()
}

fn refusal(content: &[u8]) -> String {
    read_bytes(content).unwrap_err().to_string()
}

#[test]
fn columns_stand_in_any_order_and_case() {
    let text = "\u{feff}LON,lat,name,extra,Base_Radius,region,category,id\r\n\
                127.0,37.5,\"한강, 치킨\",x,3km,마포구,chicken,a\r\n\
                127.0,37.5,B,x,,마포구,chicken,b\n";
    for content in [text.as_bytes().to_vec(), compressed(text.as_bytes())] {
        let rows = read_bytes(&content).unwrap();
        assert_eq!((rows.len(), rows.bad.count), (2, 0));
        let mut imports: Vec<_> = rows.good().collect();
        imports.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(imports[0].profile.name, "한강, 치킨");
        assert_eq!(imports[0].base, Some(Radius::try_from(3_000_u32).unwrap()));
        assert_eq!(imports[0].profile.location.latitude().to_string(), "37.5");
        assert_eq!(imports[1].base, None);
    }
}

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_bad_row_is_named_with_its_line_and_reason() {
    let header = format!("{HEADER},base_radius");
    for (row, reason) in [
        ("a,n,c,r,91,0,", "a latitude lies between -90 and 90 degrees, not 91"),
        ("a,n,c,r,NaN,0,", "a latitude lies between -90 and 90 degrees, not NaN"),
        ("a,n,c,r,0,inf,", "a longitude lies between -180 and 180 degrees, not inf"),
        ("a,n,c,r,north,0,", "lat is no number: `north`"),
        ("a,n,c,r,0,0,-1", "base_radius is `-1`: a radius cannot be negative"),
        (
            "a,n,c,r,0,0,1000000000000",
            "base_radius is `1000000000000`: a radius is at most 100000 m",
        ),
        (
            "a,n,c,r,0,0,3 parsecs",
            "base_radius is `3 parsecs`: expected a distance such as `3km` or `1500m`",
        ),
        ("a,n,c,r,0", "it has 5 values, the header 7"),
        (
            ",n,c,r,0,0,",
            "a shop id is 1 to 128 bytes without control characters or blanks at its ends",
        ),
        ("a,,c,r,0,0,", "name is empty"),
        ("a,n\u{7},c,r,0,0,", "name has a control character"),
        (
            "a,n,c,r,0,0,3000.5",
            "base_radius is `3000.5`: expected a distance such as `3km` or `1500m`",
        ),
        (
            "a,\"n\nb,n\",c,r,0,0,",
            "name has a control character; it goes on to line 3: is a quote too many?",
        ),
    ] {
        assert_eq!(bad_rows(&format!("{header}\n{row}\n")), [(2, reason.to_owned())], "{row}");
    }
}

#[test]
fn a_quote_too_many_swallows_no_row_unseen() {
    let row = |id: &str, end: &str| format!("{id},n,c,r,1,1,{end}\n");
    for (columns, opens, closes) in
        [("base_radius,note", ",\"5 m", ",7 m\""), ("note,base_radius", "\"5 m,", "7 m\",")]
    {
        let rows = [row("a", ","), row("b", opens), row("c", ","), row("d", closes), row("e", ",")];
        let text = format!("{HEADER},{columns}\n{}", rows.concat());
        let expected = "it goes on to line 5: is a quote too many?";
        assert_eq!(bad_rows(&text), [(3, expected.to_owned())], "{text}");
        assert_eq!(read_bytes(text.as_bytes()).unwrap().len(), 2, "{text}");
    }
    let header = format!("{HEADER},\"note\na,n,c,r,1,1,\"\nb,n,c,r,1,1,\n");
    let expected = "line 1: it goes on to line 2: is a quote too many?";
    assert_eq!(refusal(header.as_bytes()), expected);
}

#[test]
fn a_row_that_is_not_utf8_is_bad() {
    let mut content = format!("{HEADER}\nb,é,c,r,0,0\na,").into_bytes();
    content.extend(b"\xb0\xa1,c,r,0,0\n");
    let rows = read_bytes(&content).unwrap();
    let expected = BadRow { line: 3, reason: "name is not UTF-8".into() };
    assert_eq!((rows.len(), rows.bad.first()), (1, &[expected][..]));
}

#[test]
fn numbers_are_read_as_programs_write_them() {
    let header = "id;name;category;region;lat;lon;base_radius";
    for (row, place, base) in [
        ("a;n;c;r;37.5;-127.0;3000", (37.5, -127.0), 3_000_u32),
        ("a;n;c;r;37,5;-127,0;3000.0", (37.5, -127.0), 3_000),
        ("a;n;c;r;\"37,5\";1e1;3.0km", (37.5, 10.0), 3_000),
        ("a;n;c;r; 1 ; 2 ;1500.00", (1.0, 2.0), 1_500),
    ] {
        let rows = read_bytes(format!("{header}\n{row}\n").as_bytes()).unwrap();
        let imports: Vec<_> = rows.good().collect();
        let [import] = imports.as_slice() else { panic!("{row}: {:?}", rows.bad) };
        let location = import.profile.location;
        assert_eq!((location.latitude(), location.longitude()), place, "{row}");
        assert_eq!(import.base, Some(Radius::try_from(base).unwrap()), "{row}");
    }
}

#[test]
fn what_is_odd_but_not_wrong_is_remarked() {
    for (header, rows, expected) in [
        ("", "a,n,c,r,1,0\nb,n,c,r,0,1\n", &[][..]),
        ("", "a,n,c,r,0,-0.0\n", &["the shop in line 2 lies at 0,0: is its place unknown?"]),
        (
            ",note,,Phone",
            "a,n,c,r,1,1,x,,y\n\nb,n,c,r,0,0,x,,y\nc,n,c,r,0,0,x,,y\n",
            &[
                "columns that are not used: note, phone",
                "2 shops lie at 0,0, the first in line 4: are their places unknown?",
            ],
        ),
        (",base_radius,max_radius", "a,n,c,r,1,1,,\n", &["columns that are not used: max_radius"]),
        (",base_radius,radius,decided_by,campaign,version", "a,n,c,r,1,1,,,,,\n", &[]),
        (
            ",1,2,3,4,5,6,7,8,9,10,11",
            "a,n,c,r,1,1,,,,,,,,,,,\n",
            &["columns that are not used: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 more"],
        ),
    ] {
        let read = read_bytes(format!("{HEADER}{header}\n{rows}").as_bytes()).unwrap();
        assert_eq!(
            (&read.remarks[..], read.bad.count),
            (&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..], 0)
        );
    }
}

#[test]
fn of_rows_with_one_id_the_first_is_good() {
    let text = format!("{HEADER}\na,1,c,r,0,0\nb,n,c,r,0,0\na,2,c,r,0,0\na,3,c,r,0,0\n");
    assert_eq!(
        bad_rows(&text),
        [
            (4, "the id `a` is in line 2 already".to_owned()),
            (5, "the id `a` is in line 2 already".to_owned())
        ]
    );
    let rows = read_bytes(text.as_bytes()).unwrap();
    assert!(rows.good().any(|row| row.profile.name == "1"));
}

#[test]
fn only_the_first_bad_rows_are_kept() {
    let text = format!("{HEADER}\n{}", "a,n,c,r,91,0\n".repeat(1_000));
    let rows = read_bytes(text.as_bytes()).unwrap();
    assert_eq!(rows.bad.count, 1_000);
    let lines: Vec<u64> = rows.bad.first().iter().map(|row| row.line).collect();
    assert_eq!(lines, (2..22).collect::<Vec<_>>());
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    for (content, expected) in [
        (&b""[..], "it is empty"),
        (b"\x7fELF\x02\x01\x01\0\0", "it is not a CSV file: its first line is not text"),
        (
            b"id,name,category,region,latitude,lon\n",
            "it has no column `lat`, only id, name, category, region, latitude, lon",
        ),
        (b"id;name\n", "it has no columns `category`, `region`, `lat`, `lon`, only id, name"),
        (b"id,name,category,region,lat,lon,id\n", "it has the column `id` twice"),
        (
            b"id,name,category,region,lat,lon,base_raduis\n",
            "it has a column `base_raduis`, but no `base_radius`: rename it if it is the base \
             radius, or leave it out",
        ),
        (
            b"id,name,category,region,lat,lon,Delivery_Radius_m\n",
            "it has a column `delivery_radius_m`, but no `base_radius`: rename it if it is the \
             base radius, or leave it out",
        ),
    ] {
        assert_eq!(refusal(content), expected);
    }
    let many: Vec<String> = (0..20_000).map(|number| format!("column-{number}")).collect();
    let said = refusal(many.join(",").as_bytes());
    let first = (0..10).map(|number| format!("column-{number}")).collect::<Vec<_>>().join(", ");
    assert!(said.ends_with(&format!("only {first} and 19990 more")), "{said}");
    let missing = read(&Source::from("/no/such.csv"), Lanes(NonZeroU16::MIN));
    assert_eq!(missing.unwrap_err().to_string(), "there is no such file");
    let folder = read(&Source::from("/"), Lanes(NonZeroU16::MIN));
    assert_eq!(folder.unwrap_err().to_string(), "it is a folder");
}
