//! Passwords that are known from breaches, from a file of the operator's.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use secrecy::zeroize::Zeroizing;
use smallvec::SmallVec;

use super::Password;

/// Passwords of a plain list: eight bytes each.
const MOST_PASSWORDS: usize = 10_000_000;
const MOST_LINE_BYTES: u64 = 4096;
/// Of a line of the hash list: 64 digits at most, a colon, a count and an end.
const HASH_LINE_BYTES: usize = 96;
const PROBES: u64 = 64;

/// Passwords that may not be chosen.
#[derive(Debug)]
pub struct Blocklist {
    path: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The first eight bytes of SHA-1 of each lower-case password, sorted. That two differ only in what is cut off
    /// happens once in 10^12 passwords asked for, with the longest list; it refuses one that was not listed.
    Passwords(Vec<[u8; 8]>),
    /// The file itself, searched in place.
    Hashes { file: File, bytes: u64, hash: HashKind },
}

/// What the hashes of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashKind {
    Sha1,
    Sha256,
}

/// A hash in upper-case hexadecimal.
pub(super) type Digits = SmallVec<[u8; 64]>;

/// Why a blocklist cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum BlocklistError {
    #[error("cannot read the blocklist `{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the blocklist `{}` is not in order at byte {at}: it needs lines of SHA-1 or SHA-256 hashes in upper-case hexadecimal, \
         sorted, each with or without `:` and a count",
        path.display()
    )]
    Order { path: PathBuf, at: u64 },
    #[error("the blocklist `{}` has more than {MOST_PASSWORDS} lines, or one of {MOST_LINE_BYTES} bytes: use hashes", path.display())]
    TooLong { path: PathBuf },
}

impl Blocklist {
    /// A list of whichever form its first line has.
    pub fn open(path: &Path) -> Result<Self, BlocklistError> {
        let failed = |source| BlocklistError::File { path: path.to_owned(), source };
        let mut head = Vec::with_capacity(HASH_LINE_BYTES);
        let file = File::open(path).map_err(failed)?;
        io::Read::read_to_end(&mut io::Read::take(file, HASH_LINE_BYTES as u64), &mut head)
            .map_err(failed)?;
        if HashKind::of(&head).is_some() { Self::hashes(path) } else { Self::passwords(path) }
    }

    /// A list with one password a line, in UTF-8, at most ten million: eight bytes of memory each. Case does not
    /// matter.
    pub fn passwords(path: &Path) -> Result<Self, BlocklistError> {
        let failed = |source| BlocklistError::File { path: path.to_owned(), source };
        let mut lines = BufReader::new(File::open(path).map_err(failed)?);
        let mut hashes = Vec::new();
        let mut line = String::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut lines, MOST_LINE_BYTES).read_line(&mut line).map_err(failed)?;
            if read == 0 {
                break;
            }
            if hashes.len() == MOST_PASSWORDS || read as u64 == MOST_LINE_BYTES {
                return Err(BlocklistError::TooLong { path: path.to_owned() });
            }
            if let Ok(password) = Password::new(&line.trim_end_matches(['\r', '\n']).into()) {
                hashes.push(short_hash(&password));
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Ok(Self { path: path.to_owned(), form: Form::Passwords(hashes) })
    }

    /// A list of SHA-1 hashes ordered by hash, as Have I Been Pwned's downloader writes it, or of SHA-256 hashes in the same
    /// form, of any size: it is searched in place, some 40 short reads a question, and takes no memory.
    pub fn hashes(path: &Path) -> Result<Self, BlocklistError> {
        let failed = |source| BlocklistError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut list = Self { path: path.to_owned(), form: Form::Passwords(Vec::new()) };
        let mut head = [0; HASH_LINE_BYTES];
        let filled = list.read(&file, &mut head, 0)?;
        let wrong = || BlocklistError::Order { path: path.to_owned(), at: 0 };
        let hash = match head.get(..filled).unwrap_or_default() {
            // Nothing is in it, of whichever kind.
            [] => HashKind::Sha1,
            head => HashKind::of(head).ok_or_else(wrong)?,
        };
        list.form = Form::Hashes { file, bytes, hash };
        list.probe_order()?;
        Ok(list)
    }

