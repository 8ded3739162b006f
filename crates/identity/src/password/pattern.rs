//! What the older rules look for inside a password: runs, sequences, words that everybody tries.

const KEYBOARD_ROWS: [&str; 5] = ["qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "azertyuiop"];
const WORDS: [&str; 8] =
    ["password", "passwort", "letmein", "welcome", "iloveyou", "admin", "secret", "login"];
/// Characters that stand for letters, as zxcvbn reads them.
pub(super) const SUBSTITUTIONS: &str = "0123456789@$!|+%({[<";
const SEQUENCE: usize = 4;

/// Whether a character occurs more than `most` times in a row.
pub(super) fn has_run(text: &str, most: usize) -> bool {
    let mut previous = None;
    let mut length = 0;
    text.chars().any(|character| {
        length = if previous == Some(character) { length + 1 } else { 1 };
        previous = Some(character);
        length > most
    })
}

/// Whether a lower-case text holds four characters in order (or backwards) of the alphabet, the digits or a row of
/// keys, or a word that everybody tries.
pub(super) fn has_common_pattern(lower: &str) -> bool {
    let characters: Vec<char> = lower.chars().collect();
    characters.windows(SEQUENCE).any(is_sequence) || WORDS.iter().any(|word| plain(lower).contains(word))
}

fn is_sequence(window: &[char]) -> bool {
    let forwards: String = window.iter().collect();
    let backwards: String = window.iter().rev().collect();
    ascends(&forwards)
        || ascends(&backwards)
        || KEYBOARD_ROWS.iter().any(|row| row.contains(&forwards) || row.contains(&backwards))
}

fn ascends(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(u8::is_ascii_alphanumeric)
        && bytes.windows(2).all(|pair| matches!(pair, [first, second] if first + 1 == *second))
}

/// The text with the usual substitutions undone: `p4$$w0rd` is `password`.
pub(super) fn plain(lower: &str) -> String {
    lower.chars().map(undo_substitution).collect()
}

/// The letter that a character is written for.
pub(super) fn undo_substitution(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '2' => 'z',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '6' | '9' => 'g',
        '7' | '+' => 't',
        '8' => 'b',
        '(' | '{' | '[' | '<' => 'c',
        '%' => 'x',
        other => other,
    }
}
