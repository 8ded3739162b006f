//! "Did you mean ...?": the nearest known word to a misspelled one.

/// A word longer than this is compared with nothing: it is no misspelling.
const LONGEST: usize = 64;
/// Candidates beyond these are not looked at.
const CANDIDATES: usize = 256;

/// The candidate nearest to `word`, if it is near enough to be meant: one edit in three letters.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    if letters > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .take(CANDIDATES)
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= letters.max(candidate.chars().count()).div_ceil(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// What to say about an unknown word: the nearest known one, or all of them.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = known.into_iter().take(20).map(|name| format!("`{name}`")).collect();
    (!all.is_empty()).then(|| format!("known here: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["routes", "roles", "upstreams", "version"];
        let cases = [
            ("rotues", Some("routes")),
            ("Routes", Some("routes")),
            ("role", Some("roles")),
            ("upstream", Some("upstreams")),
            ("listen", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"r".repeat(1000), known), None);
        assert_eq!(hint("listen", ["a", "b"]), Some("known here: `a`, `b`".into()));
    }
}
