//! What a signature covers.

use http::HeaderName;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{SignatureComponent, forms::Forms, suggestion};

impl Forms for SignatureComponent {
    const NAME: &'static str = "SignatureComponent";
    const EXPECTED: &'static str = "a component such as `\"@method\"`, or a header name";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(@(method|target-uri|authority|scheme|path|query)|[!#$%&'*+.^_`|~0-9A-Za-z-]+|\$\{.*\})$",
            "description": "A part of a request that a signature covers (RFC 9421, section 2): `@method`, \
                `@target-uri`, `@authority`, `@scheme`, `@path`, `@query`, or the name of a header.",
            "examples": ["@method", "content-digest"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if let Some(derived) = Self::DERIVED.into_iter().find(|derived| derived.as_str() == word) {
            return Ok(derived);
        }
        if word.starts_with('@') {
            let hint = suggestion::hint(word, Self::DERIVED.iter().map(Self::as_str)).unwrap_or_default();
            return Err(format!("`{word}` is no component that can be demanded of a request: {hint}"));
        }
        HeaderName::try_from(word).map(Self::Field).map_err(|_| format!("`{word}` is not a header name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_derived_ones_and_fields() {
        let read = |word| SignatureComponent::word(word);
        assert_eq!(read("@target-uri"), Ok(SignatureComponent::TargetUri));
        assert_eq!(read("Content-Digest"), Ok(SignatureComponent::CONTENT_DIGEST));
        for wrong in ["@methods", "@status", "@query-param", "@signature-params", "two words", "\"@method\""]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
