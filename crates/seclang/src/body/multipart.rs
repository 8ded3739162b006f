//! `multipart/form-data` (RFC 7578, RFC 2046), read as suspiciously as the reference reads it.
//!
//! Parsers of multipart bodies disagree about quotes, line ends, boundaries and folded headers, and attacks live where
//! they disagree. So everything that one parser might take otherwise raises a flag of [`MultipartFlags`], or an error,
//! even where this parser understands it. Only fields are kept; of files their names and sizes.
//!
//! It reads by lines of at most 4096 bytes, as libmodsecurity does, because its flags depend on that. It differs where
//! the reference loses sight: line ends inside a field stay, a `boundary=` without value, a header that is given twice
//! and a quote that is never closed are errors, and the parts before an error are reported.

mod boundary;
mod disposition;
mod flags;
mod parsed;
mod part;

use memchr::memmem::Finder;

use super::{BodyError, Limits, PartHeaderFault};
use boundary::Boundary;
pub use flags::{MultipartFlags, UnmatchedBoundary};
pub use parsed::{ParsedMultipart, UploadedFile};
use part::{Content, Part};

/// Longer lines are read in segments of this size; longer headers are refused.
const LINE: usize = 4096;

/// Reads a multipart body in pieces.
#[derive(Debug)]
pub struct Multipart {
    limits: Limits,
    boundary: Vec<u8>,
    /// Finds `--` and the boundary in the middle of a line.
    delimiter: Finder<'static>,
    /// The segment that is being read.
    line: Vec<u8>,
    /// Whether that segment begins a line.
    at_line_start: bool,
    /// Whether the line before ended with `\n` alone.
    after_bare_newline: bool,
    boundaries: usize,
    part: Option<Part>,
    state: State,
    crlf_seen: bool,
    parsed: ParsedMultipart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Reading,
    Complete,
    Failed,
}

impl Multipart {
    /// `content_type` is the header's value, which must say where parts end.
    pub fn new(content_type: &[u8], limits: Limits) -> Self {
        let mut flags = MultipartFlags::default();
        let (boundary, error) = match Boundary::parse(content_type, &mut flags) {
            Ok(Boundary(boundary)) => (boundary, None),
            Err(fault) => (Vec::new(), Some(BodyError::ContentType(fault))),
        };
        flags.error = error.is_some();
        Self {
            limits,
            delimiter: Finder::new(&[b"--", boundary.as_slice()].concat()).into_owned(),
            boundary,
            line: Vec::new(),
            at_line_start: true,
            after_bare_newline: false,
            boundaries: 0,
            part: None,
            state: if error.is_some() { State::Failed } else { State::Empty },
            crlf_seen: false,
            parsed: ParsedMultipart::new(limits, flags, error),
        }
    }

