//! `Content-Disposition` of a part (RFC 7578 section 4.2), read strictly: `name`, `filename`, `filename*`, nothing else.

use memchr::memmem;

use super::{MultipartFlags, ParsedMultipart};
use crate::body::DispositionFault;

/// What a `Content-Disposition` says.
#[derive(Debug, Default)]
pub(super) struct Disposition {
    pub(super) name: Vec<u8>,
    pub(super) filename: Vec<u8>,
    has_name: bool,
    has_filename: bool,
    has_extended_filename: bool,
}

impl Disposition {
    /// Names and file names go into `parsed` as they are met, whatever follows.
    pub(super) fn parse(value: &[u8], parsed: &mut ParsedMultipart) -> Result<Self, DispositionFault> {
        let mut disposition = Self::default();
        let mut cursor = Cursor { bytes: value, at: b"form-data".len() };
        if !value.starts_with(b"form-data") {
            return Err(DispositionFault::NotFormData);
        }
        cursor.skip_blanks();
        match cursor.peek() {
            None => return Err(DispositionFault::NameMissing),
            Some(b';') => cursor.at += 1,
            Some(_) => return Err(DispositionFault::NotFormData),
        }
        while cursor.peek().is_some() {
            disposition.parameter(&mut cursor, parsed)?;
            cursor.end_parameter(&mut parsed.flags)?;
        }
        disposition.checked(value)
    }

    fn parameter(
        &mut self,
        cursor: &mut Cursor<'_>,
        parsed: &mut ParsedMultipart,
    ) -> Result<(), DispositionFault> {
        let name = cursor.parameter_name(&mut parsed.flags)?;
        if name == b"filename*" {
            let again = std::mem::replace(&mut self.has_extended_filename, true);
            cursor.extended_value()?;
            return if again { Err(DispositionFault::Duplicate) } else { Ok(()) };
        }
        let value = cursor.value(&mut parsed.flags)?;
        let (seen, slot, was_given) = match name {
            b"name" => (&mut parsed.names, &mut self.name, &mut self.has_name),
            b"filename" => (&mut parsed.filenames, &mut self.filename, &mut self.has_filename),
            _ => return Err(DispositionFault::UnknownParameter),
        };
        seen.push(&value, b"");
        // Also an empty one counts: some services go by the first.
        if std::mem::replace(was_given, true) {
            return Err(DispositionFault::Duplicate);
        }
        *slot = value;
        Ok(())
    }

    fn checked(self, value: &[u8]) -> Result<Self, DispositionFault> {
        if self.name.is_empty() {
            return Err(DispositionFault::NameMissing);
        }
        if self.has_extended_filename && self.filename.is_empty() {
            return Err(DispositionFault::ExtendedFilenameAlone);
        }
        // Crude parsers search for exactly this: they must not miss a file that is found here.
        if !self.filename.is_empty() && memmem::find(value, b"filename=").is_none() {
            return Err(DispositionFault::MalformedParameter);
        }
        Ok(self)
    }
}

struct Cursor<'value> {
    bytes: &'value [u8],
    at: usize,
}

impl<'value> Cursor<'value> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'value [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Up to and with `=` and the blanks around it; a value must follow.
    ///
    /// Blanks around `=` are flagged: for some services they belong to the name.
    fn parameter_name(&mut self, flags: &mut MultipartFlags) -> Result<&'value [u8], DispositionFault> {
        self.skip_blanks();
        let name = self.take_while(|byte| !matches!(byte, b'=' | b' ' | b'\t'));
        let name_ended = self.at;
        self.skip_blanks();
        if self.peek() != Some(b'=') {
            return Err(DispositionFault::MalformedParameter);
        }
        self.at += 1;
        let value_expected = self.at;
        flags.invalid_quoting |= name_ended + 1 != value_expected;
        self.skip_blanks();
        flags.invalid_quoting |= self.at != value_expected;
        if self.peek().is_none() { Err(DispositionFault::MalformedParameter) } else { Ok(name) }
    }

    fn value(&mut self, flags: &mut MultipartFlags) -> Result<Vec<u8>, DispositionFault> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            let value = self.take_while(is_token);
            flags.invalid_quoting |= value.contains(&b'\'');
            return Ok(value.to_vec());
        };
        flags.invalid_quoting |= quote == b'\'';
        self.at += 1;
        self.quoted(quote, flags).inspect_err(|_| flags.invalid_quoting = true)
    }

    /// Only a quote and a backslash can be escaped; before anything else a backslash is itself, as old browsers send it.
    /// An escaped backslash right before the end is flagged: there some services see an escaped quote, and go on.
    fn quoted(&mut self, quote: u8, flags: &mut MultipartFlags) -> Result<Vec<u8>, DispositionFault> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match (byte, self.peek()) {
                (byte, _) if byte == quote => return Ok(value),
                (b'\\', Some(b'\\')) if self.bytes.get(self.at + 1) == Some(&quote) => {
                    flags.invalid_quoting = true;
                    value.push(b'\\');
                    self.at += 1;
                }
                (b'\\', Some(next)) if next == quote || next == b'\\' => {
                    value.push(next);
                    self.at += 1;
                }
                _ => value.push(byte),
            }
        }
        Err(DispositionFault::UnclosedQuote)
    }

    /// RFC 5987: `charset'language'value`, percent-encoded. Nothing looks at it; it must only be what it seems.
    fn extended_value(&mut self) -> Result<(), DispositionFault> {
        let charset =
            self.take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$%&+-^_`{}~".contains(&byte));
        let language_follows = !charset.is_empty() && self.peek() == Some(b'\'');
        self.at += 1;
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !language_follows || self.peek() != Some(b'\'') {
            return Err(DispositionFault::MalformedExtendedFilename);
        }
        self.at += 1;
        loop {
            self.take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte));
            match self.bytes.get(self.at..).unwrap_or_default() {
                [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => self.at += 3,
                [] | [b';', ..] => return Ok(()),
                _ => return Err(DispositionFault::MalformedExtendedFilename),
            }
        }
    }

    /// Behind a value nothing may stand but blanks and a semicolon.
    fn end_parameter(&mut self, flags: &mut MultipartFlags) -> Result<(), DispositionFault> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
                flags.invalid_quoting |= matches!(before, Some(b'"' | b'\''));
                Err(DispositionFault::MalformedParameter)
            }
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}
