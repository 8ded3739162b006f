//! What may be wrong with the bytes of a request.

use http::StatusCode;

/// A breach of the framing rules, or of a limit on them.
///
/// `Display` is what the caller is told; [`Self::code`] is the stable name for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A line that ends without a carriage return (RFC 9112 §2.2).
    #[error("a line ends with a line feed alone: end lines with CRLF")]
    BareLineFeed,
    /// A carriage return that no line feed follows.
    #[error("a carriage return stands alone: end lines with CRLF")]
    BareCarriageReturn,
    /// More than one empty line in front of a request line.
    #[error("more than one empty line before the request line")]
    EmptyLines,
    /// NUL or another control character in the request line or a field.
    #[error("a control character in the request head")]
    ControlCharacter,
    /// Not `method SP target SP version`.
    #[error("the request line is not `method target version`, separated by single spaces")]
    RequestLine,
    /// A method that is not a token (RFC 9110 §9.1).
    #[error("the method is not a token")]
    Method,
    /// A request target with characters that no URI has, or in none of the four forms (RFC 9112 §3.2).
    #[error("the request target is not a valid URI reference: percent-encode special characters")]
    Target,
    /// A request target longer than the limit.
    #[error("the request target is too long")]
    TargetTooLong,
    /// A version other than 1.0 and 1.1.
    #[error("this HTTP version is not supported here: use HTTP/1.1, or HTTP/2 by ALPN")]
    Version,
    /// A field line that begins with whitespace (RFC 9112 §5.2).
    #[error("a header field continues on a second line: obsolete line folding is not accepted")]
    ObsoleteFolding,
    /// A field name that is empty or not a token, or a line without a colon.
    #[error("a header field has no valid name")]
    FieldName,
    /// Whitespace between a field name and its colon (RFC 9112 §5.1).
    #[error("whitespace between a header name and its colon")]
    WhitespaceBeforeColon,
    /// An underscore in a field name.
    #[error("a header name contains an underscore: use a hyphen")]
    Underscore,
    /// More fields than the limit.
    #[error("too many header fields")]
    TooManyFields,
    /// A request line and fields longer than the limit.
    #[error("the request head is too long")]
    HeadTooLong,
    /// No `Host` field (RFC 9112 §3.2).
    #[error("the `Host` header is missing")]
    HostMissing,
    /// More than one `Host` field.
    #[error("more than one `Host` header")]
    HostRepeated,
    /// A `Content-Length` that is not one number.
    #[error("`Content-Length` is not a number")]
    ContentLength,
    /// More than one `Content-Length` field.
    #[error("more than one `Content-Length` header")]
    ContentLengthRepeated,
    /// A `Transfer-Encoding` other than `chunked`, given once, on HTTP/1.1 (RFC 9112 §6.1).
    #[error("`Transfer-Encoding` must be `chunked`, once, on HTTP/1.1")]
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.3).
    #[error("both `Content-Length` and `Transfer-Encoding`")]
    LengthAndEncoding,
    /// A head that did not come in time.
    #[error("the request head did not arrive in time")]
    HeadTooSlow,
    /// A chunk that RFC 9112 §7.1 does not allow.
    #[error("a chunk of the body is malformed")]
    Chunk,
    /// Chunk extensions beyond the limit.
    #[error("the chunk extensions are too long")]
    ChunkExtension,
    /// A trailer field that is malformed, over a limit, or has no place in a trailer (RFC 9110 §6.5.1).
    #[error("a trailer field is malformed or not allowed in a trailer")]
    Trailer,
    /// Not the HTTP/2 connection preface.
    #[error("not an HTTP/2 connection preface")]
    Preface,
    /// More stream resets than the limit (the rapid reset attack, CVE-2023-44487).
    #[error("too many streams were reset")]
    ResetFlood,
    /// More frames that carry nothing than the limit.
    #[error("too many control frames")]
    ControlFlood,
    /// `DATA` frames that carry next to nothing, more of them than the limit.
    #[error("too many DATA frames for too little data")]
    DataFlood,
    /// More `CONTINUATION` frames than the limit (CVE-2024-27316).
    #[error("too many CONTINUATION frames")]
    ContinuationFlood,
    /// Requests that go on after the connection was closed in order, as if `GOAWAY` had not been sent.
    #[error("requests went on after GOAWAY")]
    RequestsAfterGoaway,
    /// A peer that takes a response too slowly.
    #[error("the response was taken too slowly")]
    SlowRead,
}

impl Violation {
    /// The status that answers it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLong | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::HeadTooSlow | Self::SlowRead => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Its stable name, for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::BareLineFeed => "bare_line_feed",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::EmptyLines => "empty_lines",
            Self::ControlCharacter => "control_character",
            Self::RequestLine => "malformed_request_line",
            Self::Method => "invalid_method",
            Self::Target => "invalid_target",
            Self::TargetTooLong => "target_too_long",
            Self::Version => "unsupported_http_version",
            Self::ObsoleteFolding => "obsolete_line_folding",
            Self::FieldName => "invalid_header_name",
            Self::WhitespaceBeforeColon => "whitespace_before_colon",
            Self::Underscore => "underscore_in_header_name",
            Self::TooManyFields => "too_many_headers",
            Self::HeadTooLong => "headers_too_large",
            Self::HostMissing => "host_missing",
            Self::HostRepeated => "host_repeated",
            Self::ContentLength => "invalid_content_length",
            Self::ContentLengthRepeated => "content_length_repeated",
            Self::TransferEncoding => "invalid_transfer_encoding",
            Self::LengthAndEncoding => "length_and_transfer_encoding",
            Self::HeadTooSlow => "head_timeout",
            Self::Chunk => "malformed_chunk",
            Self::ChunkExtension => "chunk_extension_too_long",
            Self::Trailer => "invalid_trailer",
            Self::Preface => "invalid_preface",
            Self::ResetFlood => "http2_reset_flood",
            Self::ControlFlood => "http2_control_flood",
            Self::DataFlood => "http2_data_flood",
            Self::ContinuationFlood => "http2_continuation_flood",
            Self::RequestsAfterGoaway => "http2_requests_after_goaway",
            Self::SlowRead => "slow_read",
        }
    }
}

impl From<Violation> for std::io::Error {
    fn from(violation: Violation) -> Self {
        let kind = match violation {
            Violation::HeadTooSlow | Violation::SlowRead => std::io::ErrorKind::TimedOut,
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, violation)
    }
}
