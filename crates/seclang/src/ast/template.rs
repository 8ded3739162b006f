//! Text with macros: `%{tx.score}` stands for what the variable holds when the text is used.

use std::fmt;

use super::Variable;

/// A text, part literal and part taken from variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// What a variable holds at that moment.
    Macro(Macro),
}

/// `%{VARIABLE}` or `%{VARIABLE.name}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Macro {
    /// The variable.
    pub variable: Variable,
    /// Which of its values; without a name, the first one.
    pub name: Option<String>,
}

impl Template {
    /// A text made of these parts, in this order.
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// A text without macros.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] } }
    }

    /// The pieces, in order; none of an empty text.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The whole text, if it is the same for every request.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl fmt::Display for Template {
    /// In the spelling of the language, so that it can be parsed again.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => formatter.write_str(text),
            Part::Macro(Macro { variable, name: None }) => write!(formatter, "%{{{variable}}}"),
            Part::Macro(Macro { variable, name: Some(name) }) => write!(formatter, "%{{{variable}.{name}}}"),
        })
    }
}
