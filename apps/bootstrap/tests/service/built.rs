//! Whether a program that a test starts is built from the sources of today.
//!
//! Cargo builds a test's own programs, and the examples beside it where no target is named.
//! Every other program is as old as the last build of its package.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What to do about a program that is missing or old.
const BUILD: &str = "build it with `cargo test --workspace --features catchment/servers --no-run`";

/// Returns the program; fails where it is missing, or older than one of its sources.
pub(crate) fn built(program: PathBuf) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Err(line) = check(&program, &libraries_of(&program), &root) {
        panic!("{line}");
    }
    program
}

/// Compares a program with its own sources, and with those of these libraries.
pub(crate) fn check(
    program: &Path,
    libraries: &BTreeSet<String>,
    root: &Path,
) -> Result<(), String> {
    let shown = program.display();
    let Ok(metadata) = fs::metadata(program) else {
        return Err(format!("there is no {shown}: {BUILD}"));
    };
    let (own, others): (Vec<List>, Vec<List>) =
        lists_of(program, libraries).into_iter().partition(|list| list.is_of(&metadata));
    if own.is_empty() {
        return Err(format!("nothing lists the sources of {shown}: {BUILD}"));
    }
    // The hash of a library is not known here, so each of its builds counts.
    let libraries = others.into_iter().filter(List::is_of_library);
    for source in own.into_iter().chain(libraries).flat_map(|list| list.sources()) {
        // A source that is gone by now was left out in another one, which is newer.
        let changed = fs::metadata(root.join(&source)).and_then(|source| source.modified());
        if changed.is_ok_and(|changed| metadata.modified().unwrap() < changed) {
            return Err(format!("{shown} is older than {source}: {BUILD}"));
        }
    }
    Ok(())
}

/// The crates of ours of which a program is built, as Cargo describes them.
pub(crate) fn libraries_of(program: &Path) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = program.file_stem().unwrap().to_str().unwrap();
    let makes_it = |package: &&Value| {
        package["targets"].as_array().unwrap().iter().any(|target| target["name"] == name)
    };
    let mut open: Vec<&Value> = packages.iter().filter(makes_it).collect();
    let mut found = BTreeSet::new();
    while let Some(package) = open.pop() {
        if !found.insert(package["name"].as_str().unwrap().replace('-', "_")) {
            continue;
        }
        let dependencies = package["dependencies"].as_array().unwrap();
        let used = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        for name in used.map(|dependency| &dependency["name"]) {
            open.extend(packages.iter().filter(|package| package["name"] == *name));
        }
    }
    found
}

/// The sources of something that the compiler made, as it leaves them beside it in
/// `NAME-HASH.d`.
struct List {
    /// What the compiler made, where it is a program: `NAME-HASH`.
    made: PathBuf,
    /// In the syntax of make, a line for each output: `OUTPUT: SOURCE SOURCE ...`.
    text: String,
}

impl List {
    /// Whether it is of this program, which Cargo linked to a name without a hash.
    fn is_of(&self, program: &Metadata) -> bool {
        fs::metadata(&self.made)
            .is_ok_and(|made| (made.dev(), made.ino()) == (program.dev(), program.ino()))
    }

    /// Whether it is of a library that was compiled, not checked, and not of its tests.
    fn is_of_library(&self) -> bool {
        self.text.contains(".rlib: ")
    }

    /// Paths from the workspace on, or whole ones.
    fn sources(&self) -> Vec<String> {
        let line = self.text.lines().next().unwrap_or_default();
        let sources = line.split_once(": ").map_or("", |(_, sources)| sources);
        // A backslash stands before a space of a path.
        let paths = sources.replace("\\ ", "\0");
        paths.split_whitespace().map(|path| path.replace('\0', " ")).collect()
    }
}

/// The lists of the program and of these libraries.
fn lists_of(program: &Path, libraries: &BTreeSet<String>) -> Vec<List> {
    let name = program.file_name().unwrap();
    let folder = program.parent().unwrap();
    // Examples have a folder of their own, beside that of everything else.
    let folders = [folder.to_owned(), folder.join("deps"), folder.with_file_name("deps")];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "d"))
        .filter_map(|path| {
            let made = path.with_extension("");
            let (of, _) = made.file_name()?.to_str()?.rsplit_once('-')?;
            let counts = name == of || libraries.contains(of);
            counts.then(|| List { text: fs::read_to_string(&path).unwrap(), made })
        })
        .collect()
}
