//! Request heads of HTTP/1.1 and 1.0, strictly: RFC 9112 §2 to §6 without any of its leniencies.
//!
//! What is read here is how the message is framed and whether any two servers could read it differently. What
//! the request *means* is read by hyper and the pipeline, from the same bytes.

use super::{
    Violation,
    field_line::FieldLine,
    request_line::{AROUND_TARGET, RequestLine},
};

/// Limits of a request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Request line and fields together, in bytes, with their line ends.
    pub max_bytes: usize,
    /// The request target, in bytes.
    pub max_target: usize,
    /// Header fields.
    pub max_fields: usize,
    /// Whether a field name with an underscore is a violation.
    pub refuse_underscores: bool,
}

impl From<&bartizan_config::Hardening> for HeadLimits {
    fn from(hardening: &bartizan_config::Hardening) -> Self {
        Self {
            max_bytes: hardening.max_header_bytes,
            max_target: hardening.max_uri_bytes,
            max_fields: hardening.max_header_count,
            refuse_underscores: hardening.underscore_headers == bartizan_config::UnderscoreHeaders::Refuse,
        }
    }
}

/// A whole, well-formed request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadSummary {
    /// Its bytes, with an empty line in front and the empty line at its end.
    pub length: usize,
    /// How its body is framed.
    pub body: BodyFraming,
    /// Whether it asks to leave HTTP: an `Upgrade` field, or `CONNECT`.
    pub upgrade: bool,
}

/// How a body is framed (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// Nothing follows the head.
    Empty,
    /// This many bytes, at least one.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// Checks the head at the front of `bytes`; `None` if more bytes are needed to tell.
pub fn check(bytes: &[u8], limits: &HeadLimits) -> Result<Option<HeadSummary>, Violation> {
    HeadScanner::default().scan(bytes, limits)
}

/// Reads a head that may come in pieces, looking at every byte once.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    /// Where the line that is not yet complete begins.
    line: usize,
    /// Bytes known to hold no further line end.
    searched: usize,
    request_line: Option<RequestLine>,
    empty_line: bool,
    fields: usize,
    host: bool,
    upgrade: bool,
    chunked: bool,
    length: Option<u64>,
}

impl HeadScanner {
    /// Goes on with `head`: everything that has come since the head began, what was scanned before included.
    pub(super) fn scan(
        &mut self,
        head: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<HeadSummary>, Violation> {
        while let Some(found) = head.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let (start, end) = (self.line, self.searched + found + 1);
            self.within_limits(end, limits)?;
            (self.line, self.searched) = (end, end);
            let Some(line) = head[start..end].strip_suffix(b"\r\n") else {
                return Err(Violation::BareLineFeed);
            };
            if line.is_empty() && self.request_line.is_some() {
                return self.finish(end).map(Some);
            }
            self.read_line(line, limits)?;
        }
        self.searched = head.len();
        self.within_limits(head.len(), limits)?;
        Ok(None)
    }

    /// Whether anything of a request has come; an empty line is nothing.
    pub(super) fn has_begun(&self) -> bool {
        self.request_line.is_some() || self.searched > self.line
    }

    /// The same answer whether the line that ends or breaks off at `end` has come whole or not.
    fn within_limits(&self, end: usize, limits: &HeadLimits) -> Result<(), Violation> {
        let longest_request_line = limits.max_target.saturating_add(AROUND_TARGET).min(limits.max_bytes);
        if self.request_line.is_none() && end - self.line > longest_request_line {
            return Err(Violation::TargetTooLong);
        }
        if end > limits.max_bytes { Err(Violation::HeadTooLong) } else { Ok(()) }
    }

    fn read_line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Violation> {
        if self.request_line.is_some() {
            return self.read_field(line, limits);
        }
        if line.is_empty() {
            let first = !std::mem::replace(&mut self.empty_line, true);
            return if first { Ok(()) } else { Err(Violation::EmptyLines) };
        }
        self.request_line = Some(RequestLine::parse(line, limits.max_target)?);
        Ok(())
    }

    fn read_field(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Violation> {
        self.fields += 1;
        if self.fields > limits.max_fields {
            return Err(Violation::TooManyFields);
        }
        let field = FieldLine::parse(line, limits.refuse_underscores)?;
        match field.name.len() {
            4 if field.is(b"host") => self.read_host(),
            7 if field.is(b"upgrade") => {
                self.upgrade = true;
                Ok(())
            }
            14 if field.is(b"content-length") => self.read_content_length(field.value),
            17 if field.is(b"transfer-encoding") => self.read_transfer_encoding(field.value),
            _ => Ok(()),
        }
    }

    fn read_host(&mut self) -> Result<(), Violation> {
        if std::mem::replace(&mut self.host, true) { Err(Violation::HostRepeated) } else { Ok(()) }
    }

    fn read_content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.chunked {
            return Err(Violation::LengthAndEncoding);
        }
        if self.length.is_some() {
            return Err(Violation::ContentLengthRepeated);
        }
        self.length = Some(decimal(value).ok_or(Violation::ContentLength)?);
        Ok(())
    }

    fn read_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::LengthAndEncoding);
        }
        let is_http_10 = self.request_line.is_some_and(|line| line.is_http_10);
        if self.chunked || is_http_10 || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn finish(&self, length: usize) -> Result<HeadSummary, Violation> {
        if !self.host {
            return Err(Violation::HostMissing);
        }
        let body = match self.length {
            Some(0) => BodyFraming::Empty,
            Some(length) => BodyFraming::Length(length),
            None if self.chunked => BodyFraming::Chunked,
            None => BodyFraming::Empty,
        };
        let is_connect = self.request_line.is_some_and(|line| line.is_connect);
        Ok(HeadSummary { length, body, upgrade: self.upgrade || is_connect })
    }
}

/// Digits only, at most 18 of them: no sign, no list, no overflow.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |number: u64, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests;
