//! Comparisons with a text: `beginsWith`, `contains`, `containsWord`, `endsWith`, `streq`, `strmatch`, `within`.

use std::ops::Range;

use memchr::memmem;

/// How a value is compared with the argument. Case matters in all of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    BeginsWith,
    Contains,
    ContainsWord,
    EndsWith,
    Equals,
    /// The value stands somewhere in the argument; an empty one stands anywhere.
    Within,
}

impl Text {
    /// Whether the argument stands in every value for which the comparison holds.
    pub(super) fn holds_the_argument(self) -> bool {
        !matches!(self, Self::Within)
    }

    /// The part of `value` that decides, if the comparison holds.
    pub(super) fn find(self, value: &[u8], argument: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::BeginsWith => value.starts_with(argument).then_some(0..argument.len()),
            Self::Contains => memmem::find(value, argument).map(|start| start..start + argument.len()),
            Self::ContainsWord => find_word(value, argument),
            Self::EndsWith => value.ends_with(argument).then(|| value.len() - argument.len()..value.len()),
            Self::Equals => (value == argument).then_some(0..value.len()),
            Self::Within => memmem::find(argument, value).map(|_| 0..value.len()),
        }
    }
}

/// The word with no ASCII letter beside it; digits and underscores do not make it part of a longer word.
fn find_word(value: &[u8], word: &[u8]) -> Option<Range<usize>> {
    if word.is_empty() {
        return Some(0..0);
    }
    let letter_at = |position: Option<usize>| {
        position.and_then(|position| value.get(position)).is_some_and(u8::is_ascii_alphabetic)
    };
    memchr_each(value, word)
        .map(|start| start..start + word.len())
        .find(|found| !letter_at(found.start.checked_sub(1)) && !letter_at(Some(found.end)))
}

/// Every place of `word`, also where two of them overlap.
fn memchr_each<'v>(value: &'v [u8], word: &'v [u8]) -> impl Iterator<Item = usize> + 'v {
    let finder = memmem::Finder::new(word);
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + finder.find(value.get(from..)?)?;
        from = start + 1;
        Some(start)
    })
}
