//! A list of actions as names and values: `id:1,phase:2,msg:'one, two'`.

use super::quoted::quotation;
use crate::error::{Problem, shortened};

/// One action, not yet understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clause<'a> {
    pub(super) name: &'a str,
    /// What stands after the colon, without the quotation marks around it.
    pub(super) value: Option<&'a str>,
}

impl<'a> Clause<'a> {
    /// The value, which there must be.
    pub(super) fn require(&self, expected: &'static str) -> Result<&'a str, Problem> {
        match self.value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Problem::Missing { name: self.name.to_owned(), expected }),
        }
    }

    /// That there is no value.
    pub(super) fn alone(&self) -> Result<(), Problem> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(Problem::Unexpected {
                text: format!(":{}", shortened(value)),
                after: "an action that takes no value",
            }),
        }
    }

    /// A number between `least` and `most`.
    pub(super) fn number(&self, least: u64, most: u64, expected: &'static str) -> Result<u64, Problem> {
        let value = self.require(expected)?;
        number(value)
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| Problem::invalid(self.name, value, expected))
    }
}

/// A number in decimal digits and nothing else.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Splits a list of actions at its commas. A value that begins with `'` goes on to the next `'`.
pub(super) fn clauses(text: &str) -> Result<Vec<Clause<'_>>, Problem> {
    let mut clauses = Vec::new();
    let mut rest = text.trim();
    loop {
        let (clause, after) = clause(rest)?;
        clauses.push(clause);
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if after.is_empty() => return Ok(clauses),
            None => {
                return Err(Problem::Unexpected { text: shortened(after), after: "a quoted value" });
            }
        }
    }
}

/// Reads one action; what follows it is handed back.
fn clause(text: &str) -> Result<(Clause<'_>, &str), Problem> {
    let end = text.find([',', ':']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let name = name.trim_end();
    if name.is_empty() {
        return Err(Problem::Missing { name: ",".to_owned(), expected: "an action on both sides" });
    }
    let Some(value) = rest.strip_prefix(':') else {
        return Ok((Clause { name, value: None }, rest));
    };
    let value = value.trim_start();
    if value.starts_with('\'') {
        let (quoted, rest) = quotation(value, '\'')?;
        return Ok((Clause { name, value: Some(quoted) }, rest.trim_start()));
    }
    let end = value.find(',').unwrap_or(value.len());
    let (value, rest) = value.split_at_checked(end).unwrap_or((value, ""));
    Ok((Clause { name, value: Some(value.trim_end()) }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_actions_but_not_in_quotations() {
        let text =
            r"id:'1', phase:2 ,deny,msg:'it\'s, well',tag:foo bar,logdata:it's , setvar:'tx.a=1,2',t:none";
        let found: Vec<_> = clauses(text).unwrap().iter().map(|clause| (clause.name, clause.value)).collect();
        let expected = [
            ("id", Some("1")),
            ("phase", Some("2")),
            ("deny", None),
            ("msg", Some(r"it\'s, well")),
            ("tag", Some("foo bar")),
            ("logdata", Some("it's")),
            ("setvar", Some("tx.a=1,2")),
            ("t", Some("none")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_list_with_holes_is_refused() {
        let cases = [
            ("", "`,` needs an action on both sides"),
            ("id:1,", "`,` needs an action on both sides"),
            ("id:1,,deny", "`,` needs an action on both sides"),
            ("msg:'a'b", "unexpected `b` after a quoted value"),
            ("msg:'a", "a quotation is not closed: `'a`"),
        ];
        for (text, message) in cases {
            assert_eq!(clauses(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
