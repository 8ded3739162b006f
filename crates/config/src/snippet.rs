//! The lines of the document as diagnostics show them: one line, a caret, and no secret.
//!
//! Masking works on text, not on the parsed document, because a document that does not parse needs it most.
//! It masks the values of keys that hold secrets (also misspelled), whatever continues such a value on further
//! lines, and the credentials in URLs. It may mask too much, for example the rest of a flow mapping that begins
//! behind a secret; it does not follow aliases, which no secret needs.

use crate::located::Position;

/// Characters shown on each side of a place in a long line.
const CONTEXT: usize = 60;
const MASK: &str = "***";
/// A line longer than this, in bytes, is not shown.
const LONGEST: usize = 8192;

const SECRET_KEYS: [&str; 4] = ["secret", "hash", "password", "token"];

/// A document by lines.
pub(crate) struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect())
    }

    /// The line at `position`; empty beyond the end.
    pub(crate) fn get(&self, position: Position) -> &'a str {
        let index = usize::try_from(position.line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.0.get(index).copied().unwrap_or_default()
    }

    /// The word that starts at `position`.
    pub(crate) fn word(&self, position: Position) -> &'a str {
        let line = self.get(position);
        let skipped = usize::try_from(position.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest =
            line.char_indices().nth(skipped).map_or("", |(start, _)| line.get(start..).unwrap_or_default());
        word(rest)
    }

    /// The line with a caret under `position`.
    pub(crate) fn snippet(&self, position: Position) -> String {
        let line = self.get(position);
        if line.len() > LONGEST {
            return String::new();
        }
        if self.continues_a_secret(position) {
            return render(position, MASK, 1, MASK.len());
        }
        let masked = mask(line);
        let column = usize::try_from(position.column).unwrap_or(usize::MAX);
        let before: String = line.chars().take(column.saturating_sub(1)).collect();
        let before = mask(&before);
        let word = self.word(position);
        let rest = masked.strip_prefix(before.as_str());
        let width = if rest.is_some_and(|rest| rest.starts_with(word)) { word.chars().count() } else { 1 };
        let column = if rest.is_some() { before.chars().count() + 1 } else { column };
        render(position, &masked, column.min(masked.chars().count() + 1), width)
    }

    /// The same, without what follows the key at `position`.
    pub(crate) fn snippet_of_key(&self, position: Position) -> String {
        let line = self.get(position);
        if line.len() > LONGEST {
            return String::new();
        }
        let key = self.word(position);
        let column = usize::try_from(position.column).unwrap_or(usize::MAX);
        let before: String = line.chars().take(column.saturating_sub(1)).collect();
        let masked = mask(&before);
        let column = masked.chars().count() + 1;
        let rest = line.get(before.len() + key.len()..).unwrap_or_default();
        let (colon, rest) = rest.strip_prefix(':').map_or(("", rest), |rest| (":", rest));
        let more = if rest.trim().is_empty() { "" } else { " ..." };
        render(position, &format!("{masked}{key}{colon}{more}"), column, key.chars().count())
    }

    /// Whether the line belongs to a value that started on an earlier one under a key that holds a secret.
    fn continues_a_secret(&self, position: Position) -> bool {
        let index = usize::try_from(position.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(before) = self.0.get(..index) else { return false };
        let indentation = |line: &str| line.len() - line.trim_start().len();
        let mut above = before.iter().rev().filter(|line| !line.trim().is_empty());
        if above.clone().next().is_some_and(|nearest| opens_a_secret(nearest)) {
            return true;
        }
        let mut outermost = indentation(self.get(position));
        above.any(|line| {
            let own = indentation(line);
            let is_around = own < outermost || (own == outermost && is_an_item(self.get(position)));
            outermost = outermost.min(own);
            is_around && opens_a_secret(line)
        })
    }
}

