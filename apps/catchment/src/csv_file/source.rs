//! Opens the source of a file, and recognizes its format by its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::FileError;
use super::gzip::Members;
use crate::output::shell_word;

/// How many bytes are examined before the rows are read: the header and some rows.
const HEAD: u64 = 1 << 16;

const GZIP: &[u8] = b"\x1f\x8b";
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The first bytes of files that users take for CSV, and what to do with such files.
const FORMATS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a workbook or another zip file: save its sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "a workbook: save its sheet as CSV (UTF-8)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: `zstd -dc` decompresses it"),
    (b"BZh", "compressed with bzip2: `bzip2 -dc` decompresses it"),
    (b"\xfd7zXZ\0", "compressed with xz: `xz -dc` decompresses it"),
    (b"SQLite format 3\0", "a database of SQLite, not a CSV file"),
    (b"{", "JSON, not a CSV file"),
    (b"[", "JSON, not a CSV file"),
];

/// The source of a file of shops or of ids.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The standard input.
    Stdin,
    /// A file.
    Path(PathBuf),
}

/// Text that is being read.
pub(super) struct Text {
    /// The first bytes of the text, without a byte order mark.
    pub(super) head: Vec<u8>,
    /// The bytes behind the head.
    pub(super) rest: Box<dyn Read>,
    pub(super) is_compressed: bool,
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if text == "-" { Self::Stdin } else { Self::Path(text.into()) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("the standard input"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Source {
    /// Opens the source, and decompresses it if its first bytes say that it is compressed.
    pub(super) fn open(&self) -> Result<Text, FileError> {
        let file: Box<dyn Read> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::Path(path) => Box::new(open_file(path)?),
        };
        let (head, rest) = begin(file)?;
        if !head.starts_with(GZIP) {
            return self.check(head, rest, false);
        }
        let members = Members::new(Cursor::new(head).chain(BufReader::new(rest)));
        let (head, rest) = begin(members)?;
        self.check(head, Box::new(rest), true)
    }

    fn check(
        &self,
        mut head: Vec<u8>,
        rest: Box<dyn Read>,
        is_compressed: bool,
    ) -> Result<Text, FileError> {
        let begins_with =
            |(mark, format): &(&[u8], &'static str)| head.starts_with(mark).then_some(*format);
        if let Some(format) = FORMATS.iter().find_map(begins_with) {
            return Err(FileError::Format(format));
        }
        if UTF_16_MARKS.iter().any(|mark| head.starts_with(mark)) {
            return Err(self.in_other_encoding("UTF-16", is_compressed));
        }
        if let Some(encoding) = utf_16_without_mark(&head) {
            return Err(self.in_other_encoding(encoding, is_compressed));
        }
        if head.starts_with(UTF_8_MARK) {
            head.drain(..UTF_8_MARK.len());
        }
        Ok(Text { head, rest, is_compressed })
    }

    /// Returns the error of a file that is not in UTF-8, with the command that converts it.
    pub(super) fn in_other_encoding(
        &self,
        encoding: &'static str,
        is_compressed: bool,
    ) -> FileError {
        let convert = format!("iconv -f {encoding} -t UTF-8");
        let command = match self {
            Self::Stdin => convert,
            Self::Path(path) if is_compressed => {
                format!("gzip -dc {} | {convert} > utf8.csv", for_shell(path))
            }
            Self::Path(path) => format!("{convert} {} > utf8.csv", for_shell(path)),
        };
        FileError::Encoding { encoding, command }
    }
}

/// Returns the kind of UTF-16 of a text without a byte order mark. In UTF-16, one byte of most
/// letters in a header is zero.
fn utf_16_without_mark(head: &[u8]) -> Option<&'static str> {
    const LOOKED_AT: usize = 64;
    let pairs: Vec<_> = head.chunks_exact(2).take(LOOKED_AT).collect();
    let are_zero = |place: usize| {
        let zeros = pairs.iter().filter(|pair| pair.get(place) == Some(&0)).count();
        pairs.len() < 2 * zeros
    };
    match (are_zero(0), are_zero(1)) {
        (false, true) => Some("UTF-16LE"),
        (true, false) => Some("UTF-16BE"),
        _ => None,
    }
}

fn open_file(path: &Path) -> Result<File, FileError> {
    if path.is_dir() {
        return Err(FileError::Folder);
    }
    Ok(File::open(path)?)
}

/// Reads the first bytes.
fn begin<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut head)?;
    Ok((head, reader))
}

/// Quotes a path for a shell.
fn for_shell(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}
