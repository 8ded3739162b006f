//! What was unusual about a multipart body: the `MULTIPART_*` variables.

/// One field for each `MULTIPART_*` variable that is a flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MultipartFlags {
    /// The content type or a boundary was so wrong that reading stopped.
    pub error: bool,
    /// `MULTIPART_BOUNDARY_QUOTED`: the content type has the boundary in quotes.
    pub boundary_quoted: bool,
    /// `MULTIPART_BOUNDARY_WHITESPACE`: white space around the `=` of the boundary.
    pub boundary_whitespace: bool,
    /// `MULTIPART_DATA_BEFORE`: something before the first boundary.
    pub data_before: bool,
    /// `MULTIPART_DATA_AFTER`: something after the last.
    pub data_after: bool,
    /// `MULTIPART_HEADER_FOLDING`: a header of a part goes on in the next line.
    pub header_folding: bool,
    /// `MULTIPART_LF_LINE`: a line ends with `\n` alone.
    pub lf_line: bool,
    /// `MULTIPART_CRLF_LF_LINES`: others end with `\r\n`.
    pub crlf_lf_lines: bool,
    /// `MULTIPART_MISSING_SEMICOLON`: no `;` before the boundary in the content type.
    pub missing_semicolon: bool,
    /// `MULTIPART_INVALID_QUOTING`: single quotes, or text behind a quote.
    pub invalid_quoting: bool,
    /// `MULTIPART_INVALID_PART`: a part without a body.
    pub invalid_part: bool,
    /// `MULTIPART_INVALID_HEADER_FOLDING`: folding with other than space and tab.
    pub invalid_header_folding: bool,
    /// `MULTIPART_FILE_LIMIT_EXCEEDED`: more files than the limit.
    pub file_limit_exceeded: bool,
    /// `MULTIPART_UNMATCHED_BOUNDARY`.
    pub unmatched_boundary: UnmatchedBoundary,
}

/// `MULTIPART_UNMATCHED_BOUNDARY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnmatchedBoundary {
    /// 0: nothing in the body looks like another boundary.
    #[default]
    None = 0,
    /// 1: something does, and no boundary has followed.
    Suspected = 1,
    /// 2: a part has been closed by its boundary, as it should be; what looked like another before is forgotten.
    Closed = 2,
}

impl MultipartFlags {
    /// `MULTIPART_STRICT_ERROR`.
    pub fn strict_error(&self) -> bool {
        self.error
            || self.boundary_quoted
            || self.boundary_whitespace
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.invalid_header_folding
            || self.file_limit_exceeded
    }
}
