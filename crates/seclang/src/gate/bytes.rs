//! Sets of bytes, of each of which a pattern needs one: a gate for patterns without literals worth seeking.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::byte_set::ByteSet;

/// Sets kept for one pattern.
const MOST: usize = 2;

/// The sets that ordinary values open most rarely, in a pattern in lower case.
pub(super) fn required(hir: &Hir) -> Vec<ByteSet> {
    let mut sets: Vec<_> = needed(hir).into_iter().map(with_capitals).collect();
    sets.sort_by_key(|set| commonness(*set));
    sets.dedup();
    sets.retain(|set| commonness(*set) < COMMON);
    sets.truncate(MOST);
    sets
}

fn needed(hir: &Hir) -> Vec<ByteSet> {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().map(|byte| ByteSet::of(&[*byte])).collect(),
        HirKind::Class(Class::Bytes(class)) => {
            vec![class.iter().fold(ByteSet::EMPTY, |set, range| set.with_range(range.start(), range.end()))]
        }
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        HirKind::Concat(parts) => {
            let mut sets: Vec<_> = parts.iter().flat_map(needed).collect();
            sets.sort_by_key(|set| commonness(*set));
            sets.dedup();
            sets.truncate(MOST);
            sets
        }
        HirKind::Alternation(branches) => any_of(branches).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// One byte of what each branch needs most rarely.
fn any_of(branches: &[Hir]) -> Option<ByteSet> {
    let mut all = ByteSet::EMPTY;
    for branch in branches {
        all.add(&needed(branch).into_iter().min_by_key(|set| commonness(*set))?);
    }
    Some(all)
}

fn with_capitals(set: ByteSet) -> ByteSet {
    let letters = set.bytes().filter(u8::is_ascii_lowercase);
    letters.fold(set, |set, letter| set.with(letter.to_ascii_uppercase()))
}

/// Of a set with all letters.
const COMMON: u32 = 200;

/// How likely an ordinary value has a byte of this set.
fn commonness(set: ByteSet) -> u32 {
    let weight = |byte: u8| match byte {
        b'a'..=b'z' => 10,
        b'0'..=b'9' => 6,
        b' ' | b'/' | b'.' | b'-' | b'_' => 12,
        _ => 1,
    };
    set.bytes().map(weight).sum()
}
