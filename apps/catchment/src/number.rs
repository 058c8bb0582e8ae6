//! Formats numbers for people.

use indicatif::HumanCount;

/// Formats a whole number with separated thousands: `51,221`.
pub(crate) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Formats a number with its noun: `1 shop`, `51,221 shops`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

/// Formats a part as a percentage: `78.1 %`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let thousandths = (part * 1_000).checked_div(whole).unwrap_or_default();
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// Returns a rate per second, rounded down.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of shops are far below 2^53, and a rate is never negative"
)]
pub(crate) fn rate(count: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (51_221, "51,221"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "shop"), "1 shop");
        assert_eq!(counted(2_000, "shop"), "2,000 shops");
    }

    #[test]
    fn shares_are_rounded_down() {
        assert_eq!(share(2, 3), "66.6 %");
        assert_eq!(share(0, 0), "0.0 %");
        assert_eq!(share(5, 5), "100.0 %");
    }
}
