//! Which bytes a transformation acts on: a value without any of them stays as it is.
//!
//! This is what makes most transformations of an ordinary value free: one look at the value says which of them can
//! change it at all.

use std::sync::LazyLock;

use super::Transformation;
use crate::byte_set::ByteSet;

/// A set of transformations, one bit each.
pub(crate) type Transformations = u64;

/// For each byte, the transformations that may change a value which holds it.
static BY_BYTE: LazyLock<[Transformations; 256]> = LazyLock::new(|| {
    let mut table = [0; 256];
    for (_, transformation) in Transformation::NAMES {
        if let Some(bytes) = transformation.acts_on() {
            bytes.bytes().for_each(|byte| table[usize::from(byte)] |= transformation.bit());
        }
    }
    table
});

/// Those that may change a value whatever it holds.
static ALWAYS: LazyLock<Transformations> = LazyLock::new(|| {
    let all = Transformation::NAMES.iter().map(|(_, transformation)| transformation);
    all.filter(|transformation| transformation.acts_on().is_none()).fold(0, |set, one| set | one.bit())
});

/// Which bytes a value holds, and which transformations may change it.
pub(crate) fn profile(value: &[u8]) -> (ByteSet, Transformations) {
    /// Of longer values bytes are noted first, and what they mean once for each.
    const SHORT: usize = 256;
    let table = &*BY_BYTE;
    let (mut present, mut touching) = (ByteSet::EMPTY, *ALWAYS);
    let mut note = |byte: u8, present: &mut ByteSet| {
        *present = present.with(byte);
        touching |= table[usize::from(byte)];
    };
    if value.len() < SHORT {
        // Two sets in turns: writing into one need not wait for what was just written into the other.
        let mut others = ByteSet::EMPTY;
        let mut pairs = value.chunks_exact(2);
        for pair in &mut pairs {
            if let [one, other] = *pair {
                note(one, &mut present);
                note(other, &mut others);
            }
        }
        pairs.remainder().iter().for_each(|byte| note(*byte, &mut present));
        present.add(&others);
    } else {
        let mut seen = [false; 256];
        for byte in value {
            seen[usize::from(*byte)] = true;
        }
        (0..=u8::MAX).filter(|byte| seen[usize::from(*byte)]).for_each(|byte| note(byte, &mut present));
    }
    (present, touching)
}

impl Transformation {
    pub(crate) const fn bit(self) -> Transformations {
        1 << self as u8
    }

    /// The bytes of which a value must hold one to be changed; nothing where any value may be.
    fn acts_on(self) -> Option<ByteSet> {
        const SPACE: ByteSet = ByteSet::of(b" \t\n\r\x0b\x0c\0\xa0\x85\xc2");
        const UPPER: ByteSet = ByteSet::EMPTY.with_range(b'A', b'Z');
        const LOWER: ByteSet = ByteSet::EMPTY.with_range(b'a', b'z');
        Some(match self {
            Self::None => ByteSet::EMPTY,
            Self::CmdLine => {
                let mut bytes = UPPER;
                bytes.add(&SPACE);
                bytes.add(&ByteSet::of(b"\\\"'^,;/("));
                bytes
            }
            Self::CompressWhitespace
            | Self::RemoveWhitespace
            | Self::Trim
            | Self::TrimLeft
            | Self::TrimRight => SPACE,
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => ByteSet::of(b"\\"),
            Self::HtmlEntityDecode => ByteSet::of(b"&"),
            Self::Lowercase => UPPER,
            Self::Uppercase => LOWER,
            Self::NormalizePath => ByteSet::of(b"/."),
            Self::NormalizePathWin => ByteSet::of(b"/\\."),
            Self::RemoveComments | Self::ReplaceComments => ByteSet::of(b"/*-#<\0"),
            Self::RemoveCommentsChar => ByteSet::of(b"/*-#<>"),
            Self::RemoveNulls | Self::ReplaceNulls => ByteSet::of(b"\0"),
            Self::UrlDecode | Self::UrlDecodeUni => ByteSet::of(b"%+"),
            Self::Utf8ToUnicode => ByteSet::EMPTY.with_range(0x80, 0xff).with(0),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_does_not_touch_a_value_leaves_it_alone(
            value in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"aA0 %+&\\/.*-#<>'\"".to_vec())], 0..24),
        ) {
            let (present, touching) = profile(&value);
            prop_assert!((0..=u8::MAX).all(|byte| present.contains(byte) == value.contains(&byte)));
            for (name, transformation) in Transformation::NAMES {
                if touching & transformation.bit() == 0 {
                    prop_assert_eq!(&*transformation.apply(&value), &value[..], "{}", name);
                }
            }
        }
    }
}
