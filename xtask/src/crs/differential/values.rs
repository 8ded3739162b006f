//! Values that decoders and detectors stumble over: what they look for, put together, and attacks with a change.

#[path = "../../../../crates/seclang/src/operator/injection/tests/vocabulary.rs"]
mod vocabulary;

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::random::Random;
use vocabulary::{HTML, SQL};

/// What a transformation gives a meaning to, and what neither list of [`vocabulary`] has.
const PIECES: &[&str] = &[
    "\\u",
    "\\u0041",
    "\\x",
    "\\x4",
    "\\101",
    "\\n",
    "%u",
    "%u0041",
    "%uff1c",
    "%4",
    "%41",
    "%00",
    "&lt",
    "&nbsp;",
    "0X41",
    "0x414243",
    "41",
    "FF21",
    "QUJD",
    "377",
    "\\ff1c",
    "\\10ff1c",
    "/**/",
    "//",
    "..",
    "../",
    "..\\",
    "./",
    "  ",
    "\r\n",
    "\x0c",
    "\u{a0}",
    "é",
    "€",
    "😀",
    "\u{2019}",
    "@",
    "@@",
    "into",
    "UNION",
    "Select",
    "version()",
    "onclick",
];

/// What to make values of.
pub(crate) struct Values {
    /// Words of the Core Rule Set's data files.
    words: Vec<String>,
    attacks: Vec<Vec<u8>>,
}

impl Values {
    /// Words come from the rules in a folder.
    pub(crate) fn new(crs: &Path, attacks: Vec<Vec<u8>>) -> Result<Self> {
        let folder = crs.join("rules");
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
            files.push(entry?.path());
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "data"));
        // The same order everywhere: a seed stands for the same values.
        files.sort_unstable();
        let mut words = Vec::new();
        for file in files {
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
            let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            words.extend(lines.map(str::to_owned));
        }
        Ok(Self { words, attacks })
    }

    pub(crate) fn one(&self, random: &mut Random) -> Vec<u8> {
        match random.below(12) {
            0 => (0..random.below(24)).map(|_| random.byte()).collect(),
            1..=4 => self.pieces(14, b"", random),
            5..=8 => self.pieces(9, b" ", random),
            _ => {
                let at = random.below(self.attacks.len());
                let mut value = self.attacks.get(at).cloned().unwrap_or_default();
                self.change(&mut value, random);
                value
            }
        }
    }

    /// Puts a piece into a value, or a random byte over one of its own.
    pub(crate) fn change(&self, value: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(value.len() + 1);
        if random.once_in(3)
            && let Some(byte) = value.get_mut(at)
        {
            *byte = random.byte();
        } else {
            let piece = self.piece(random).to_vec();
            value.splice(at..at, piece);
        }
    }

    fn pieces(&self, most: usize, between: &[u8], random: &mut Random) -> Vec<u8> {
        let pieces: Vec<_> = (0..random.below(most)).map(|_| self.piece(random)).collect();
        pieces.join(between)
    }

    pub(crate) fn piece(&self, random: &mut Random) -> &[u8] {
        if random.once_in(5)
            && let Some(word) = self.words.get(random.below(self.words.len()))
        {
            return word.as_bytes();
        }
        let list = random.one(&[PIECES, SQL, HTML]);
        random.one(list).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_the_same_values() {
        let values = Values { words: vec!["sleep(".into()], attacks: vec![b"1' or 1=1".to_vec()] };
        let some = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| values.one(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}
