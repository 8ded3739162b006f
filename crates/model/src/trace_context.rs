//! W3C Trace Context (`traceparent`, version 00).

use std::fmt;

use http::HeaderValue;

use crate::ModelError;

/// The place of a request in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, shared by every hop.
    pub trace_id: [u8; 16],
    /// The span of the caller (read) or of the gateway (written).
    pub parent_id: u64,
    /// The span that called the gateway's, after [`TraceContext::next_hop`].
    pub caller_id: Option<u64>,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// A new trace that starts at the gateway.
    pub fn start() -> Self {
        let trace_id = uuid::Uuid::new_v4().into_bytes();
        Self { trace_id, parent_id: Self::span_id(), caller_id: None, sampled: true }
    }

    /// The same trace, one hop on: what the gateway sends upstream.
    #[must_use]
    pub fn next_hop(self) -> Self {
        Self { parent_id: Self::span_id(), caller_id: Some(self.parent_id), ..self }
    }

    /// The `traceparent` header value.
    pub fn header_value(self) -> HeaderValue {
        // INVARIANT: hexadecimal digits and hyphens are always a header value.
        HeaderValue::from_bytes(&self.digits()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// `00-<trace>-<parent>-<flags>`. By hand, because every request needs it and formatting costs ten times as much.
    fn digits(self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.parent_id.to_be_bytes(), &mut text[36..52]);
        write_hex(&[u8::from(self.sampled)], &mut text[53..55]);
        text
    }

    /// 64 bits of which the last 62 are random; never zero.
    fn span_id() -> u64 {
        let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
        low
    }
}

fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

impl TryFrom<&HeaderValue> for TraceContext {
    type Error = ModelError;

    /// Reads version 00 exactly and, as the recommendation asks, the first four fields of later versions.
    fn try_from(value: &HeaderValue) -> Result<Self, ModelError> {
        let bytes = value.as_bytes();
        let text = value.to_str().map_err(|_| ModelError::TraceContext)?;
        let shaped = bytes.len() >= 55 && [2, 35, 52].iter().all(|&at| bytes[at] == b'-');
        let version = text.get(0..2).unwrap_or_default();
        let length_fits = bytes.len() == 55 || (version != "00" && bytes.get(55) == Some(&b'-'));
        if !shaped || !length_fits || version == "ff" {
            return Err(ModelError::TraceContext);
        }
        let lower_hex = |range: std::ops::Range<usize>| {
            let part = &text[range];
            let valid = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            valid.then_some(part).ok_or(ModelError::TraceContext)
        };
        lower_hex(0..2)?;
        let number = |part: &str| u128::from_str_radix(part, 16).map_err(|_| ModelError::TraceContext);
        let trace_id = number(lower_hex(3..35)?)?;
        let parent_id = u64::try_from(number(lower_hex(36..52)?)?).map_err(|_| ModelError::TraceContext)?;
        let flags = number(lower_hex(53..55)?)?;
        if trace_id == 0 || parent_id == 0 {
            return Err(ModelError::TraceContext);
        }
        let trace_id = trace_id.to_be_bytes();
        Ok(Self { trace_id, parent_id, caller_id: None, sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TraceContext, ModelError> {
        TraceContext::try_from(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn the_example_of_the_recommendation_survives_a_round_trip() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = parse(text).unwrap();
        assert_eq!(context.to_string(), text);
        let next = context.next_hop();
        assert_eq!(next.trace_id, context.trace_id);
        assert_ne!(next.parent_id, context.parent_id);
        assert_eq!(next.caller_id, Some(context.parent_id));
    }

    #[test]
    fn malformed_contexts_are_refused() {
        let refused = [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for text in refused {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later").is_ok());
    }
}
