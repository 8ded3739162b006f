//! A fixed SQL text and the values of its placeholders.

use std::fmt;

use sqlx::{Database, Encode, Type, query::Query};

/// A fixed SQL text with the values of `$1`, `$2` and so on, in this order.
///
/// `Debug` shows the text alone: values may be secrets.
#[derive(Clone)]
#[must_use]
pub struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

#[derive(Clone)]
enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
}

impl Statement {
    /// A statement without values yet.
    pub const fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// The value of the next placeholder: a text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.optional_text(Some(text))
    }

    /// The same, where `None` is `NULL`.
    pub fn optional_text(mut self, text: Option<impl Into<String>>) -> Self {
        self.values.push(Value::Text(text.map(Into::into).map(without_nul)));
        self
    }

    /// The value of the next placeholder: a number, a moment in milliseconds, or a switch.
    pub fn integer(self, integer: impl Into<i64>) -> Self {
        self.optional_integer(Some(integer))
    }

    /// The same, where `None` is `NULL`.
    pub fn optional_integer(mut self, integer: Option<impl Into<i64>>) -> Self {
        self.values.push(Value::Integer(integer.map(Into::into)));
        self
    }

    pub(crate) fn prepare<'q, DB: Database>(self) -> Query<'q, DB, DB::Arguments>
    where
        Option<String>: Encode<'q, DB> + Type<DB> + 'q,
        Option<i64>: Encode<'q, DB> + Type<DB> + 'q,
    {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
        })
    }
}

/// PostgreSQL has no NUL in texts and refuses the statement. Whoever sends one is not to look like a failure of the store,
/// and what it becomes (U+FFFD) is no text that somebody else could mean.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Statement").field(&self.sql).finish()
    }
}
