//! Collects what is wrong with one document, and shows it without showing secrets.

use crate::{
    Diagnostic, Severity,
    forms::{Forms, Parsed},
    interpolation::Variables,
    located::{At, Optional, Position},
    snippet::Lines,
};

/// Values of variables shorter than this are not searched for in messages: `true` and `http` are words of ours, too.
/// A secret is longer. A password of Redis may be shorter, but no message quotes the URL of a Redis server.
const SHORTEST_REDACTED: usize = 8;

/// Problems beyond these are counted as one more reason to refuse the document, but not shown.
const MOST: usize = 200;

/// The longest message, in characters: a text of the document may be of any length.
const LONGEST: usize = 500;

/// The problems of one document.
pub(crate) struct Problems<'a> {
    file: String,
    lines: Lines<'a>,
    redaction: Redaction<'a>,
    found: Vec<Diagnostic>,
    failed: bool,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: String, text: &'a str, variables: &'a Variables) -> Self {
        let redaction = Redaction::new(variables);
        Self { file, lines: Lines::new(text), redaction, found: Vec::new(), failed: false }
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
            let message = self.redaction.clean(message);
            self.found.push(Diagnostic { severity, file, line, column, message, hint: None, snippet });
        }
        Hint { redaction: &self.redaction, diagnostic: self.found.get_mut(index) }
    }

    /// What was read, unless it did not parse.
    pub(crate) fn borrow<'p, T>(&mut self, at: &'p At<Parsed<T>>) -> Option<&'p T> {
        match &at.value.0 {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(at.position, message);
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
    redaction: &'a Redaction<'a>,
    diagnostic: Option<&'a mut Diagnostic>,
}

impl Hint<'_> {
    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<Option<String>>) {
        if let (Some(diagnostic), Some(hint)) = (self.diagnostic, hint.into()) {
            diagnostic.hint = Some(self.redaction.clean(hint));
        }
    }

    /// The same from a literal.
    pub(crate) fn help(self, hint: &str) {
        self.hint(hint.to_owned());
    }
}

/// The values of the environment that messages must not hold, longest first.
struct Redaction<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Redaction<'a> {
    fn new(variables: &'a Variables) -> Self {
        let mut values: Vec<(&str, &str)> = variables
            .iter()
            .filter(|(_, value)| value.len() >= SHORTEST_REDACTED)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        values.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), *name));
        Self(values)
    }

    /// Puts `${NAME}` in the place of what it stood for, and keeps the message on one short line.
    fn clean(&self, message: String) -> String {
        let redacted = self.0.iter().fold(message, |message, (name, value)| {
            if message.contains(value) { message.replace(value, &format!("${{{name}}}")) } else { message }
        });
        let mut cleaned = String::with_capacity(redacted.len().min(LONGEST));
        for character in redacted.chars().take(LONGEST) {
            if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
                cleaned.extend(character.escape_default());
            } else {
                cleaned.push(character);
            }
        }
        if redacted.chars().nth(LONGEST).is_some() {
            cleaned.push('…');
        }
        cleaned
    }
}

impl<T: Forms> At<Parsed<T>> {
    /// Whether the word parsed.
    pub(crate) const fn is_valid(&self) -> bool {
        self.value.0.is_ok()
    }
}
