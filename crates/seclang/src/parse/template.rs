//! Text with `%{macros}`.

use super::targets;
use crate::{
    ast::{Macro, Part, Template, Variable},
    error::{Problem, shortened},
};

/// Reads a text with macros. `\%{` is text, and so is a percent sign without a brace.
pub(super) fn parse(text: &str) -> Result<Template, Problem> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%{") {
        literal.push_str(before);
        if is_escaped(before) {
            literal.push_str("%{");
            rest = after;
            continue;
        }
        let unclosed = || Problem::Unclosed { what: "a macro", text: format!("%{{{}", shortened(after)) };
        let (inner, following) = after.split_once('}').ok_or_else(unclosed)?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Macro(macro_of(inner)?));
        rest = following;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(Template::new(parts))
}

/// Whether a text ends with an odd number of backslashes.
fn is_escaped(before: &str) -> bool {
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

/// Reads what stands between `%{` and `}`.
fn macro_of(inner: &str) -> Result<Macro, Problem> {
    let (variable, name) = match inner.split_once(['.', ':']) {
        Some((variable, name)) => (variable, Some(name)),
        None => (inner, None),
    };
    let variable: Variable = targets::variable(variable.trim())?;
    match name {
        Some("") => Err(Problem::Missing { name: format!("%{{{inner}}}"), expected: "a name after the dot" }),
        Some(name) if !variable.takes_selector() => Err(Problem::Unexpected {
            text: format!(".{}", shortened(name)),
            after: "a variable with a single value",
        }),
        name => Ok(Macro { variable, name: name.map(ToOwned::to_owned) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_taken_out_of_the_text() {
        let text = |text: &str| Part::Text(text.into());
        let variable =
            |variable, name: Option<&str>| Part::Macro(Macro { variable, name: name.map(Into::into) });
        let cases = [
            ("", vec![]),
            ("100% {sure}", vec![text("100% {sure}")]),
            ("%{MATCHED_VAR}", vec![variable(Variable::MatchedVar, None)]),
            (
                "a%{tx.score}%{Args:id}b",
                vec![
                    text("a"),
                    variable(Variable::Tx, Some("score")),
                    variable(Variable::Args, Some("id")),
                    text("b"),
                ],
            ),
            (r"\%{x} %{rule.id}", vec![text(r"\%{x} "), variable(Variable::Rule, Some("id"))]),
            (r"\\%{args}", vec![text(r"\\"), variable(Variable::Args, None)]),
        ];
        for (source, expected) in cases {
            assert_eq!(parse(source).unwrap().parts(), expected, "{source}");
        }
    }

    #[test]
    fn a_macro_that_can_never_be_filled_is_refused() {
        let cases = [
            ("%{tx.score", "a macro is not closed: `%{tx.score`"),
            ("%{}", "unknown variable ``"),
            ("%{matchedvar}", "unknown variable `matchedvar`, did you mean `MATCHED_VAR`?"),
            ("%{tx.}", "`%{tx.}` needs a name after the dot"),
            ("%{REQUEST_URI.x}", "unexpected `.x` after a variable with a single value"),
        ];
        for (source, message) in cases {
            assert_eq!(parse(source).unwrap_err().to_string(), message, "{source}");
        }
    }
}
