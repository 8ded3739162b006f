//! From YAML text to the file types, and from the parser's errors to diagnostics.
//!
//! The parser stops at the first error of form (an unknown or duplicate key, a list where a word belongs);
//! words that do not parse are kept and reported together with everything else by [`crate::resolve`].

use serde::de::DeserializeOwned;
use serde_saphyr::{
    Error, MergeKeyPolicy, MessageFormatter, Options, UserMessageFormatter, options::DuplicateKeyPolicy,
};

use crate::{
    interpolation::{self, Variables},
    located::{NO_VALUE, Position},
    problems::Problems,
    snippet::Lines,
    suggestion,
};

/// The longest document.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Reads the document; `None` once a problem has been reported.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    variables: &Variables,
    problems: &mut Problems<'_>,
) -> Option<T> {
    match interpolation::scope(variables, || serde_saphyr::from_str_with_options(text, options())) {
        Ok(document) => Some(document),
        Err(error) => {
            report(&error, text, problems);
            None
        }
    }
}

/// A look at the document that reports nothing; `None` where it cannot be read.
pub(crate) fn peek<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_saphyr::from_str_with_options(text, options()).ok()
}

/// Limits that no honest document reaches; an alias may repeat a little, not explode.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 500_000,
            max_nodes: 250_000,
            max_depth: 32,
            flow_nesting_limit: 32,
            max_aliases: 1000,
            max_anchors: 1000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 2 * MAX_BYTES,
            max_total_scalar_bytes: 4 * MAX_BYTES,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn report(error: &Error, text: &str, problems: &mut Problems<'_>) {
    let error = innermost(error);
    let position = error.location().map_or(Position::START, Position::from);
    match error {
        Error::SerdeUnknownField { expected, .. } => {
            let key = unquoted(Lines::new(text).word(position));
            let hint = suggestion::hint(key, expected.iter().copied());
            problems.unknown_key(position, format!("unknown key `{key}`")).hint(hint);
        }
        Error::SerdeUnknownVariant { expected, .. } => {
            let word = unquoted(Lines::new(text).word(position));
            let hint = suggestion::hint(word, expected.iter().copied());
            problems.unknown_key(position, format!("`{word}` is not known here")).hint(hint);
        }
        Error::SerdeMissingField { field, .. } if *field == NO_VALUE => {
            problems.error(position, "this key has no value").help("give it one, or leave the key out");
        }
        Error::SerdeMissingField { field, .. } => {
            problems.error(position, format!("`{field}` is missing here"));
        }
        Error::DuplicateMappingKey { .. } => {
            let key = unquoted(Lines::new(text).word(position));
            problems.error(position, format!("duplicate key `{key}`")).help("keep one of the two");
        }
        Error::MultipleDocuments { .. } => {
            problems.error(position, "a second document starts here").help("keep one document in a file");
        }
        Error::MergeKeyNotAllowed { .. } => {
            problems
                .error(position, "merge keys (`<<`) are not read")
                .help("write the keys out, or use an alias for a whole value");
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            problems.error(position, "the document is nested too deeply or repeats too much through aliases");
        }
        other => {
            let unquoted = problems.line(position).contains("${");
            let hint = unquoted.then(|| "between braces and brackets write `\"${NAME}\"` in quotes".into());
            problems.error(position, message(other)).hint(hint);
        }
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "expected a mapping (`key: value`)".into(),
            "sequence start" => "expected a list (`[a, b]`)".into(),
            "string scalar" => "expected a single value".into(),
            other => format!("expected {other}"),
        },
        Error::InvalidScalar { ty, .. } if ty.starts_with(['u', 'i']) => "expected a whole number".into(),
        Error::InvalidScalar { ty, .. } => format!("expected a {ty}"),
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false`".into(),
        Error::NullIntoString { .. } => "expected a value".into(),
        Error::UnknownAnchor { .. } => "there is no anchor (`&name`) for this alias".into(),
        Error::UnsupportedTag { .. } => "tags (`!name`) are not read".into(),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => "expected a mapping with one key".into(),
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => "expected one key only".into(),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

fn innermost(mut error: &Error) -> &Error {
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } = error {
        error = inner;
    }
    error
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}