/// Whether the value of a key that holds a secret goes on behind this line.
fn opens_a_secret(line: &str) -> bool {
    line.len() > LONGEST
        || secrets(line).into_iter().any(|(start, end)| {
            let value = line.get(start..end).unwrap_or_default();
            let unclosed =
                value.starts_with(['"', '\'']) && (value.len() < 2 || !value.ends_with(['"', '\'']));
            value.is_empty() || unclosed || value.starts_with(['|', '>', '&', '!', '[', '{'])
        })
}

/// Whether the line is an item of a list, which may stand no deeper than the key it belongs to.
fn is_an_item(line: &str) -> bool {
    let line = line.trim_start();
    line == "-" || line.starts_with("- ")
}

/// The word at the start of `text`: a quoted text or everything up to white space or punctuation.
fn word(text: &str) -> &str {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let inner = text.get(1..).unwrap_or_default();
        return inner.find(quote).and_then(|end| text.get(..end + 2)).unwrap_or(text);
    }
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_end_matches(':')
}

fn render(position: Position, line: &str, column: usize, width: usize) -> String {
    let start = column.saturating_sub(1).saturating_sub(CONTEXT);
    let shown: String = line
        .chars()
        .skip(start)
        .take(2 * CONTEXT)
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect();
    let caret = column.saturating_sub(1) - start;
    let width = width.clamp(1, shown.chars().count().saturating_sub(caret).max(1));
    let number = position.line.to_string();
    let gutter = " ".repeat(number.len());
    format!(
        "{gutter} |\n{number} | {}\n{gutter} | {}{}",
        shown.trim_end(),
        " ".repeat(caret),
        "^".repeat(width)
    )
}

/// The line without secrets.
fn mask(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut shown = 0;
    for (start, end) in secrets(line).into_iter().filter(|(start, end)| start < end) {
        if start < shown {
            continue;
        }
        masked.push_str(line.get(shown..start).unwrap_or_default());
        let value = line.get(start..end).unwrap_or_default();
        masked.push_str(if is_reference(value) { value } else { MASK });
        shown = end;
    }
    masked.push_str(line.get(shown..).unwrap_or_default());
    mask_credentials(&masked)
}

/// The credentials of URLs (`://user:password@host`).
fn mask_credentials(line: &str) -> String {
    let mut parts = line.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let end = part
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ','))
            .unwrap_or(part.len());
        match part.get(..end).and_then(|authority| authority.rfind('@')) {
            Some(at) => {
                masked.push_str(MASK);
                masked.push_str(part.get(at..).unwrap_or_default());
            }
            None => masked.push_str(part),
        }
    }
    masked
}

/// Where the values of keys that hold secrets start and end.
fn secrets(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (colon, _) in line.match_indices(':') {
        let (before, after) =
            (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
        let before = before.trim_end().trim_end_matches(['"', '\'']);
        let key =
            before.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
        let value = after.trim_start();
        // `service-token: { jwt: .. }` is a provider's name.
        let is_secret = if value.starts_with(['{', '[']) { is_secret_key(key) } else { holds_secret(key) };
        let is_store = holds_store(key, value);
        if !is_secret && !is_store {
            continue;
        }
        let start = line.len() - value.len();
        let password = value.rfind('@').filter(|_| is_store).map_or(0, |at| at + 1);
        found.push((start, start + value_length(value).max(password)));
    }
    found
}

/// Whether a key holds the URL of a store, and the value a password or one that may begin on a further line.
/// Unlike other URLs it is masked even where it is malformed.
fn holds_store(key: &str, value: &str) -> bool {
    let goes_on = match value.chars().next() {
        None | Some('|' | '>' | '&' | '!') => true,
        Some('[') => !value.contains(']'),
        Some(quote @ ('"' | '\'')) => value.matches(quote).count() < 2,
        Some(_) => false,
    };
    key.eq_ignore_ascii_case("redis") && !value.starts_with('{') && (goes_on || value.contains('@'))
}

/// Whether a key holds a secret, or is a misspelling of one that does.
fn holds_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|word| lower.contains(word)) || is_secret_key(key)
}

/// Whether a key is one that holds a secret and no name that only sounds like it, or is a misspelling of one.
fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let near = |word, edits| key.len() <= 16 && strsim::damerau_levenshtein(&lower, word) <= edits;
    SECRET_KEYS.contains(&lower.as_str()) || near("secret", 2) || near("hash", 1)
}