    /// Whether `password` is listed.
    pub fn contains(&self, password: &Password) -> Result<bool, BlocklistError> {
        match &self.form {
            Form::Passwords(hashes) => Ok(hashes.binary_search(&short_hash(password)).is_ok()),
            Form::Hashes { file, bytes, hash } => {
                self.search((file, *hash), *bytes, &hash.digits_of(password.expose()))
            }
        }
    }

    /// The first line that begins at `low` or after it and is not below `wanted`, by halves.
    fn search(&self, list: (&File, HashKind), bytes: u64, wanted: &[u8]) -> Result<bool, BlocklistError> {
        let (mut low, mut high) = (0, bytes);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.line_from(list, middle)? {
                Some((start, _)) if start >= high => high = middle,
                None => high = middle,
                Some((_, hash)) if *hash == *wanted => return Ok(true),
                Some((_, hash)) if *hash > *wanted => high = middle,
                Some((start, _)) => low = start + 1,
            }
        }
        Ok(false)
    }

    /// The first line that begins at `offset` or after it: where, and its hash.
    fn line_from(
        &self,
        (file, kind): (&File, HashKind),
        offset: u64,
    ) -> Result<Option<(u64, Digits)>, BlocklistError> {
        let mut buffer = [0; 2 * HASH_LINE_BYTES + 1];
        // From the byte before: a line begins at `offset` if that is a line's end.
        let from = offset.saturating_sub(1);
        let filled = self.read(file, &mut buffer, from)?;
        let bytes = buffer.get(..filled).unwrap_or_default();
        let skipped = if offset == 0 { Some(0) } else { line_end(bytes).map(|at| at + 1) };
        let wrong = || BlocklistError::Order { path: self.path.clone(), at: offset };
        let Some(skipped) = skipped else {
            return if filled < buffer.len() { Ok(None) } else { Err(wrong()) };
        };
        let line = bytes.get(skipped..).unwrap_or_default();
        if line.is_empty() {
            return Ok(None);
        }
        let hash = kind.at_start_of(line).ok_or_else(wrong)?;
        Ok(Some((from + skipped as u64, Digits::from_slice(hash))))
    }

    fn read(&self, file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, BlocklistError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(BlocklistError::File { path: self.path.clone(), source }),
            }
        }
        Ok(filled)
    }

    /// Looks at some places only: the list has tens of gigabytes.
    fn probe_order(&self) -> Result<(), BlocklistError> {
        let Form::Hashes { file, bytes, hash: kind } = &self.form else { return Ok(()) };
        let mut last: Option<(Digits, u64)> = None;
        for probe in 0..PROBES {
            let at = bytes / PROBES * probe;
            let Some((start, hash)) = self.line_from((file, *kind), at)? else { continue };
            if last.is_some_and(|(before, at)| (before.as_slice(), at) > (hash.as_slice(), start)) {
                return Err(BlocklistError::Order { path: self.path.clone(), at: start });
            }
            last = Some((hash, start));
        }
        Ok(())
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

fn short_hash(password: &Password) -> [u8; 8] {
    let lower = Zeroizing::new(password.expose().to_lowercase());
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, lower.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

impl HashKind {
    /// That of the hash at the beginning of a list.
    fn of(head: &[u8]) -> Option<Self> {
        [Self::Sha1, Self::Sha256].into_iter().find(|kind| kind.at_start_of(head).is_some())
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        }
    }

    /// The hash that a line begins with, if it is one of this kind.
    fn at_start_of(self, line: &[u8]) -> Option<&[u8]> {
        let (hash, rest) = line.split_at_checked(2 * self.algorithm().output_len())?;
        let digits = hash.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        let ended = matches!(rest.first(), None | Some(b':' | b'\r' | b'\n'));
        (digits && ended).then_some(hash)
    }

    pub(super) fn digits_of(self, text: &str) -> Digits {
        let hash = digest(self.algorithm(), text.as_bytes());
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
        hash.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}
