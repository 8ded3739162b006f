//! Literals of which a pattern needs one: not only at its beginning, where most engines look.
//!
//! A concatenation needs what each of its parts needs, and what stands side by side is one longer literal; an
//! alternation needs one literal of any branch. Of what could be chosen the longest literals win, since they are the
//! rarest in ordinary values.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Literals in lower case.
type Literals = BTreeSet<Vec<u8>>;

/// More literals than this would make the index of all gates large for one rule.
const MOST: usize = 1024;

/// Most texts that stand for one part of a concatenation.
const MOST_IN_PART: usize = 256;

/// A literal gains nothing by being longer.
const LONGEST: usize = 16;

/// The least weight of a literal that is sought.
const WORTH_SEEKING: usize = 2;

/// Bytes that ordinary values have so rarely that one of them alone is worth seeking.
const RARE_BYTES: &[u8] = b"\"'`<>(){}[]\\|!$^~*@#";

/// Of these lengths a literal is no longer rarer than any other.
const RARE: usize = 5;

/// Literals, of which every match of this pattern in lower case has one. `None` if there are none worth seeking.
pub(super) fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let literals = Known::of(hir).needed?;
    literals.iter().all(|literal| weight(literal) >= WORTH_SEEKING).then(|| without_longer(literals))
}

/// Without literals that begin with another one.
fn without_longer(literals: Literals) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for literal in literals {
        // They are sorted: what a literal begins with comes before it.
        if kept.last().is_none_or(|last| !literal.starts_with(last)) {
            kept.push(literal);
        }
    }
    kept
}

/// What is known of a part of a pattern, worked out once from what is known of its own parts.
struct Known {
    /// All texts that it matches, if they are few.
    texts: Option<Literals>,
    /// How every match of it begins, if that is one of few texts.
    beginnings: Option<Literals>,
    /// What every match of it has.
    needed: Option<Literals>,
}

impl Known {
    fn of(hir: &Hir) -> Self {
        let parts: Vec<_> = hir.kind().subs().iter().map(Self::of).collect();
        let (texts, beginnings) = (texts(hir, &parts), beginnings(hir, &parts));
        let inner = match hir.kind() {
            HirKind::Repetition(repetition) if repetition.min > 0 => any_of(&parts),
            HirKind::Alternation(_) => any_of(&parts),
            HirKind::Concat(_) => {
                parts.iter().filter_map(|part| part.needed.clone()).chain(neighbours(&parts)).reduce(better)
            }
            _ => None,
        };
        let candidates = inner.into_iter().chain(texts.clone()).chain(beginnings.clone());
        let needed = candidates.reduce(better).filter(|literals| shortest(literals) > 0);
        Self { texts, beginnings, needed }
    }

    /// How it begins, and perhaps ends.
    fn first(&self) -> Option<&Literals> {
        self.texts.as_ref().or(self.beginnings.as_ref())
    }
}

/// What one of these needs.
fn any_of(branches: &[Known]) -> Option<Literals> {
    let mut all = Literals::new();
    for branch in branches {
        all.extend(branch.needed.as_ref()?.iter().cloned());
        if all.len() > MOST {
            return None;
        }
    }
    Some(all)
}

/// The texts that parts make which stand side by side, from each part on as far as they are few.
fn neighbours(parts: &[Known]) -> impl Iterator<Item = Literals> {
    (0..parts.len()).filter_map(|first| {
        let mut joined = Literals::from([Vec::new()]);
        for part in parts.get(first..)? {
            let Some(longer) = part.first().and_then(|next| product(&joined, next)) else { break };
            joined = longer;
            if part.texts.is_none() || shortest(&joined) >= LONGEST {
                break;
            }
        }
        (shortest(&joined) > 0).then_some(joined)
    })
}

