//! Values that matched, as an operator may see them: short, printable, and without what is nobody's business.
//!
//! A mask cannot know every secret. It hides what has the name of one (`password`, cookies, credentials), e-mail
//! addresses, and long runs of digits: card, account and telephone numbers.

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::Regex;

/// The most characters that are shown of a value.
const LONGEST: usize = 80;
/// The most bytes that are looked at.
const MOST: usize = 256;

/// How often a name may be encoded.
const MOST_DECODED: usize = 4;

const HIDDEN: &str = "<hidden>";
/// What stands in the place of what is masked.
pub(super) const PLACEHOLDERS: [&str; 4] = [HIDDEN, "<long>", "<e-mail>", "<digits>"];

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
    format!("{collection}:{}", shortened(&whole_name(&name)))
}

/// The name itself, in its whole length, as far as it is shown.
pub(super) fn whole_name(name: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return HIDDEN.into() };
    patterns.hide(&patterns.long.replace_all(name, "<long>"))
}

/// A query as an operator may see it: its whole length, without what is nobody's business. A value that is a secret, or
/// has one in it, is hidden up to the next `&`.
pub fn masked_query(query: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return HIDDEN.into() };
    let mut masked = String::with_capacity(query.len());
    for (index, parameter) in query.split('&').enumerate() {
        if index > 0 {
            masked.push('&');
        }
        match parameter.split_once('=') {
            Some((name, value)) if patterns.is_secret_parameter(name, value) => {
                masked.push_str(&patterns.hide(name));
                masked.push('=');
                masked.push_str(HIDDEN);
            }
            _ => masked.push_str(&patterns.hide(parameter)),
        }
    }
    masked
}

/// The address of a page as an operator may see it: its query as [`masked_query`] shows it, without what stands before
/// the host and behind `#`.
pub fn masked_address(address: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return HIDDEN.into() };
    let address = address.split_once('#').map_or(address, |(address, _)| address);
    let (page, query) = address.split_once('?').map_or((address, None), |(page, query)| (page, Some(query)));
    let (scheme, rest) = page.split_once("//").map_or(("", page), |(scheme, rest)| (scheme, rest));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let slashes = if scheme.len() + rest.len() == page.len() { "" } else { "//" };
    let page = patterns.hide(&format!("{scheme}{slashes}{host}{path}"));
    match query {
        Some(query) => format!("{page}?{}", masked_query(query)),
        None => page,
    }
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
    /// A name or a part of one that is a secret's in a query, though not everywhere.
    word: Regex,
    /// Such a one with its value, in a value.
    inner: Regex,
    mail: Regex,
    digits: Regex,
    /// Longer than names are without a mark between their parts.
    long: Regex,
}

impl Patterns {
    /// Whether the value of this parameter is a secret, or has one in it, however often it is encoded.
    fn is_secret_parameter(&self, name: &str, value: &str) -> bool {
        let (name, value) = (decoded(name), decoded(value));
        self.name.is_match(&name)
            || self.word.is_match(&name)
            || self.pair.is_match(&value)
            || self.inner.is_match(&value)
    }

    fn hide(&self, text: &str) -> String {
        let text = self.pair.replace_all(text, "${1}<hidden>");
        let text = self.mail.replace_all(&text, "<e-mail>");
        self.digits.replace_all(&text, "<digits>").into_owned()
    }

