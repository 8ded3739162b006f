//! A text as logical lines: physical ones joined where a backslash ends them, without comments and empty ones.
//!
//! As in the reference, a comment that ends with a backslash goes on in the next line.

use std::borrow::Cow;

/// A directive's text, from its first word on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The first physical line, counted from 1.
    pub(super) number: u32,
    /// Neither empty nor a comment.
    pub(super) text: Cow<'a, str>,
}

/// The logical lines of a text that say something.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut physical = (1..).zip(text.split('\n'));
    std::iter::from_fn(move || {
        let (number, first) = physical.next()?;
        let (mut text, mut continues) = content(first);
        while continues {
            let Some((_, next)) = physical.next() else { break };
            let (next, more) = content(next);
            text = Cow::Owned(text.into_owned() + &next);
            continues = more;
        }
        Some(Line { number, text: trimmed(text) })
    })
    .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
}

/// A physical line without its end, and whether the next one belongs to it.
fn content(line: &str) -> (Cow<'_, str>, bool) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.strip_suffix('\\') {
        Some(before) => (Cow::Borrowed(before), true),
        None => (Cow::Borrowed(line), false),
    }
}

/// A text without blanks around it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_continued_lines_and_leaves_comments_out() {
        let cases: &[(&str, &[(u32, &str)])] = &[
            ("", &[]),
            ("\n\n  \n# only a comment\n", &[]),
            ("SecMarker A", &[(1, "SecMarker A")]),
            ("SecMarker A\r\nSecMarker B\r\n", &[(1, "SecMarker A"), (2, "SecMarker B")]),
            ("\n\tSecRule A \\\n    B\\\r\nC\nSecMarker D", &[(2, "SecRule A     BC"), (5, "SecMarker D")]),
            ("# comment \\\nSecMarker A\nSecMarker B", &[(3, "SecMarker B")]),
            ("#SecAction \\\n#  \"id:1\"\nSecMarker B", &[(3, "SecMarker B")]),
            ("SecMarker A \\", &[(1, "SecMarker A")]),
        ];
        for (text, expected) in cases {
            let found: Vec<_> = lines(text).map(|line| (line.number, line.text.into_owned())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
