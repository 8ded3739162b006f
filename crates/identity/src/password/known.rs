//! Long passwords that everybody knows, whatever list of breached ones an operator has.
//!
//! Short ones are in the dictionaries of zxcvbn, which knows 30,000 passwords. It estimates how many guesses a text takes that is
//! put together of words, and so takes a line of Shakespeare for a good one.

use std::{collections::HashSet, sync::LazyLock};

use secrecy::zeroize::Zeroizing;

use super::pattern::plain;

/// Shorter ones are what remains of a password whose digits may be what it is good for.
const LEAST: usize = 8;

static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("known.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| compared(line).to_string()).filter(|known| known.len() >= LEAST).collect()
});

/// Whether a lower-case text is such a password, but for spaces, punctuation, the usual substitutions, and digits at either end.
pub(super) fn is_known(lower: &str) -> bool {
    KNOWN.contains(compared(lower).as_str())
}

fn compared(lower: &str) -> Zeroizing<String> {
    let spelled = Zeroizing::new(plain(lower.trim_matches(|character: char| !character.is_alphabetic())));
    Zeroizing::new(spelled.chars().filter(|character| character.is_alphanumeric()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_knows_is_known_in_every_spelling() {
        let known = [
            "correct horse battery staple",
            "CorrectHorseBatteryStaple!",
            "c0rr3ct-h0rs3-b4tt3ry-st4ple 2026",
        ];
        for text in known.into_iter().chain(["1q2w3e4r5t6y7u8i9o0p", "1Qaz2Wsx3Edc4Rfv!"]) {
            assert!(is_known(&text.to_lowercase()), "{text}");
        }
        let other = ["correct horse battery stable", "seven herons over a tin roof", "123456789012345", ""];
        assert!(other.into_iter().all(|text| !is_known(text)));
    }

    #[test]
    fn the_list_holds_what_is_long_enough_to_be_chosen() {
        for line in
            include_str!("known.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            assert!(is_known(line) && line == line.to_lowercase(), "{line}");
        }
        assert!(KNOWN.len() > 200);
    }
}
