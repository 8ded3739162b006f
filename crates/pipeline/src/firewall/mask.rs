//! Values that matched, as an operator may see them: short, printable, and without what is nobody's business.
//!
//! A mask cannot know every secret. It hides what has the name of one (`password`, cookies, credentials), e-mail
//! addresses, and long runs of digits: card, account and telephone numbers.

use std::sync::LazyLock;

use regex::Regex;

/// The most characters that are shown of a value.
const LONGEST: usize = 80;
/// The most bytes that are looked at.
const MOST: usize = 256;

const HIDDEN: &str = "<hidden>";

/// What is shown of the value of `variable` (`ARGS:id`).
pub(super) fn masked(variable: &str, value: &[u8]) -> String {
    if is_secret(variable) {
        return HIDDEN.into();
    }
    let text = String::from_utf8_lossy(value.get(..MOST).unwrap_or(value));
    PATTERNS.as_ref().map_or_else(|| HIDDEN.into(), |patterns| patterns.without_personal_data(&text))
}

/// What is shown of the name of a variable. A client may choose it, and what has no value is a name: `?TOKEN`.
pub(super) fn masked_name(variable: &str) -> String {
    let Some((collection, name)) = variable.split_once(':') else { return shortened(variable) };
    let name: String = name.chars().take(MOST).collect();
    let Some(patterns) = PATTERNS.as_ref() else { return format!("{collection}:{HIDDEN}") };
    let name = patterns.long.replace_all(&name, "<long>");
    format!("{collection}:{}", patterns.without_personal_data(&name))
}

/// A query as an operator may see it: its whole length, without what is nobody's business.
pub fn masked_query(query: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return HIDDEN.into() };
    patterns.hide(query)
}

/// `text` without control characters, and not too long.
fn shortened(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether everything under this name is secret.
fn is_secret(variable: &str) -> bool {
    let (collection, name) = variable.split_once(':').unwrap_or((variable, ""));
    let is_cookie = collection.eq_ignore_ascii_case("REQUEST_COOKIES");
    is_cookie || PATTERNS.as_ref().is_none_or(|patterns| patterns.name.is_match(name))
}

/// `None` would hide everything; a test sees that it is not so.
static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| Patterns::new().ok());

struct Patterns {
    /// Names of secrets.
    name: Regex,
    /// A secret in a list of names and values: a form, JSON, a header.
    pair: Regex,
    mail: Regex,
    digits: Regex,
    /// Longer than names are without a mark between their parts.
    long: Regex,
}

impl Patterns {
    fn hide(&self, text: &str) -> String {
        let text = self.pair.replace_all(text, "${1}<hidden>");
        let text = self.mail.replace_all(&text, "<e-mail>");
        self.digits.replace_all(&text, "<digits>").into_owned()
    }

    fn new() -> Result<Self, regex::Error> {
        const NAME: &str = "passw|pwd|passphrase|secret|token|credential|authorization|api-?_?key|private|session|cookie|\
                            signature|card|cvv|cvc|iban|ssn|otp|pin\\b";
        // As it stands in a text, in a text within a text, and in a URL.
        const QUOTE: &str = r#"(?:\\?["']|%2[27])?"#;
        Ok(Self {
            name: Regex::new(&format!("(?i:{NAME})"))?,
            pair: Regex::new(&format!(
                r#"((?i:[\w.\[\]-]{{0,40}}(?:{NAME})[\w.\[\]-]{{0,40}}{QUOTE}\s?(?:[=:]|%3[ad])\s?{QUOTE}))[^&;,"']+"#
            ))?,
            mail: Regex::new(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")?,
            digits: Regex::new(r"[0-9](?:[ -]?[0-9]){6,}")?,
            long: Regex::new(r"[\w+/=%-]{41,}")?,
        })
    }

    /// Shortened, too.
    fn without_personal_data(&self, text: &str) -> String {
        shortened(&self.hide(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_and_secrets_are_masked() {
        let cases = [
            ("ARGS:id", "1' OR '1'='1", "1' OR '1'='1"),
            ("ARGS:q", "mail ada@example.test and bob%40mail.example.test", "mail <e-mail> and <e-mail>"),
            ("ARGS:q", "4111 1111 1111 1111 or +491701234567", "<digits> or +<digits>"),
            ("ARGS:q", "order 123456", "order 123456"),
            ("ARGS:user.password", "hunter2", "<hidden>"),
            ("REQUEST_HEADERS:Authorization", "Bearer x", "<hidden>"),
            ("REQUEST_HEADERS:X-Api-Key", "x", "<hidden>"),
            ("REQUEST_HEADERS:Cookie", "a=b", "<hidden>"),
            ("REQUEST_COOKIES:theme", "dark", "<hidden>"),
            ("QUERY_STRING", "a=1&password=hunter2&b=2", "a=1&password=<hidden>&b=2"),
            ("QUERY_STRING", "a=1&pin=1234", "a=1&pin=<hidden>"),
            ("ARGS:shopping", "bread", "bread"),
            ("ARGS:q", r#"{\"password\":\"hunter2\"}"#, r#"{\"password\":\"<hidden>"}"#),
            (
                "REQUEST_URI_RAW",
                "/a?q=%7B%22password%22%3A%22hunter2%22%7D",
                "/a?q=%7B%22password%22%3A%22<hidden>",
            ),
            ("REQUEST_BODY", r#"{"access_token": "abc", "b": 1}"#, r#"{"access_token": "<hidden>", "b": 1}"#),
            ("ARGS:q", "line\nbreak\u{1b}[31m", "line\\nbreak\\u{1b}[31m"),
        ];
        for (variable, value, expected) in cases {
            assert_eq!(masked(variable, value.as_bytes()), expected, "{variable}={value}");
        }
        assert_eq!(masked("ARGS:q", &[b'a'; 10_000]).chars().count(), LONGEST + 1);
        assert_eq!(masked("ARGS:q", b"\xff\x00"), "\u{fffd}\\u{0}");
    }

    #[test]
    fn names_may_be_personal_data_and_secrets() {
        let token = "Zm9v-".repeat(9);
        let (alone, within) = (format!("ARGS_NAMES:{token}"), format!("ARGS:json.{token}.id"));
        let cases = [
            ("ARGS:id", "ARGS:id"),
            ("REQUEST_URI", "REQUEST_URI"),
            ("ARGS:json.users.array_0.address", "ARGS:json.users.array_0.address"),
            ("ARGS:e190c63d-869b-739b-aea5-966c26f8ad9b", "ARGS:e190c63d-869b-739b-aea5-966c26f8ad9b"),
            ("ARGS:ada@example.test", "ARGS:<e-mail>"),
            ("ARGS_NAMES:4111111111111111<script>", "ARGS_NAMES:<digits><script>"),
            ("ARGS_NAMES:password=hunter2", "ARGS_NAMES:password=<hidden>"),
            (alone.as_str(), "ARGS_NAMES:<long>"),
            (within.as_str(), "ARGS:json.<long>.id"),
            ("ARGS:a\nb", "ARGS:a\\nb"),
        ];
        for (name, expected) in cases {
            assert_eq!(masked_name(name), expected, "{name}");
        }
    }
}
