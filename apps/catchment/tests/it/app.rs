//! Runs the command on a database for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HEADER: &str = "id,name,category,region,lat,lon";

/// A folder in which the command runs. It has `catchment.db` after the first import.
pub(crate) struct TestApp {
    folder: TempDir,
}

/// The exit code and the output of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Returns the last line of the standard output, as JSON.
    pub(crate) fn value(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default()).unwrap()
    }
}

impl Ran {
    /// Returns the standard output of a successful run.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl TestApp {
    /// Makes an empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Makes a database with six shops in two regions and two categories.
    pub(crate) fn with_shops() -> Self {
        let app = Self::empty();
        let rows: String = [
            "a,Acorn,cafe,Hackney,51.5,-0.1",
            "b,Birch,pub,Hackney,51.5,-0.1",
            "c,Cedar,cafe,Haringey,51.6,-0.1",
            "d,Damson,pub,Haringey,51.6,-0.1",
            "e,은행나무,cafe,강남구 역삼동,37.5,127.0",
            "f,Fir,pub,강남구 역삼동,37.5,127.0",
        ]
        .join("\n");
        let imported = app.import(&format!("{HEADER}\n{rows}\n"), &[]);
        assert_eq!(imported.stdout, "added 6, updated 0, bad 0\n", "{imported:?}");
        app
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// Returns the command in the folder, without the settings of the user who runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env_clear().current_dir(self.folder.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs the command with `--json`, and returns its last line.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json"], arguments].concat()).value()
    }

    pub(crate) fn import(&self, content: &str, options: &[&str]) -> Ran {
        self.file("shops.csv", content);
        self.run(&[&["shops", "import", "shops.csv"], options].concat())
    }

    /// Returns everything that can be seen of shops and campaigns.
    pub(crate) fn state(&self) -> [Ran; 2] {
        [self.run(&["shops", "export"]), self.run(&["--json", "campaign", "list"])]
    }
}

/// The built command.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_catchment"))
}
