//! One part: its headers as they come, and what kind of content follows them.

use super::{LINE, MultipartFlags, ParsedMultipart, disposition::Disposition, is_space};
use crate::body::PartHeaderFault;

/// More headers than any client sends.
const MOST_HEADERS: usize = 64;

/// A part that is being read.
#[derive(Debug, Default)]
pub(super) struct Part {
    headers: Vec<Header>,
    /// The header lines; a folded one as one line.
    pub(super) lines: Vec<Vec<u8>>,
    /// Whether the next line may continue the last header.
    foldable: bool,
    pub(super) name: Vec<u8>,
    pub(super) filename: Vec<u8>,
    pub(super) content: Content,
    /// Whether any line has followed the headers.
    pub(super) data_read: bool,
    /// The end of the last line of data.
    pub(super) held_back: &'static str,
}

#[derive(Debug)]
struct Header {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// What a part holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Content {
    /// Not known before the headers have ended.
    #[default]
    Headers,
    Field,
    File {
        size: u64,
    },
}

impl Part {
    /// A line that is not empty.
    pub(super) fn header_line(
        &mut self,
        line: &[u8],
        flags: &mut MultipartFlags,
    ) -> Result<(), PartHeaderFault> {
        if line.first().is_some_and(|byte| is_space(*byte)) {
            return self.continue_header(line, flags);
        }
        let colon = memchr::memchr(b':', line).ok_or(PartHeaderFault::ColonMissing)?;
        let (name, value) = line.split_at_checked(colon).ok_or(PartHeaderFault::ColonMissing)?;
        if name.is_empty() {
            return Err(PartHeaderFault::NameMissing);
        }
        if self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name)) {
            return Err(PartHeaderFault::Duplicate);
        }
        if self.headers.len() >= MOST_HEADERS {
            return Err(PartHeaderFault::TooMany);
        }
        let value = value.get(1..).unwrap_or_default();
        let blanks = value.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
        let value = without_line_end(value.get(blanks..).unwrap_or_default());
        self.headers.push(Header { name: name.to_vec(), value: value.to_vec() });
        self.lines.push(line.to_vec());
        self.foldable = true;
        Ok(())
    }

    fn continue_header(&mut self, line: &[u8], flags: &mut MultipartFlags) -> Result<(), PartHeaderFault> {
        flags.header_folding = true;
        let blanks = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
        let (blanks, text) = line.split_at_checked(blanks).unwrap_or((line, &[]));
        let proper = |byte: &u8| matches!(byte, b' ' | b'\t');
        flags.invalid_header_folding |= !line.iter().take(1).all(proper);
        let (true, Some(header), Some(whole)) =
            (self.foldable, self.headers.last_mut(), self.lines.last_mut())
        else {
            return Err(PartHeaderFault::FoldingWithoutHeader);
        };
        flags.invalid_header_folding |= !blanks.iter().all(proper);
        let text = without_line_end(text);
        if header.value.len() + text.len() >= LINE {
            return Err(PartHeaderFault::TooLong);
        }
        header.value.push(b' ');
        header.value.extend_from_slice(text);
        *whole = [header.name.as_slice(), b": ", &header.value].concat();
        Ok(())
    }

    /// The empty line after the headers.
    pub(super) fn end_headers(&mut self, parsed: &mut ParsedMultipart) -> Result<(), PartHeaderFault> {
        let disposition =
            self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(b"content-disposition"));
        let value = &disposition.ok_or(PartHeaderFault::DispositionMissing)?.value;
        let disposition = Disposition::parse(value, parsed).map_err(PartHeaderFault::Disposition)?;
        self.content =
            if disposition.filename.is_empty() { Content::Field } else { Content::File { size: 0 } };
        self.name = disposition.name;
        self.filename = disposition.filename;
        Ok(())
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}