    fn new() -> Result<Self, regex::Error> {
        const NAME: &str = "passw|pwd|passphrase|secret|token|credential|authorization|api-?_?key|private|session|cookie|\
                            signature|card|cvv|cvc|iban|ssn|otp|pin\\b";
        // Of a name. All that is not ASCII counts: a class of letters of all languages, forty times, takes 10 MB.
        const LETTER: &str = r"0-9A-Za-z_\x{80}-\x{10FFFF}";
        // As it stands in a text, in a text within a text, and in a URL.
        const QUOTE: &str = r#"(?:\\?["']|%2[27])?"#;
        const WORD: &str = "code|key|auth|jwt|sig|hmac|sid|sess|sessid|phpsessid|ticket|pass|pw|assertion|samlrequest|\
                            samlresponse|verifier|nonce|bearer|state|magic|invitation|invite";
        Ok(Self {
            word: Regex::new(&format!(r"(?i)(?:^|[^a-z0-9])(?:{WORD})(?:[^a-z0-9]|$)"))?,
            inner: Regex::new(&format!(r#"(?i)(?:^|[^a-z0-9])(?:{WORD})(?:\\?["'\]])?\s?[=:]"#))?,
            name: Regex::new(&format!("(?i:{NAME})"))?,
            pair: Regex::new(&format!(
                r#"((?i:[{LETTER}.\[\]-]{{0,40}}(?:{NAME})[{LETTER}.\[\]-]{{0,40}}{QUOTE}\s?(?:[=:]|%3[ad])\s?{QUOTE}))[^&;,"']+"#
            ))?,
            mail: Regex::new(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")?,
            digits: Regex::new(r"[0-9](?:[ -]?[0-9]){6,}")?,
            long: Regex::new(&format!("[{LETTER}+/=%-]{{41,}}"))?,
        })
    }

    /// Shortened, too.
    fn without_personal_data(&self, text: &str) -> String {
        shortened(&self.hide(text))
    }
}

/// Without escapes, as often as there are some.
fn decoded(text: &str) -> String {
    let mut text = text.replace('+', " ");
    for _ in 0..MOST_DECODED {
        let once = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if once == text {
            break;
        }
        text = once;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_query_are_hidden_to_their_end() {
        for (query, expected) in [
            ("", ""),
            ("page=2&q=red+shoes", "page=2&q=red+shoes"),
            ("a=1&&b&=2", "a=1&&b&=2"),
            ("password=correct,horse&page=2", "password=<hidden>&page=2"),
            ("token=it's-x;y\"z", "token=<hidden>"),
            ("a=1;token=x&b=2", "a=<hidden>&b=2"),
            ("pass%77ord=hunter2", "pass%77ord=<hidden>"),
            ("%2574oken=hunter2", "%2574oken=<hidden>"),
            ("code=4/abc&state=xyz&scope=mail", "code=<hidden>&state=<hidden>&scope=mail"),
            ("key=1&api_key=2&auth=3&jwt=4", "key=<hidden>&api_key=<hidden>&auth=<hidden>&jwt=<hidden>"),
            (
                "sig=1&sid=2&ticket=3&X-Amz-Signature=4",
                "sig=<hidden>&sid=<hidden>&ticket=<hidden>&X-Amz-Signature=<hidden>",
            ),
            ("keyword=a&design=b&author=c&decoder=d", "keyword=a&design=b&author=c&decoder=d"),
            ("next=https%3A%2F%2Fshop.test%2F%3Fcode%3Dabc", "next=<hidden>"),
            ("next=%2Freset%3Fto%256ben%3Dabc&page=2", "next=<hidden>&page=2"),
            ("q=%7B%22password%22%3A%22hunter2%22%7D", "q=<hidden>"),
            ("to=ada%40shop.test&card_number=1", "to=<e-mail>&card_number=<hidden>"),
            ("order=4111111111111111", "order=<digits>"),
        ] {
            assert_eq!(masked_query(query), expected, "{query}");
        }
    }

    #[test]
    fn addresses_of_pages_have_no_secrets() {
        for (address, expected) in [
            ("", ""),
            ("https://shop.test/letters/7", "https://shop.test/letters/7"),
            ("https://shop.test/reset?token=abc,d&page=2", "https://shop.test/reset?token=<hidden>&page=2"),
            ("https://shop.test/#access_token=abc", "https://shop.test/"),
            ("https://ada:hunter2@shop/a?b=1", "https://shop/a?b=1"),
            ("https://shop.test?code=abc#x", "https://shop.test?code=<hidden>"),
            ("/letters?sid=1", "/letters?sid=<hidden>"),
            ("about:blank", "about:blank"),
        ] {
            assert_eq!(masked_address(address), expected, "{address}");
        }
    }

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