    /// The next piece of the body. After an error in a boundary nothing more is read.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            match self.state {
                State::Empty => self.state = State::Reading,
                State::Reading => {}
                State::Complete => {
                    self.parsed.flags.data_after = true;
                    return;
                }
                State::Failed => return,
            }
            let room = LINE.saturating_sub(self.line.len());
            let window = rest.get(..room).unwrap_or(rest);
            let (end, ends_line) = match memchr::memchr(b'\n', window) {
                Some(newline) => (newline + 1, true),
                None if window.len() < room => {
                    self.line.extend_from_slice(window);
                    return;
                }
                // A carriage return stays with the newline that may follow.
                None if window.last() == Some(&b'\r') => (window.len() - 1, false),
                None => (window.len(), false),
            };
            let (taken, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after;
            if self.line.is_empty() {
                self.segment(taken, ends_line);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(taken);
                self.segment(&line, ends_line);
                line.clear();
                self.line = line;
            }
        }
    }

    /// The end of the body.
    pub fn finish(mut self) -> ParsedMultipart {
        let last_line = std::mem::take(&mut self.line);
        if self.state == State::Reading && self.closes(&last_line) {
            self.state = State::Complete;
            self.parsed.flags.lf_line |= self.after_bare_newline;
            self.parsed.flags.invalid_part |= self.part.as_ref().is_some_and(|part| !part.data_read);
        }
        if self.state == State::Reading {
            let error =
                if self.boundaries > 0 { BodyError::FinalBoundaryMissing } else { BodyError::NoBoundary };
            self.parsed.error.get_or_insert(error);
            if !last_line.is_empty() {
                self.data(&last_line);
            }
        }
        self.end_part();
        let flags = &mut self.parsed.flags;
        flags.crlf_lf_lines = self.crlf_seen && flags.lf_line;
        self.parsed
    }

    /// Whether this is the final boundary, without the line end that need not follow.
    fn closes(&self, line: &[u8]) -> bool {
        self.boundaries > 0
            && self.at_line_start
            && line.strip_prefix(self.delimiter.needle()).is_some_and(|rest| rest == b"--")
    }

    fn segment(&mut self, segment: &[u8], ends_line: bool) {
        let at_line_start = std::mem::replace(&mut self.at_line_start, ends_line);
        let outcome = match self.boundary_in(segment, at_line_start) {
            Ok(Some(rest)) => self.begin_part(rest),
            Ok(None) => self.content(segment, ends_line),
            Err(error) => Err(error),
        };
        self.after_bare_newline = segment.ends_with(b"\n") && !segment.ends_with(b"\r\n");
        if let Err(error) = outcome {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: BodyError) {
        self.state = State::Failed;
        self.parsed.flags.error = true;
        self.parsed.error.get_or_insert(error);
    }

    /// What follows the boundary if the segment begins with it.
    fn boundary_in<'line>(
        &mut self,
        segment: &'line [u8],
        at_line_start: bool,
    ) -> Result<Option<&'line [u8]>, BodyError> {
        if !at_line_start {
            return Ok(None);
        }
        if let Some(rest) = segment.strip_prefix(self.delimiter.needle()) {
            return Ok(Some(rest));
        }
        let flags = &mut self.parsed.flags;
        match segment.strip_prefix(b"--") {
            Some(rest) if looks_like_boundary(segment) => {
                let quoted = rest.strip_prefix(b"\"").unwrap_or_default();
                if flags.boundary_quoted && quoted.starts_with(&self.boundary) {
                    return Err(BodyError::Boundary("quotes around it"));
                }
                let spaced = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
                if spaced > 0 && rest.get(spaced..).unwrap_or_default().starts_with(&self.boundary) {
                    return Err(BodyError::Boundary("white space before it"));
                }
                flags.unmatched_boundary = UnmatchedBoundary::Suspected;
            }
            _ if self.delimiter.find(segment).is_some() => {
                flags.unmatched_boundary = UnmatchedBoundary::Suspected;
            }
            _ => {}
        }
        Ok(None)
    }

    /// A boundary ends the part before it and begins another, unless it is the last.
    fn begin_part(&mut self, rest: &[u8]) -> Result<(), BodyError> {
        let flags = &mut self.parsed.flags;
        flags.lf_line |= self.after_bare_newline;
        if self.part.as_ref().is_some_and(|part| !part.data_read) {
            flags.invalid_part = true;
            return Err(BodyError::Boundary("a part without a body"));
        }
        if self.boundaries > 0 {
            flags.unmatched_boundary = UnmatchedBoundary::Closed;
        }
        let (last, line_end) = match rest.strip_prefix(b"--") {
            Some(line_end) => (true, line_end),
            None => (false, rest),
        };
        match line_end {
            b"\r\n" => self.crlf_seen = true,
            b"\n" => flags.lf_line = true,
            _ => return Err(BodyError::Boundary("something behind it")),
        }
        self.end_part();
        self.boundaries += 1;
        if last {
            self.state = State::Complete;
        } else {
            self.part = Some(Part::default());
        }
        Ok(())
    }

    fn content(&mut self, segment: &[u8], ends_line: bool) -> Result<(), BodyError> {
        match &self.part {
            None => self.parsed.flags.data_before = true,
            Some(part) if part.content != Content::Headers => self.data(segment),
            Some(_) if !ends_line || segment.len() >= LINE => {
                return Err(BodyError::PartHeader(PartHeaderFault::TooLong));
            }
            Some(_) => {
                if let Err(fault) = self.header(segment) {
                    // The line is left out and reading goes on: the flags of what follows count too.
                    self.parsed.error.get_or_insert(BodyError::PartHeader(fault));
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), PartHeaderFault> {
        let Some(part) = &mut self.part else { return Ok(()) };
        if line.contains(&0) {
            return Err(PartHeaderFault::NulByte);
        }
        if line.ends_with(b"\r\n") {
            self.crlf_seen = true;
        } else {
            self.parsed.flags.lf_line = true;
        }
        if line != b"\r\n" && line != b"\n" {
            return part.header_line(line, &mut self.parsed.flags);
        }
        part.end_headers(&mut self.parsed)?;
        if part.content == Content::Field {
            self.parsed.arguments.append(&part.name);
            self.parsed.arguments.end_name();
        } else if self.parsed.files.len() >= self.limits.files {
            self.parsed.flags.file_limit_exceeded = true;
            self.parsed.error.get_or_insert(BodyError::TooManyFiles(self.limits.files));
        }
        Ok(())
    }

    /// The line end before a boundary is the boundary's, so each waits until something else follows.
    fn data(&mut self, segment: &[u8]) {
        let Some(part) = &mut self.part else { return };
        part.data_read = true;
        let held_back = match segment {
            [.., b'\r', b'\n'] => "\r\n",
            [.., b'\n'] => "\n",
            _ => "",
        };
        let before = std::mem::replace(&mut part.held_back, held_back).as_bytes();
        let content = segment.get(..segment.len() - held_back.len()).unwrap_or_default();
        match &mut part.content {
            Content::Headers => {}
            Content::Field => {
                self.parsed.arguments.append(before);
                self.parsed.arguments.append(content);
            }
            Content::File { size } => *size += (before.len() + content.len()) as u64,
        }
    }

    fn end_part(&mut self) {
        let Some(part) = self.part.take() else { return };
        if let Some((first, others)) = part.lines.split_first() {
            let headers = &mut self.parsed.part_headers;
            headers.push(&part.name, first);
            for line in others {
                headers.push_under_last_name(line);
            }
        }
        match part.content {
            Content::Field => self.parsed.arguments.commit(),
            Content::File { size } if self.parsed.files.len() < self.limits.files => {
                self.parsed.files.push(UploadedFile { name: part.name, filename: part.filename, size });
            }
            Content::Headers | Content::File { .. } => {}
        }
    }
}

/// As the reference counts it: four bytes before a NUL.
fn looks_like_boundary(segment: &[u8]) -> bool {
    segment.len() > 3 && memchr::memchr(0, segment).is_none_or(|nul| nul > 3)
}

/// `isspace` of C.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

#[cfg(test)]
mod tests;
