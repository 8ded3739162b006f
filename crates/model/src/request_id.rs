use std::{fmt, str::FromStr};

use http::HeaderValue;

use crate::ModelError;

/// The id of one request, as `x-request-id` carries it in and out.
///
/// A client's own id is kept when it is 1 to 128 letters, digits, `-`, `_` or `.`; otherwise the gateway
/// makes one (UUID version 7, RFC 9562). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new id that sorts by time.
    pub fn generate() -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
        match HeaderValue::from_str(text) {
            Ok(value) => Self(value),
            // INVARIANT: hexadecimal digits and hyphens are always a header value.
            Err(_) => Self(HeaderValue::from_static("unavailable")),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: both constructors admit ASCII only.
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header value; cloning it copies nothing.
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl TryFrom<&HeaderValue> for RequestId {
    type Error = ModelError;

    fn try_from(value: &HeaderValue) -> Result<Self, ModelError> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let bytes = value.as_bytes();
        if (1..=128).contains(&bytes.len()) && bytes.iter().all(allowed) {
            // Copied, because a clone would keep the whole read buffer of the request alive.
            HeaderValue::from_bytes(bytes).map(Self).map_err(|_| ModelError::RequestId)
        } else {
            Err(ModelError::RequestId)
        }
    }
}

impl FromStr for RequestId {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let value = HeaderValue::from_str(text).map_err(|_| ModelError::RequestId)?;
        Self::try_from(&value)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_parse_and_sort_by_time() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert!(first.as_str() <= second.as_str());
        assert_eq!(first.as_str().parse::<RequestId>().unwrap(), first);
    }

    #[test]
    fn ids_that_could_break_a_log_line_are_refused() {
        let long = "x".repeat(129);
        for text in ["", "a b", "a\"b", "a\\b", "a;b", "é", long.as_str()] {
            assert!(text.parse::<RequestId>().is_err(), "{text:?}");
        }
    }
}
