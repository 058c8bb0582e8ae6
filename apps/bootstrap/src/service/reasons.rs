//! Joins the reasons why something is not ready into one line.

/// The most reasons that are named.
const NAMED: usize = 5;

/// Returns the first reasons and the number of the others, or `None` without reasons.
pub fn join(reasons: impl IntoIterator<Item = String>) -> Option<String> {
    let mut reasons = reasons.into_iter();
    let named: Vec<String> = reasons.by_ref().take(NAMED).collect();
    if named.is_empty() {
        return None;
    }
    let line = named.join("; ");
    match reasons.count() {
        0 => Some(line),
        more => Some(format!("{line}; and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_reasons_are_counted() {
        let first = |count: u32| join((0..count).map(|number| number.to_string()));
        assert_eq!(first(0), None);
        assert_eq!(first(2).as_deref(), Some("0; 1"));
        assert_eq!(first(5).as_deref(), Some("0; 1; 2; 3; 4"));
        assert_eq!(first(7).as_deref(), Some("0; 1; 2; 3; 4; and 2 more"));
    }
}
