//! Why policies are not used.

use std::path::Path;

use bartizan_config::{Diagnostic, PolicyFile, Severity};

/// Policies, or a schema, that cannot be used: every problem with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policies are not valid: {}", summary(.0))]
pub struct PoliciesError(Vec<Diagnostic>);

impl PoliciesError {
    pub(crate) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self(diagnostics)
    }

    /// Something that is no file's fault.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self(vec![Diagnostic::in_file(Path::new("policies"), "", 0, Severity::Error, message.into())])
    }

    /// Every problem.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0
    }
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    match diagnostics {
        [] => "see the log".into(),
        [Diagnostic { file, line, column, message, .. }] => format!("{file}:{line}:{column}: {message}"),
        [first, rest @ ..] => {
            let Diagnostic { file, line, column, message, .. } = first;
            format!("{file}:{line}:{column}: {message} (and {} more)", rest.len())
        }
    }
}

/// What Cedar says about a file, at the place it points at.
pub(crate) fn diagnostic(
    file: &PolicyFile,
    start: usize,
    severity: Severity,
    error: &dyn miette::Diagnostic,
) -> Diagnostic {
    let labels: Vec<_> = error.labels().into_iter().flatten().collect();
    let offset = labels.first().map_or(start, miette::LabeledSpan::offset);
    // What the label adds, where the message does not say it already.
    let message = one_line(&error.to_string());
    // The place tells which policy it is.
    let message = match message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message,
    };
    let label = labels.first().and_then(|label| label.label()).map(one_line);
    let message = match label.filter(|label| !label.is_empty() && !message.contains(label.as_str())) {
        Some(label) => format!("{message}: {label}"),
        None => message,
    };
    let mut diagnostic = Diagnostic::in_file(&file.path, &file.text, offset, severity, message);
    diagnostic.hint = error.help().map(|help| one_line(&help.to_string()));
    diagnostic
}

/// Every problem that Cedar found while it read a file.
pub(crate) fn all(file: &PolicyFile, error: &dyn miette::Diagnostic) -> Vec<Diagnostic> {
    let first = diagnostic(file, 0, Severity::Error, error);
    let related = error.related().into_iter().flatten();
    let related = related.map(|error| diagnostic(file, 0, Severity::Error, error));
    std::iter::once(first).chain(related).collect()
}

/// Cedar tells a mistake once for every action and type that it could be about.
pub(crate) fn one_at_each_place(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|one, other| {
        let key = |diagnostic: &Diagnostic| (diagnostic.line, diagnostic.column);
        one.file
            .cmp(&other.file)
            .then_with(|| key(one).cmp(&key(other)))
            .then_with(|| one.message.cmp(&other.message))
    });
    diagnostics.dedup_by(|next, first| {
        (&next.file, next.line, next.column) == (&first.file, first.line, first.column)
    });
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
