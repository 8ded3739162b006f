//! Words and quotations: where one ends.
//!
//! A quotation mark after an odd number of backslashes does not close. The backslashes stay in the text, as the
//! reference leaves them: `"@contains x\"y"` looks for `x\"y`, all four characters.

use crate::error::{Problem, shortened};

/// The words of a directive, taken one after the other.
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// The words of this text.
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text.trim() }
    }

    /// The next word, without the quotation marks around it. `None` at the end, or before a comment.
    pub(super) fn take(&mut self) -> Result<Option<&'a str>, Problem> {
        match self.rest.chars().next() {
            None | Some('#') => Ok(None),
            Some(mark @ ('"' | '\'')) => {
                let (inner, rest) = quotation(self.rest, mark)?;
                self.rest = rest.trim_start();
                Ok(Some(inner))
            }
            Some(_) => Ok(Some(self.until(self.rest.find([' ', '\t']).unwrap_or(self.rest.len())))),
        }
    }

    /// The next word, which `name` cannot do without.
    pub(super) fn require(&mut self, name: &str, expected: &'static str) -> Result<&'a str, Problem> {
        self.take()?.ok_or_else(|| Problem::Missing { name: name.to_owned(), expected })
    }

    /// A list of targets: blanks may stand around `|` and in quotations after a colon.
    pub(super) fn require_targets(&mut self, name: &str) -> Result<&'a str, Problem> {
        if self.rest.is_empty() || self.rest.starts_with(['"', '\'', '#']) {
            return self.require(name, "targets");
        }
        let end = end_of_targets(self.rest)?;
        Ok(self.until(end))
    }

    /// That nothing follows but a comment.
    pub(super) fn end(&mut self, after: &'static str) -> Result<(), Problem> {
        match self.rest.chars().next() {
            None | Some('#') => Ok(()),
            Some(_) => Err(Problem::Unexpected { text: shortened(self.rest), after }),
        }
    }

    fn until(&mut self, end: usize) -> &'a str {
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        word
    }
}

/// Splits a text that begins with a quotation mark into what is quoted and what follows.
pub(super) fn quotation(text: &str, mark: char) -> Result<(&str, &str), Problem> {
    let unclosed = || Problem::Unclosed { what: "a quotation", text: shortened(text) };
    let inner = text.strip_prefix(mark).ok_or_else(unclosed)?;
    let mut escaped = false;
    for (at, character) in inner.char_indices() {
        if character == mark && !escaped {
            let (quoted, rest) = inner.split_at_checked(at).ok_or_else(unclosed)?;
            return Ok((quoted, rest.strip_prefix(mark).unwrap_or(rest)));
        }
        escaped = character == '\\' && !escaped;
    }
    Err(unclosed())
}

/// Where a list of targets ends.
fn end_of_targets(text: &str) -> Result<usize, Problem> {
    let mut quoted = false;
    let mut previous = ' ';
    let mut blank_since = None;
    for (at, character) in text.char_indices() {
        if quoted {
            quoted = character != '\'';
        } else if matches!(character, ' ' | '\t') {
            blank_since = blank_since.or(Some(at));
            continue;
        } else {
            match blank_since.take() {
                Some(end) if character != '|' && previous != '|' => return Ok(end),
                _ => quoted = character == '\'' && previous == ':',
            }
        }
        previous = character;
    }
    if quoted {
        return Err(Problem::Unclosed { what: "a quotation", text: shortened(text) });
    }
    Ok(blank_since.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<&str>, String> {
        let mut words = Words::of(text);
        std::iter::from_fn(|| words.take().transpose())
            .collect::<Result<_, _>>()
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_quotation_ends_at_the_first_mark_that_is_not_escaped() {
        let cases: &[(&str, Result<Vec<&str>, &str>)] = &[
            ("SecMarker END", Ok(vec!["SecMarker", "END"])),
            ("a\t \"b c\"  'd \"e'", Ok(vec!["a", "b c", "d \"e"])),
            (r#""a\"b" "c\\" d"#, Ok(vec![r#"a\"b"#, r"c\\", "d"])),
            (r#""a""b""#, Ok(vec!["a", "b"])),
            (r#""" x"#, Ok(vec!["", "x"])),
            ("a # b", Ok(vec!["a"])),
            (r#"a "b"#, Err("a quotation is not closed: `\"b`")),
            (r#""b\""#, Err(r#"a quotation is not closed: `"b\"`"#)),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected.clone().map_err(ToOwned::to_owned), "{text}");
        }
    }

    #[test]
    fn targets_may_have_blanks_around_their_separators_and_in_quotations() {
        let cases = [
            ("ARGS \"@rx a\"", "ARGS", "\"@rx a\""),
            ("ARGS|  !ARGS:id | &ARGS  \"@rx a\"", "ARGS|  !ARGS:id | &ARGS", "\"@rx a\""),
            ("ARGS:'/a b/'|ARGS_NAMES x", "ARGS:'/a b/'|ARGS_NAMES", "x"),
            ("ARGS", "ARGS", ""),
            ("\"ARGS|ARGS:a b\" x", "ARGS|ARGS:a b", "x"),
        ];
        for (text, targets, rest) in cases {
            let mut words = Words::of(text);
            assert_eq!(words.require_targets("SecRule").unwrap(), targets);
            assert_eq!(words.rest, rest, "{text}");
        }
    }
}
