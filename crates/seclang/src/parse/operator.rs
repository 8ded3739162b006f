//! The condition of a rule: `!@within %{tx.allowed_methods}`.

use super::template;
use crate::{
    ast::{Operator, OperatorName},
    error::{Problem, shortened},
};

/// Operators of the language that this engine does not have, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    (
        "fuzzyHash",
        "it needs a database of fuzzy hashes, which nobody keeps up; compare digests with `t:sha1` and `@pmFromFile`",
    ),
    ("gsbLookup", "it asks a service that is no more"),
    (
        "inspectFile",
        "it starts a program for each upload; have the service behind the gateway scan its files",
    ),
    ("rbl", "this engine asks no name server; put addresses in a file for `@ipMatchFromFile`"),
    ("rsub", "this engine changes no bodies"),
    ("validateDTD", "a document type may name files and grow without end; refuse documents that bring one"),
    ("validateHash", "this engine signs no links"),
    (
        "validateSchema",
        "a schema may name other files, and checking by one takes unbounded time; check in the service",
    ),
];

/// Reads a condition. A text without `@` is a regular expression.
pub(super) fn parse(text: &str) -> Result<Operator, Problem> {
    let text = text.trim_start();
    let (negated, text) = match text.strip_prefix('!') {
        Some(rest) if rest.trim_start().starts_with('@') => (true, rest.trim_start()),
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (name, argument) = match text.strip_prefix('@') {
        // One blank ends the name; a second one belongs to the argument, as in the reference.
        Some(named) => named.split_once([' ', '\t']).unwrap_or((named, "")),
        None => (OperatorName::Rx.name(), text),
    };
    let name = operator_name(name)?;
    if name.takes_argument() {
        if argument.is_empty() {
            return Err(Problem::Missing { name: format!("@{name}"), expected: "something to compare with" });
        }
        return Ok(Operator { name, negated, argument: template::parse(argument)? });
    }
    match argument.trim() {
        "" => Ok(Operator { name, negated, argument: template::parse("")? }),
        surplus => Err(Problem::Unexpected {
            text: shortened(surplus),
            after: "an operator that compares with nothing",
        }),
    }
}

/// The operator with this name.
fn operator_name(name: &str) -> Result<OperatorName, Problem> {
    if let Some(known) = OperatorName::from_name(name) {
        return Ok(known);
    }
    match REFUSED.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(name)) {
        Some((refused, reason)) => {
            Err(Problem::Unsupported { what: "operator", name: format!("@{refused}"), reason })
        }
        None => Err(Problem::unknown("operator", name, OperatorName::ALL.iter().map(|known| known.name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_condition_is_read() {
        let cases = [
            ("@rx ^a$", OperatorName::Rx, false, "^a$"),
            ("^a$", OperatorName::Rx, false, "^a$"),
            ("!^a$", OperatorName::Rx, true, "^a$"),
            ("! @RX ^a$ ", OperatorName::Rx, true, "^a$ "),
            ("  @streq  a", OperatorName::StrEq, false, " a"),
            ("@pmf words.data", OperatorName::PmFromFile, false, "words.data"),
            ("@ipMatchF a.txt", OperatorName::IpMatchFromFile, false, "a.txt"),
            ("!@within %{tx.allowed}", OperatorName::Within, true, "%{TX.allowed}"),
            ("@detectSQLi ", OperatorName::DetectSqli, false, ""),
            ("@contains x\\\"y", OperatorName::Contains, false, "x\\\"y"),
        ];
        for (text, name, negated, argument) in cases {
            let operator = parse(text).unwrap();
            assert_eq!((operator.name, operator.negated), (name, negated), "{text}");
            assert_eq!(operator.argument.to_string(), argument, "{text}");
        }
    }

    #[test]
    fn a_condition_that_means_nothing_is_refused() {
        let cases = [
            ("", "`@rx` needs something to compare with"),
            ("!", "`@rx` needs something to compare with"),
            ("@eq", "`@eq` needs something to compare with"),
            ("@beginWith a", "unknown operator `beginWith`, did you mean `beginsWith`?"),
            ("@ a", "unknown operator ``"),
            ("@detectXSS a", "unexpected `a` after an operator that compares with nothing"),
            (
                "@rbl sbl.example",
                "operator `@rbl` is not supported: this engine asks no name server; put addresses in a file for \
                 `@ipMatchFromFile`",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
