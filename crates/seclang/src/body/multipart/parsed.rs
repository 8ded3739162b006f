//! What rules see of a multipart body.

use super::MultipartFlags;
use crate::body::{Arguments, BodyError, Limits};

/// More headers than parts have on the average whose number is no mistake.
const HEADERS_PER_PART: usize = 4;

/// What a multipart body held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedMultipart {
    /// Fields: the parts without a file name.
    pub arguments: Arguments,
    /// Parts with a file name: `FILES`, `FILES_NAMES`, `FILES_SIZES`.
    pub files: Vec<UploadedFile>,
    /// `MULTIPART_NAME`: every `name` of a `Content-Disposition`, also of one that was refused. Names without values.
    pub names: Arguments,
    /// `MULTIPART_FILENAME`: every `filename`, in the same way.
    pub filenames: Arguments,
    /// `MULTIPART_PART_HEADERS`: the name of the part, and a header line with its line end.
    pub part_headers: Arguments,
    /// What was unusual.
    pub flags: MultipartFlags,
    /// Why the parts may not be all: the first thing that was wrong. An empty body is no error.
    pub error: Option<BodyError>,
}

/// A part with a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The name of the field.
    pub name: Vec<u8>,
    /// The name of the file, as the client gave it.
    pub filename: Vec<u8>,
    /// How many bytes it has.
    pub size: u64,
}

impl ParsedMultipart {
    pub(super) fn new(limits: Limits, flags: MultipartFlags, error: Option<BodyError>) -> Self {
        let of_headers = Limits { arguments: limits.arguments.saturating_mul(HEADERS_PER_PART), ..limits };
        Self {
            arguments: Arguments::new(limits),
            files: Vec::new(),
            names: Arguments::new(limits),
            filenames: Arguments::new(limits),
            part_headers: Arguments::new(of_headers),
            flags,
            error,
        }
    }

    /// Whether anything of it was left out or shortened because a limit was reached.
    pub fn exceeded(&self) -> bool {
        [&self.arguments, &self.names, &self.filenames, &self.part_headers]
            .iter()
            .any(|arguments| arguments.exceeded())
    }

    /// `FILES_COMBINED_SIZE`.
    pub fn files_combined_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
