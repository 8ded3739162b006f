//! Why a body could not be read to its end: always what the sender did, never a failure of ours.

/// What `REQBODY_ERROR_MSG` says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The text is not JSON (RFC 8259).
    #[error("JSON parsing error: {what} at byte {offset}")]
    Json {
        /// What stood where something else belongs.
        what: &'static str,
        /// Where, counted from 0.
        offset: usize,
    },
    /// The document is not well-formed XML, or is more than XML without a document type needs.
    #[error("XML parsing error: {what}")]
    Xml {
        /// What was wrong.
        what: &'static str,
    },
    /// Arrays, objects or elements are too deep inside each other: often an attack on parsers that recurse.
    #[error("{format} parsing error: nested deeper than {limit} levels")]
    TooDeep {
        /// JSON or XML.
        format: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Names and values take more than may be kept: often a long name above many values.
    #[error("{format} parsing error: names and values are longer than {limit} bytes")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The `Content-Type` of a multipart body does not say clearly where parts end.
    #[error("Multipart parsing error: content type: {0}")]
    ContentType(ContentTypeFault),
    /// A line looks like a boundary without being one.
    #[error("Multipart parsing error: invalid boundary: {0}")]
    Boundary(&'static str),
    /// A header of a part cannot be read.
    #[error("Multipart parsing error: part header: {0}")]
    PartHeader(PartHeaderFault),
    /// More files than `SecUploadFileLimit`.
    #[error("Multipart parsing error: more than {0} files")]
    TooManyFiles(usize),
    /// The body ended before its last part did: cut off, or meant for a parser that does not mind.
    #[error("Multipart parsing error: final boundary missing")]
    FinalBoundaryMissing,
    /// The boundary of the `Content-Type` is nowhere in the body.
    #[error("Multipart parsing error: no boundary in the body")]
    NoBoundary,
}

/// What is wrong with the `Content-Type` of a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentTypeFault {
    /// Longer than 1024 bytes.
    #[error("too long")]
    TooLong,
    /// Not `multipart/form-data`.
    #[error("not multipart/form-data")]
    NotMultipart,
    /// `boundary` stands there more than once.
    #[error("more than one boundary")]
    SeveralBoundaries,
    /// There is no `boundary`.
    #[error("boundary missing")]
    BoundaryMissing,
    /// `boundary` in other than small letters: allowed, but nobody sends it.
    #[error("boundary in unusual case")]
    UnusualCase,
    /// Something stands before `boundary`, or between it and its value.
    #[error("malformed")]
    Malformed,
    /// A quote without its partner.
    #[error("unpaired quote")]
    UnpairedQuote,
    /// A character that RFC 2046 does not allow in a boundary.
    #[error("character that a boundary must not have")]
    Character,
    /// The boundary is empty.
    #[error("empty boundary")]
    Empty,
}

/// What is wrong with a header of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartHeaderFault {
    /// A NUL byte.
    #[error("NUL byte")]
    NulByte,
    /// A line that would continue a header, without one.
    #[error("nothing to continue")]
    FoldingWithoutHeader,
    /// A line, or a header with its continuations, above 4096 bytes.
    #[error("longer than 4096 bytes")]
    TooLong,
    /// A line without `:`.
    #[error("colon missing")]
    ColonMissing,
    /// A line that starts with `:`.
    #[error("name missing")]
    NameMissing,
    /// The same header twice: parsers disagree about which counts.
    #[error("given twice")]
    Duplicate,
    /// More than 64 headers in one part.
    #[error("too many")]
    TooMany,
    /// No `Content-Disposition`.
    #[error("Content-Disposition missing")]
    DispositionMissing,
    /// A `Content-Disposition` that cannot be read in one way only.
    #[error("Content-Disposition: {0}")]
    Disposition(DispositionFault),
}

/// What is wrong with a `Content-Disposition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispositionFault {
    /// Another type than `form-data`.
    #[error("not form-data")]
    NotFormData,
    /// Something else than a parameter where one belongs.
    #[error("malformed parameter")]
    MalformedParameter,
    /// A quote that is never closed.
    #[error("unclosed quote")]
    UnclosedQuote,
    /// Another parameter than `name`, `filename` and `filename*`.
    #[error("unknown parameter")]
    UnknownParameter,
    /// A parameter twice.
    #[error("parameter given twice")]
    Duplicate,
    /// No `name`, or an empty one.
    #[error("name missing")]
    NameMissing,
    /// A `filename*` that is not as RFC 5987 says.
    #[error("malformed filename*")]
    MalformedExtendedFilename,
    /// A `filename*` without `filename` (RFC 7578 section 4.2 forbids even both).
    #[error("filename* without filename")]
    ExtendedFilenameAlone,
}
