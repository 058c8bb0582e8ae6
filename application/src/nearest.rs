//! The known names that resemble an unknown name.

/// Returns up to three names that resemble `name`, the nearest first.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    const NEAR: f64 = 0.55;
    let wanted = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .iter()
        .map(|known| (likeness(&wanted, &known.to_lowercase()), *known))
        .filter(|(score, _)| NEAR <= *score)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.truncate(3);
    scored.into_iter().map(|(_, known)| known).collect()
}

/// Returns how much `wanted` resembles `known`, from 0 to 1. If `wanted` is a part of `known`, it
/// resembles `known`, however long that is: `역삼동` is found in `강남구 역삼동`.
fn likeness(wanted: &str, known: &str) -> f64 {
    const PART: f64 = 0.8;
    let edits = strsim::normalized_damerau_levenshtein(wanted, known);
    let is_part = 1 < wanted.chars().count() && known.contains(wanted);
    if is_part { edits.max(PART) } else { edits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let regions = ["Hackney", "Haringey", "Camden", "강남구 역삼동", "강남구 삼성동"];
        for (name, expected) in [
            ("Hackny", &["Hackney"][..]),
            ("camden", &["Camden"]),
            ("역삼동", &["강남구 역삼동"]),
            ("강남구 역섬동", &["강남구 역삼동", "강남구 삼성동"]),
            ("Paris", &[]),
        ] {
            assert_eq!(nearest(name, &regions), expected, "{name}");
        }
    }
}
