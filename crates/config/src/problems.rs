//! Collects what is wrong with one document, and shows it without showing secrets.

use crate::{
    Diagnostic, Severity,
    forms::{Forms, Parsed},
    interpolation::Variables,
    located::{At, Optional, Position},
    snippet::Lines,
};

/// Values of variables shorter than this are not searched for in messages: `1` would be found anywhere.
const SHORTEST_REDACTED: usize = 3;

/// Problems beyond these are counted as one more reason to refuse the document, but not shown.
const MOST: usize = 200;

/// The problems of one document.
pub(crate) struct Problems<'a> {
    file: String,
    lines: Lines<'a>,
    variables: &'a Variables,
    found: Vec<Diagnostic>,
    failed: bool,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: String, text: &'a str, variables: &'a Variables) -> Self {
        Self { file, lines: Lines::new(text), variables, found: Vec::new(), failed: false }
    }

    /// Something that keeps the document from being used.
    pub(crate) fn error(&mut self, position: Position, message: impl Into<String>) -> Hint<'_> {
        self.add(Severity::Error, position, message.into(), Lines::snippet)
    }

    /// An unknown key: its value may be a secret under a misspelled name, so the snippet ends with the key.
    pub(crate) fn unknown_key(&mut self, position: Position, message: impl Into<String>) -> Hint<'_> {
        self.add(Severity::Error, position, message.into(), Lines::snippet_of_key)
    }

    /// Something that is probably not meant.
    pub(crate) fn warning(&mut self, position: Position, message: impl Into<String>) -> Hint<'_> {
        self.add(Severity::Warning, position, message.into(), Lines::snippet)
    }

    fn add(
        &mut self,
        severity: Severity,
        position: Position,
        message: String,
        snippet: fn(&Lines<'a>, Position) -> String,
    ) -> Hint<'_> {
        self.failed |= severity == Severity::Error;
        let index = self.found.len();
        if index < MOST {
            let Position { line, column } = position;
            let (file, snippet) = (self.file.clone(), snippet(&self.lines, position));
            let message = redact(message, self.variables);
            self.found.push(Diagnostic { severity, file, line, column, message, hint: None, snippet });
        }
        Hint { variables: self.variables, diagnostic: self.found.get_mut(index) }
    }

    /// What was read, unless it did not parse.
    pub(crate) fn borrow<'p, T>(&mut self, at: &'p At<Parsed<T>>) -> Option<&'p T> {
        match &at.value.0 {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(at.position, message).hint(None);
                None
            }
        }
    }

    /// A copy of what was read, unless it did not parse.
    pub(crate) fn read<T: Clone>(&mut self, at: &At<Parsed<T>>) -> Option<T> {
        self.borrow(at).cloned()
    }

    /// The word with its place, unless it is absent or did not parse.
    pub(crate) fn read_optional<T: Clone>(&mut self, optional: &Optional<Parsed<T>>) -> Option<At<T>> {
        let at = optional.as_ref()?;
        self.read(at).map(|value| at.with(value))
    }

    /// The word, or `default` if it is absent or did not parse.
    pub(crate) fn read_or<T: Clone>(&mut self, optional: &Optional<Parsed<T>>, default: T) -> T {
        self.read_optional(optional).map_or(default, |at| at.value)
    }

    /// All the words that did parse.
    pub(crate) fn read_all<T: Clone>(&mut self, words: &[At<Parsed<T>>]) -> Vec<At<T>> {
        words.iter().filter_map(|at| self.read(at).map(|value| at.with(value))).collect()
    }

    /// The text of the line at `position`, unmasked.
    pub(crate) fn line(&self, position: Position) -> &'a str {
        self.lines.get(position)
    }

    /// Whether the document is refused already.
    pub(crate) const fn failed(&self) -> bool {
        self.failed
    }

    /// The diagnostics in the order of the document; `Err` if one is an error.
    pub(crate) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column, diagnostic.severity));
        if self.failed { Err(self.found) } else { Ok(self.found) }
    }
}

/// The place for a hint to the diagnostic just added.
pub(crate) struct Hint<'a> {
    variables: &'a Variables,
    diagnostic: Option<&'a mut Diagnostic>,
}

impl Hint<'_> {
    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<Option<String>>) {
        if let (Some(diagnostic), Some(hint)) = (self.diagnostic, hint.into()) {
            diagnostic.hint = Some(redact(hint, self.variables));
        }
    }

    /// The same from a literal.
    pub(crate) fn help(self, hint: &str) {
        self.hint(hint.to_owned());
    }
}

/// Puts the `${NAME}` back in the place of what it stood for, longest value first.
fn redact(message: String, variables: &Variables) -> String {
    let mut values: Vec<(&String, &String)> =
        variables.iter().filter(|(_, value)| value.len() >= SHORTEST_REDACTED).collect();
    values.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), name.as_str()));
    values.into_iter().fold(message, |message, (name, value)| {
        if message.contains(value.as_str()) {
            message.replace(value.as_str(), &format!("${{{name}}}"))
        } else {
            message
        }
    })
}

impl<T: Forms> At<Parsed<T>> {
    /// Whether the word parsed.
    pub(crate) const fn is_valid(&self) -> bool {
        self.value.0.is_ok()
    }
}
