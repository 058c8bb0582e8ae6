//! Guesses the encoding of a file that is not UTF-8, to help the user convert it.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use csv::ByteRecord;

/// How many rows are enough for a guess.
const ENOUGH: u64 = 1_000;

/// The rows seen so far, and the detector that has read them.
pub(super) struct Encodings {
    detector: EncodingDetector,
    /// Rows that are UTF-8 and not ASCII.
    utf8: u64,
    /// Rows that are not UTF-8.
    other: u64,
}

impl Default for Encodings {
    fn default() -> Self {
        Self { detector: EncodingDetector::new(Iso2022JpDetection::Deny), utf8: 0, other: 0 }
    }
}

impl Encodings {
    /// Counts a row.
    pub(super) fn add(&mut self, values: &ByteRecord) {
        if values.as_slice().is_ascii() {
            return;
        }
        if values.iter().all(|value| std::str::from_utf8(value).is_ok()) {
            self.utf8 += 1;
            return;
        }
        self.other += 1;
        if self.other <= ENOUGH {
            for value in values {
                self.detector.feed(value, false);
                self.detector.feed(b"\n", false);
            }
        }
    }

    /// Returns the encoding, if it is not UTF-8. A few broken rows do not count as another
    /// encoding.
    pub(super) fn guess(&self) -> Option<&'static str> {
        (self.utf8 < self.other).then(|| name(&self.detector))
    }
}

/// Returns the encoding of a file whose first line is text, but not UTF-8.
pub(super) fn of_first_line(head: &[u8]) -> Option<&'static str> {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if line.iter().any(is_control) || std::str::from_utf8(line).is_ok() {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, false);
    Some(name(&detector))
}

/// Returns the encoding's name for `iconv`. Some names of the Web standard cover more letters than
/// the names say.
fn name(detector: &EncodingDetector) -> &'static str {
    match detector.guess(None, Utf8Detection::Deny).name() {
        "EUC-KR" => "CP949",
        "Shift_JIS" => "CP932",
        "GBK" => "GB18030",
        "windows-874" => "CP874",
        "windows-1250" => "CP1250",
        "windows-1251" => "CP1251",
        "windows-1252" => "CP1252",
        "windows-1253" => "CP1253",
        "windows-1254" => "CP1254",
        "windows-1255" => "CP1255",
        "windows-1256" => "CP1256",
        "windows-1257" => "CP1257",
        "windows-1258" => "CP1258",
        name => name,
    }
}
