//! Header names and values, and methods.

use http::{HeaderName, HeaderValue, Method, header};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{forms::Forms, suggestion};

/// The headers that frame a message (RFC 9110, section 7.6.1; RFC 9112, section 6) or route it: the gateway
/// writes them itself.
const FRAMING: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The methods people write (RFC 9110, RFC 5789); others are accepted too.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Forms for HeaderName {
    const NAME: &'static str = "HeaderName";
    const EXPECTED: &'static str = "a header name such as `x-api-key`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+|\$\{.*\})$",
            "description": "A header name; upper and lower case mean the same.",
            "examples": ["x-api-key"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let name = Self::from_bytes(word.as_bytes()).map_err(|_| format!("`{word}` is not a header name"))?;
        if FRAMING.contains(&name) {
            return Err(format!("`{word}` frames the message and is written by the gateway itself"));
        }
        Ok(name)
    }
}

impl Forms for HeaderValue {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a header value";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }

    fn word(word: &str) -> Result<Self, String> {
        let visible = |byte: u8| (b' '..=b'~').contains(&byte);
        if !word.bytes().all(visible) {
            return Err("a header value holds printable ASCII only".into());
        }
        Self::from_str(word).map_err(|_| "this is not a header value".into())
    }
}

impl Forms for Method {
    const NAME: &'static str = "Method";
    const EXPECTED: &'static str = "a method such as `GET`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([A-Z][A-Z-]*|\$\{.*\})$",
            "description": "An HTTP method, in upper case.",
            "examples": METHODS,
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let upper = word.to_ascii_uppercase();
        if METHODS.contains(&word) {
            return Self::from_bytes(word.as_bytes()).map_err(|error| error.to_string());
        }
        if METHODS.contains(&upper.as_str()) {
            return Err(format!("`{word}`: methods are written in upper case"));
        }
        if word == "CONNECT" {
            return Err("`CONNECT` asks for a tunnel, which the gateway never opens".into());
        }
        if let Some(near) = suggestion::nearest(word, METHODS) {
            return Err(format!("`{word}` is not a method: did you mean `{near}`?"));
        }
        match Self::from_bytes(word.as_bytes()) {
            Ok(method) if word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') => Ok(method),
            _ => Err(format!("`{word}` is not a method: write for example `GET`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_upper_case_and_spelled_right() {
        for text in ["GET", "OPTIONS", "PURGE", "VERSION-CONTROL"] {
            assert!(Method::word(text).is_ok(), "{text}");
        }
        for text in ["", "get", "GTE", "PSOT", "CONNECT", "G T", "purge"] {
            assert!(Method::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_that_frame_a_message_are_not_for_configuration() {
        assert_eq!(HeaderName::word("X-Api-Key").unwrap(), "x-api-key");
        for text in ["", "x api", "Host", "transfer-encoding", "content-length"] {
            assert!(HeaderName::word(text).is_err(), "{text}");
        }
        for text in ["a\nb", "\u{e9}", "a\u{7f}"] {
            assert!(HeaderValue::word(text).is_err(), "{text:?}");
        }
    }
}
