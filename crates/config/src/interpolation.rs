//! `${NAME}` in the texts of the document.
//!
//! Every text is expanded, quoted or not: `${NAME}` is the variable, `${NAME:-default}` the default if it is unset
//! or empty, `$${` a literal `${`. Anything else behind `${` is an error, so that nothing is silently taken
//! literally. Numbers and switches are texts, too; fixed choices are not. Values are not expanded again.
//!
//! The YAML library has interpolation too, but only for unquoted texts or with Compose's rules, where a missing
//! variable is empty. Deserialisation carries no context, hence the thread-local one for the time of one reading.

use std::{cell::RefCell, collections::HashMap};

use crate::Environment;

/// What all the variables of a document may add up to, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// The variables that a document mentions.
pub(crate) type Variables = HashMap<String, String>;

struct Context {
    variables: Variables,
    /// Bytes that may still be added.
    remaining: usize,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// The variables that `text` mentions, so that no other one is ever at hand.
pub(crate) fn variables(text: &str, environment: &Environment) -> Variables {
    text.split("${")
        .skip(1)
        .map(|rest| rest.split(|c| !is_name_character(c)).next().unwrap_or_default())
        .filter(|name| is_name(name))
        .filter_map(|name| Some((name.to_owned(), environment.get(name)?)))
        .collect()
}

/// Runs `read` while [`expand`] knows these variables.
pub(crate) fn scope<T>(variables: &Variables, read: impl FnOnce() -> T) -> T {
    struct Restore(Option<Context>);

    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.set(self.0.take());
        }
    }

    let context = Context { variables: variables.clone(), remaining: MOST };
    let _restore = Restore(CONTEXT.replace(Some(context)));
    read()
}

/// The text with its variables.
pub(crate) fn expand(text: &str) -> Result<String, String> {
    CONTEXT.with_borrow_mut(|context| {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, reference) =
                (rest.get(..start).unwrap_or_default(), rest.get(start + 2..).unwrap_or_default());
            if let Some(before) = before.strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str("${");
                rest = reference;
                continue;
            }
            expanded.push_str(before);
            let (reference, after) = reference.split_once('}').ok_or_else(malformed)?;
            expanded.push_str(&value(reference, context)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    })
}

/// What one `${reference}` stands for.
fn value(reference: &str, context: &mut Option<Context>) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_name(name) {
        return Err(malformed());
    }
    let missing =
        || format!("the environment variable `{name}` is not set: set it, or write `${{{name}:-default}}`");
    let Some(Context { variables, remaining }) = context else { return Err(missing()) };
    let value = match (variables.get(name), default) {
        (Some(value), None) => value,
        (Some(value), Some(_)) if !value.is_empty() => value,
        (_, Some(default)) => return Ok(default.into()),
        (None, None) => return Err(missing()),
    };
    *remaining =
        remaining.checked_sub(value.len()).ok_or("the environment adds more than 4 MiB to this document")?;
    Ok(value.clone())
}

fn malformed() -> String {
    "`${` is not followed by a variable and `}`: write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`".into()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_character) && !name.starts_with(|c: char| c.is_ascii_digit())
}

const fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let environment = [("NAME", "value"), ("EMPTY", ""), ("AGAIN", "${NAME}")].into_iter().collect();
        scope(&variables(text, &environment), || expand(text))
    }

    #[test]
    fn references_are_replaced_once() {
        let cases = [
            ("", ""),
            ("$NAME costs $5", "$NAME costs $5"),
            ("${NAME}", "value"),
            ("a${NAME}b${NAME}", "avaluebvalue"),
            ("${EMPTY}", ""),
            ("${EMPTY:-default}", "default"),
            ("${MISSING:-}", ""),
            ("${NAME:-default}", "value"),
            ("$${NAME}", "${NAME}"),
            ("$${NAME} ${NAME}", "${NAME} value"),
            ("${AGAIN}", "${NAME}"),
        ];
        for (text, expected) in cases {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_malformed_is_never_taken_literally() {
        for text in [
            "${MISSING}",
            "${",
            "${NAME",
            "${}",
            "${a b}",
            "${1A}",
            "${NAME:?x}",
            "${NAME-x}",
            "${${NAME}}",
            "${é}",
        ] {
            assert!(expanded(text).is_err(), "{text}");
        }
        assert!(expand("${NAME}").is_err(), "outside of a scope nothing is known");
    }

    #[test]
    fn a_document_cannot_multiply_a_variable_without_bound() {
        let environment = [("BIG", "x".repeat(1024 * 1024))].into_iter().collect();
        let text = "${BIG}".repeat(5);
        assert!(scope(&variables(&text, &environment), || expand(&text)).unwrap_err().contains("4 MiB"));
    }
}
