//! Names, permissions, grants and path patterns: the words of the model, as the document writes them.

use bartizan_model::{Grant, Name, Permission};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{PathPattern, forms::Forms};

impl Forms for Name {
    const NAME: &'static str = "Name";
    const EXPECTED: &'static str = "a name";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,64}$",
            "description": "1 to 64 letters, digits, `-`, `_` or `.`.",
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: bartizan_model::ModelError| error.to_string())
    }
}

impl Forms for Permission {
    const NAME: &'static str = "Permission";
    const EXPECTED: &'static str = "a permission such as `orders:read`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([A-Za-z0-9._/-]{1,64}:[A-Za-z0-9._/-]{1,64}|\$\{.*\})$",
            "description": "What is acted on and what is done to it: `resource:action`, without wildcards.",
            "examples": ["orders:read"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: bartizan_model::ModelError| error.to_string())
    }
}

impl Forms for Grant {
    const NAME: &'static str = "Grant";
    const EXPECTED: &'static str = "a grant such as `orders:read` or `orders:*`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(\*|(\*|[A-Za-z0-9._/-]{1,64}):(\*|[A-Za-z0-9._/-]{1,64})|\$\{.*\})$",
            "description": "`resource:action`, where either side may be `*` as a whole; `*` alone grants everything.",
            "examples": ["orders:read", "invoices:*"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: bartizan_model::ModelError| error.to_string())
    }
}

impl Forms for PathPattern {
    const NAME: &'static str = "PathPattern";
    const EXPECTED: &'static str = "a path pattern such as `/api/orders/**`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(/.*|\$\{.*\}.*)$",
            "description": "A path, matched segment by segment: `*` or `{name}` stands for exactly one segment, `**`, at the end only, for any number of them, including none.",
            "examples": ["/api/orders/**", "/users/{id}", "/"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        word.parse()
    }
}
