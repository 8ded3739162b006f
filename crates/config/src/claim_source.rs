//! Where something about a person is taken from: a claim by its name, one inside another by JSON Pointer (RFC 6901), or what an
//! expression makes of claims.

mod expression;
mod growth;
mod reading;

use schemars::{Schema, SchemaGenerator, json_schema};

pub use self::expression::{ClaimExpression, Unevaluable};
use crate::forms::Forms;

/// Where something is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimSource {
    /// A claim by its name; what begins with a slash is a JSON Pointer.
    Named(String),
    /// What an expression makes of claims.
    Expression(ClaimExpression),
}

impl ClaimSource {
    /// The claims that are read, each by the names on the way to it.
    pub(crate) fn reads(&self) -> Vec<Vec<String>> {
        match self {
            Self::Named(name) => vec![steps(name)],
            Self::Expression(expression) => expression.reads().to_vec(),
        }
    }
}

impl From<&str> for ClaimSource {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl Forms for ClaimSource {
    const NAME: &'static str = "ClaimSource";
    const EXPECTED: &'static str = "a claim, a JSON Pointer, or `jmespath:` with an expression";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A claim by its name, one inside another by JSON Pointer (`/realm_access/roles`), or what an \
                            expression makes of claims (`jmespath:groups[?starts_with(@, 'shop-')]`).",
            "type": "string",
            "minLength": 1
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word.strip_prefix("jmespath:") {
            Some(text) => text.parse().map(Self::Expression),
            None => String::word(word).map(Self::Named),
        }
    }
}

/// The names on the way to a claim: one, or those of a JSON Pointer.
pub(crate) fn steps(claim: &str) -> Vec<String> {
    match claim.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
        None => vec![claim.to_owned()],
    }
}