/// All texts that this matches, if they are few.
fn texts(hir: &Hir, parts: &[Known]) -> Option<Literals> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Literals::from([Vec::new()])),
        HirKind::Literal(literal) => Some(Literals::from([literal.0.to_vec()])),
        HirKind::Class(_) => class(hir),
        HirKind::Capture(_) => parts.first()?.texts.clone(),
        HirKind::Repetition(Repetition { min, max: Some(max), .. }) if *max <= 3 => {
            let one = parts.first()?.texts.as_ref()?;
            let mut all = Literals::new();
            let mut repeated = Literals::from([Vec::new()]);
            for times in 0..=*max {
                if times >= *min {
                    all.extend(repeated.iter().cloned());
                }
                repeated = product(&repeated, one)?;
            }
            (all.len() <= MOST_IN_PART).then_some(all)
        }
        HirKind::Concat(_) => parts
            .iter()
            .try_fold(Literals::from([Vec::new()]), |joined, part| product(&joined, part.texts.as_ref()?)),
        HirKind::Alternation(_) => {
            let mut all = Literals::new();
            for branch in parts {
                all.extend(branch.texts.as_ref()?.iter().cloned());
            }
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Repetition(_) => None,
    }
}

/// How every match of this begins, if that is one of few texts.
fn beginnings(hir: &Hir, parts: &[Known]) -> Option<Literals> {
    match hir.kind() {
        HirKind::Capture(_) => parts.first()?.beginnings.clone(),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            let sub = parts.first()?;
            let Some(one) = &sub.texts else { return sub.beginnings.clone() };
            let mut repeated = one.clone();
            for _ in 1..repetition.min.min(4) {
                repeated = product(&repeated, one).unwrap_or(repeated);
            }
            Some(repeated)
        }
        HirKind::Concat(_) => {
            let mut joined = Literals::from([Vec::new()]);
            for part in parts {
                let Some(longer) = part.texts.as_ref().and_then(|next| product(&joined, next)) else {
                    let longer = part.beginnings.as_ref().and_then(|next| product(&joined, next));
                    return Some(longer.unwrap_or(joined));
                };
                joined = longer;
            }
            Some(joined)
        }
        HirKind::Alternation(_) => {
            let mut all = Literals::new();
            for branch in parts {
                all.extend(branch.first()?.iter().cloned());
            }
            (all.len() <= MOST).then_some(all)
        }
        _ => None,
    }
}

/// A small class as texts of one byte.
fn class(hir: &Hir) -> Option<Literals> {
    const MOST_IN_CLASS: usize = 12;
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else { return None };
    let bytes = || class.iter().flat_map(|range| range.start()..=range.end());
    (bytes().count() <= MOST_IN_CLASS).then(|| bytes().map(|byte| vec![byte]).collect())
}

/// Each of the first followed by each of the second, cut where they are long enough.
fn product(first: &Literals, second: &Literals) -> Option<Literals> {
    if first.len().saturating_mul(second.len()) > MOST_IN_PART.max(first.len()).max(second.len()) {
        return None;
    }
    if first.len().saturating_mul(second.len()) > MOST {
        return None;
    }
    let joined = |first: &Vec<u8>, second: &Vec<u8>| [first.as_slice(), second].concat();
    Some(first.iter().flat_map(|one| second.iter().map(move |other| joined(one, other))).collect())
}

fn shortest(literals: &Literals) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

/// Those that ordinary values have more rarely.
fn better(one: Literals, other: Literals) -> Literals {
    if rarity(&other) > rarity(&one) { other } else { one }
}

/// Longer literals are rarer, fewer too, and so are those with other bytes than letters.
fn rarity(literals: &Literals) -> (usize, usize, std::cmp::Reverse<usize>) {
    let least = literals.iter().map(|literal| weight(literal)).min().unwrap_or(0);
    let least_of_marks = literals.iter().map(|literal| marks(literal)).min().unwrap_or(0).min(1);
    (least, least_of_marks, std::cmp::Reverse(literals.len()))
}

/// How rare a literal is in ordinary values.
fn weight(literal: &[u8]) -> usize {
    match literal {
        [] => 0,
        [byte] if RARE_BYTES.contains(byte) => WORTH_SEEKING,
        [_] => 1,
        _ => (literal.len() + marks(literal).min(2)).min(RARE),
    }
}

fn marks(literal: &[u8]) -> usize {
    literal.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count()
}
