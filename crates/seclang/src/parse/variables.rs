//! Writing to collections: `setvar` and `expirevar`.

use super::{clauses::number, template};
use crate::{
    ast::{Collection, ExpireVariable, SetOperation, SetVariable, Template},
    error::Problem,
};

/// Reads `tx.score=+5`, `!tx.score`, `tx.seen`.
pub(super) fn set_variable(text: &str) -> Result<SetVariable, Problem> {
    if let Some(unset) = text.strip_prefix('!') {
        let (collection, name) = place("setvar", unset)?;
        return Ok(SetVariable { collection, name, operation: SetOperation::Unset });
    }
    let (written, value) = match text.split_once('=') {
        Some((written, value)) => (written, Some(value)),
        None => (text, None),
    };
    let (collection, name) = place("setvar", written)?;
    let operation = match value {
        None => SetOperation::Set(Template::literal("1")),
        Some(value) => match (value.strip_prefix('+'), value.strip_prefix('-')) {
            (Some(summand), _) => SetOperation::Add(template::parse(summand)?),
            (_, Some(subtrahend)) => SetOperation::Subtract(template::parse(subtrahend)?),
            _ => SetOperation::Set(template::parse(value)?),
        },
    };
    Ok(SetVariable { collection, name, operation })
}

/// Reads `ip.blocked=300`.
pub(super) fn expire_variable(text: &str) -> Result<ExpireVariable, Problem> {
    let missing = || Problem::Missing { name: "expirevar".to_owned(), expected: "`collection.name=seconds`" };
    let (written, seconds) = text.split_once('=').ok_or_else(missing)?;
    let (collection, name) = place("expirevar", written)?;
    let seconds = template::parse(seconds)?;
    match seconds.as_literal() {
        Some(literal) if number(literal).is_none() => {
            Err(Problem::invalid("expirevar", literal, "a number of seconds"))
        }
        _ => Ok(ExpireVariable { collection, name, seconds }),
    }
}

/// Reads `collection.name`.
fn place(action: &str, text: &str) -> Result<(Collection, Template), Problem> {
    const EXPECTED: &str = "a collection, a dot and a name, as in `tx.score`";
    let (collection, name) =
        text.split_once(['.', ':']).ok_or_else(|| Problem::invalid(action, text, EXPECTED))?;
    let collection = Collection::from_name(collection).ok_or_else(|| {
        Problem::unknown("collection", collection, Collection::ALL.iter().map(|known| known.name()))
    })?;
    if name.is_empty() {
        return Err(Problem::invalid(action, text, EXPECTED));
    }
    Ok((collection, template::parse(name)?))
}
