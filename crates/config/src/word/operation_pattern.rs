//! Operations: a method and a path pattern, or a path pattern alone.

use http::Method;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{OperationPattern, PathPattern, forms::Forms};

impl Forms for OperationPattern {
    const NAME: &'static str = "Operation";
    const EXPECTED: &'static str = "an operation such as `POST /auth/login`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(([A-Z][A-Z-]* +)?/.*|\$\{.*\}.*)$",
            "description": "A method and a path pattern, or a path pattern alone for every method. `GET` also covers `HEAD`.",
            "examples": ["POST /auth/login", "/auth/**"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word.starts_with('/') {
            return word.parse().map(|path| Self { method: None, path });
        }
        let refuse = || {
            format!(
                "`{word}` is not an operation: write a method and a path pattern, for example `POST /auth/login`, or a path pattern alone"
            )
        };
        let (method, path) = word.split_once(' ').ok_or_else(refuse)?;
        let method = Method::word(method).map_err(|_| refuse())?;
        let path: PathPattern = path.trim_start().parse().map_err(|_| refuse())?;
        Ok(Self { method: Some(method), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_a_path_with_or_without_a_method() {
        for (text, shown) in [("POST /a", "POST /a"), ("GET   /a/**", "GET /a/**"), ("/a/*", "/a/*")] {
            assert_eq!(OperationPattern::word(text).map(|operation| operation.to_string()), Ok(shown.into()));
        }
        for text in
            ["", "POST", "a", "post /a", "PSOT /a", "POST a", "POST /a/**/b", "/a b", "POST GET /a", "* /a"]
        {
            assert!(OperationPattern::word(text).is_err(), "{text}");
        }
    }
}