fn value_length(value: &str) -> usize {
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        let inner = value.get(1..).unwrap_or_default();
        return inner.find(quote).map_or(value.len(), |end| end + 2);
    }
    if is_reference(value) || value.starts_with(['{', '[']) {
        return value.len();
    }
    let end = value.find([',', '}']).unwrap_or(value.len()).min(value.find(" #").unwrap_or(value.len()));
    value.get(..end).unwrap_or_default().trim_end().len()
}

/// Whether a value is nothing but `${NAME}`, which may be shown.
fn is_reference(value: &str) -> bool {
    let name =
        value.trim().trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let cases = [
            "  secret: hunter2",
            "{ jwt: { secret: hunter2, issuer: x } }",
            "{ \"secret\" : \"hunter2, and } more\", issuer: x }",
            "secert: 'hunter2'",
            "client_secret: hunter2 # comment",
            "hash: hunter2",
            "to: http://user:hunter2@host/",
            "to: \"https://hunter2@host\"",
            "secret:hunter2",
            "secret: \"hunter2",
            "redis: \":hunter2@host\"",
            "redis: redis://:a,hunter2/@host",
            "{ redis: [\"redis://:hun ter2@a\", \":hunter2@b\"], mode: x }",
            "secret: [hunter2, x]",
            "{ secret: { a: hunter2 } }",
        ];
        for text in cases {
            let shown = Lines::new(text).snippet(Position { line: 1, column: 3 });
            assert!(!shown.contains("hunter2") && !shown.contains("more"), "{shown}");
        }
        for text in [
            "secret: |\n  hunter2",
            "secret:\n  hunter2",
            "a:\n    secret: \"x\n   hunter2\"",
            "secret: >-\n  x\n  hunter2",
            "redis:\n  - \":hunter2@host\"",
            "redis: [a,\n  \":hunter2@host\"]",
            "redis: \"redis://:\n  hunter2@host\"",
            "secret:\n- hunter2",
            "secret:\n- x\n- hunter2",
            "  secret:\n    - x\n    - hunter2",
            "secret:\n  a:\n    b: hunter2",
            "secret: [x,\n  hunter2",
            "secret: { a:\n  { b: hunter2",
        ] {
            let line = u32::try_from(text.lines().count()).unwrap();
            let shown = Lines::new(text).snippet(Position { line, column: 3 });
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "secret: ${JWT_SECRET}",
            "{ secret: \"${JWT_SECRET}\", issuer: x }",
            "to: http://host:80/",
            "redis: \"redis://host:6379/1\"",
            "redis: [redis://a, redis://b]",
            "redis: { targets: [http://a] }",
            "routes: []",
            "service-token: { jwt: { issuer: x } }",
            "- hunters",
        ] {
            let shown = Lines::new(text).snippet(Position { line: 1, column: 1 });
            assert!(shown.contains(text), "{shown}");
        }
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        let lines = Lines::new("a: 1\n  rotues: [x]\n");
        assert_eq!(lines.snippet(Position { line: 2, column: 3 }), "  |\n2 |   rotues: [x]\n  |   ^^^^^^");
        assert_eq!(
            lines.snippet_of_key(Position { line: 2, column: 3 }),
            "  |\n2 |   rotues: ...\n  |   ^^^^^^"
        );
        assert_eq!(
            Lines::new("{ secret: hunter2, isuer: x }").snippet(Position { line: 1, column: 20 }),
            "  |\n1 | { secret: ***, isuer: x }\n  |                ^^^^^"
        );
        let long = format!("{}here{}", "x ".repeat(400), " y".repeat(400));
        let shown = Lines::new(&long).snippet(Position { line: 1, column: 801 });
        assert!(shown.contains("here") && shown.lines().all(|line| line.len() < 130), "{shown}");
        assert_eq!(Lines::new("").snippet(Position { line: 7, column: 9 }), "  |\n7 | \n  | ^");
    }
}
