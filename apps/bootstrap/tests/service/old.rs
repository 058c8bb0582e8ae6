//! Programs that are older than their sources, made of files that contain nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::built::{check, libraries_of};

/// A workspace with a built program, and with what the compiler leaves beside it.
struct Workspace {
    folder: TempDir,
}

impl Workspace {
    fn new() -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(workspace.path("target/debug/deps")).unwrap();
        fs::create_dir_all(workspace.path("domain/src")).unwrap();
        for source in ["main.rs", "domain/src/lib.rs", "domain/src/two words.rs", "tests.rs"] {
            workspace.write(source, "", 1);
        }
        workspace.write("target/debug/deps/requester-1", "", 2);
        let [made, program] = ["deps/requester-1", "requester"]
            .map(|name| workspace.path(&format!("target/debug/{name}")));
        fs::hard_link(made, program).unwrap();
        for (name, text) in [
            ("requester-1", "/target/debug/deps/requester-1: main.rs\n"),
            // The same with its tests, which is not what runs.
            ("requester-2", "/target/debug/deps/requester-2: main.rs tests.rs\n"),
            (
                "catchment_domain-3",
                "/target/debug/deps/libcatchment_domain-3.rlib: domain/src/lib.rs \
                 domain/src/two\\ words.rs domain/src/gone.rs\n\ndomain/src/lib.rs:\n",
            ),
            // Its tests, checked: no library was made of them.
            (
                "catchment_domain-4",
                "/target/debug/deps/libcatchment_domain-4.rmeta: domain/src/lib.rs tests.rs\n",
            ),
            ("catchment_memory-5", "/target/debug/deps/libcatchment_memory-5.rlib: tests.rs\n"),
        ] {
            workspace.write(&format!("target/debug/deps/{name}.d"), text, 2);
        }
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, at a second.
    fn write(&self, name: &str, text: &str, second: u64) {
        fs::write(self.path(name), text).unwrap();
        self.touch(name, second);
    }

    fn touch(&self, name: &str, second: u64) {
        let file = File::options().append(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    }

    /// What is told about the requester, but for the folder's own name.
    fn told(&self) -> Result<(), String> {
        let libraries = BTreeSet::from(["catchment_domain".to_owned()]);
        let told = check(&self.path("target/debug/requester"), &libraries, self.folder.path());
        told.map_err(|line| line.replace(&format!("{}/", self.folder.path().display()), ""))
    }
}

/// What is told, and what to do about it.
fn line(what: &str) -> Result<(), String> {
    Err(format!(
        "{what}: build it with `cargo test --workspace --features catchment/servers --no-run`"
    ))
}

#[test]
fn a_program_that_is_newer_than_its_sources_is_taken() {
    assert_eq!(Workspace::new().told(), Ok(()));
}

#[test]
fn a_program_that_is_older_than_a_source_is_refused() {
    for source in ["main.rs", "domain/src/lib.rs", "domain/src/two words.rs"] {
        let workspace = Workspace::new();
        workspace.touch(source, 3);
        let expected = line(&format!("target/debug/requester is older than {source}"));
        assert_eq!(workspace.told(), expected);
    }
}

#[test]
fn what_the_program_is_not_made_of_may_be_newer() {
    let workspace = Workspace::new();
    workspace.touch("tests.rs", 3);
    assert_eq!(workspace.told(), Ok(()));
}

#[test]
fn a_program_that_is_missing_or_that_nobody_knows_is_refused() {
    let workspace = Workspace::new();
    fs::remove_file(workspace.path("target/debug/deps/requester-1.d")).unwrap();
    assert_eq!(workspace.told(), line("nothing lists the sources of target/debug/requester"));
    fs::remove_file(workspace.path("target/debug/requester")).unwrap();
    assert_eq!(workspace.told(), line("there is no target/debug/requester"));
}

#[test]
fn the_crates_of_a_program_are_those_that_it_uses_and_not_those_of_tests() {
    let libraries = libraries_of(Path::new("target/debug/requester"));
    for (name, expected) in [
        ("catchment_requester", true),
        ("catchment_bootstrap", true),
        ("catchment_domain", true),
        ("catchment_migrations", true),
        ("catchment_contract", false),
    ] {
        assert_eq!(libraries.contains(name), expected, "{name} in {libraries:?}");
    }
}
