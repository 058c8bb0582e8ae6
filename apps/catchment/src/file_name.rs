//! Reads file names of users, and refuses names that probably mean something else.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// The endings of compressed files, except gzip.
const COMPRESSED: [&str; 8] = ["7z", "br", "bz2", "lz4", "tgz", "xz", "zip", "zst"];
const GZIP: &str = "gz";

/// Reads the name of a database copy to write.
pub(crate) fn new_copy() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check_new_copy(&path).map(|()| path))
}

/// Reads the name of an existing database copy.
pub(crate) fn copy() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check_copy(&path).map(|()| path))
}

/// Reads the name of a file of shops to write; `-` may be the standard output.
pub(crate) fn export() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check_export(&path).map(|()| path))
}

/// Returns whether a file of this name has to be compressed with gzip.
pub(crate) fn is_gzip(path: &Path) -> bool {
    has_ending(path, GZIP)
}

fn check_new_copy(path: &Path) -> Result<(), String> {
    check_copy(path)?;
    match [GZIP].iter().chain(&COMPRESSED).find(|ending| has_ending(path, ending)) {
        Some(ending) => {
            Err(format!("a copy is not compressed; leave `.{ending}` out, and compress it then"))
        }
        None => Ok(()),
    }
}

fn check_copy(path: &Path) -> Result<(), String> {
    if path == Path::new("-") {
        return Err("a copy is a file, not the standard input or output; name one".to_owned());
    }
    check_no_url(path)
}

fn check_export(path: &Path) -> Result<(), String> {
    check_no_url(path)?;
    match COMPRESSED.iter().find(|ending| has_ending(path, ending)) {
        Some(ending) => Err(format!(
            "`.{ending}` is not written; an export is compressed where its name ends with `.gz`"
        )),
        None => Ok(()),
    }
}

fn check_no_url(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    if !["sqlite", "postgres", "postgresql", "file"].contains(&scheme) {
        return Ok(());
    }
    let name = rest.trim_start_matches("//");
    let example = if scheme == "sqlite" && !name.is_empty() { name } else { "copy.db" };
    Err(format!("it is a URL; name the file by its path, such as `{example}`"))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&Path) -> Result<(), String>;

    #[test]
    fn a_name_that_may_mean_another_thing_is_refused() {
        let [new_copy, copy, export]: [Check; 3] = [check_new_copy, check_copy, check_export];
        for (name, check, part) in [
            ("-", new_copy, "not the standard input or output"),
            ("-", copy, "not the standard input or output"),
            ("sqlite:y.db", new_copy, "such as `y.db`"),
            ("sqlite:///var/y.db", copy, "such as `/var/y.db`"),
            ("sqlite://", copy, "such as `copy.db`"),
            ("postgres://me@host/shops", new_copy, "such as `copy.db`"),
            ("sqlite:shops.csv", export, "such as `shops.csv`"),
            ("b.db.gz", new_copy, "leave `.gz` out"),
            ("b.db.ZST", new_copy, "leave `.zst` out"),
            ("shops.csv.zst", export, "`.zst` is not written"),
            ("shops.zip", export, "`.zip` is not written"),
        ] {
            let refused = check(Path::new(name)).unwrap_err();
            assert!(refused.contains(part), "{name}: {refused}");
        }
        for (name, check) in [
            ("y.db", new_copy),
            ("./-", new_copy),
            ("c:y.db", new_copy),
            ("b.db.gz", copy),
            ("-", export),
            ("shops.csv.gz", export),
            ("gz", export),
        ] {
            assert_eq!(check(Path::new(name)), Ok(()), "{name}");
        }
        assert!(is_gzip(Path::new("a.csv.GZ")) && !is_gzip(Path::new("gz")));
    }
}
