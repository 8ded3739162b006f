//! Transformations: what is done to a value before an operator looks at it.
//!
//! Each is a pure function of bytes, linear in their number. Truth is what libmodsecurity 3 does, its
//! quirks included, because rules were written and tuned against those; a quirk is named where it is kept.
//! [`Transformation::apply`] borrows exactly when the value stays as it was, so that whoever keeps
//! transformed values can share the storage of the untouched ones.

mod base64;
mod best_fit;
mod case;
mod command_line;
mod comments;
mod css;
mod escape_sequences;
mod hash;
mod hex;
mod html;
mod javascript;
mod length;
mod nulls;
mod parity;
mod path;
mod sql_hex;
mod touches;
mod trim;
mod unicode;
mod url;
mod whitespace;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use hex::byte_at as hex_byte;
pub(crate) use touches::{Transformations, profile};

/// One step of a rule's `t:` list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transformation {
    /// Base64, strict: the whole value or nothing.
    Base64Decode,
    /// Base64, forgiving: what does not belong to the alphabet is skipped.
    Base64DecodeExt,
    /// Base64 with padding.
    Base64Encode,
    /// Undoes the ways in which a shell command can be written.
    CmdLine,
    /// Runs of white space become one space.
    CompressWhitespace,
    /// CSS 2 escapes.
    CssDecode,
    /// ANSI C escapes.
    EscapeSeqDecode,
    /// Pairs of hexadecimal digits become bytes.
    HexDecode,
    /// Bytes become pairs of hexadecimal digits.
    HexEncode,
    /// Numeric entities and five named ones.
    HtmlEntityDecode,
    /// JavaScript escapes.
    JsDecode,
    /// The number of bytes, in decimal.
    Length,
    /// ASCII letters to lower case.
    Lowercase,
    /// The MD5 digest, raw.
    Md5,
    /// Forgets the transformations listed before it; by itself it changes nothing.
    None,
    /// `.`, `..` and repeated slashes of a path resolved.
    NormalizePath,
    /// As `NormalizePath`, with backslashes read as slashes.
    NormalizePathWin,
    /// The eighth bit becomes even parity of the seven others.
    ParityEven7Bit,
    /// The eighth bit becomes odd parity of the seven others.
    ParityOdd7Bit,
    /// The eighth bit cleared.
    ParityZero7Bit,
    /// Comments of SQL, C and HTML removed.
    RemoveComments,
    /// The marks of comments removed, their text kept.
    RemoveCommentsChar,
    /// NUL bytes removed.
    RemoveNulls,
    /// White space removed.
    RemoveWhitespace,
    /// C comments become one space.
    ReplaceComments,
    /// NUL bytes become spaces.
    ReplaceNulls,
    /// The SHA-1 digest, raw.
    Sha1,
    /// SQL hexadecimal literals (`0x414243`) become bytes.
    SqlHexDecode,
    /// White space of both ends removed.
    Trim,
    /// White space of the beginning removed.
    TrimLeft,
    /// White space of the end removed.
    TrimRight,
    /// ASCII letters to upper case.
    Uppercase,
    /// Percent-encoding and `+`; what is not well encoded stays.
    UrlDecode,
    /// As `UrlDecode`, and `%uXXXX` as IIS reads it, fitted to ASCII.
    UrlDecodeUni,
    /// Percent-encoding of all but ASCII letters, digits and `*`.
    UrlEncode,
    /// UTF-8 sequences become `%uXXXX`.
    Utf8ToUnicode,
}

impl Transformation {
    /// Every transformation with the name it is known by.
    pub const NAMES: [(&str, Self); 36] = [
        ("base64Decode", Self::Base64Decode),
        ("base64DecodeExt", Self::Base64DecodeExt),
        ("base64Encode", Self::Base64Encode),
        ("cmdLine", Self::CmdLine),
        ("compressWhitespace", Self::CompressWhitespace),
        ("cssDecode", Self::CssDecode),
        ("escapeSeqDecode", Self::EscapeSeqDecode),
        ("hexDecode", Self::HexDecode),
        ("hexEncode", Self::HexEncode),
        ("htmlEntityDecode", Self::HtmlEntityDecode),
        ("jsDecode", Self::JsDecode),
        ("length", Self::Length),
        ("lowercase", Self::Lowercase),
        ("md5", Self::Md5),
        ("none", Self::None),
        ("normalizePath", Self::NormalizePath),
        ("normalizePathWin", Self::NormalizePathWin),
        ("parityEven7bit", Self::ParityEven7Bit),
        ("parityOdd7bit", Self::ParityOdd7Bit),
        ("parityZero7bit", Self::ParityZero7Bit),
        ("removeComments", Self::RemoveComments),
        ("removeCommentsChar", Self::RemoveCommentsChar),
        ("removeNulls", Self::RemoveNulls),
        ("removeWhitespace", Self::RemoveWhitespace),
        ("replaceComments", Self::ReplaceComments),
        ("replaceNulls", Self::ReplaceNulls),
        ("sha1", Self::Sha1),
        ("sqlHexDecode", Self::SqlHexDecode),
        ("trim", Self::Trim),
        ("trimLeft", Self::TrimLeft),
        ("trimRight", Self::TrimRight),
        ("uppercase", Self::Uppercase),
        ("urlDecode", Self::UrlDecode),
        ("urlDecodeUni", Self::UrlDecodeUni),
        ("urlEncode", Self::UrlEncode),
        ("utf8toUnicode", Self::Utf8ToUnicode),
    ];

    /// The transformation called `name`, without regard to case; the older British spellings are known too.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            _ if name.eq_ignore_ascii_case("normalisePath") => "normalizePath",
            _ if name.eq_ignore_ascii_case("normalisePathWin") => "normalizePathWin",
            other => other,
        };
        let mut known = Self::NAMES.iter();
        known.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, transformation)| *transformation)
    }

    /// The name, as the reference manual writes it.
    pub fn name(self) -> &'static str {
        let mut known = Self::NAMES.iter();
        known.find(|(_, transformation)| *transformation == self).map_or("", |(name, _)| name)
    }

    /// The transformed value: borrowed if and only if it is the value itself.
    ///
    /// An answer is never longer than [`Self::longest`] of the value's length.
    pub fn apply(self, value: &[u8]) -> Cow<'_, [u8]> {
        #[cfg(test)]
        crate::work::add(value.len());
        match self.rewrite(value) {
            Some(rewritten) if rewritten != value => Cow::Owned(rewritten),
            _ => Cow::Borrowed(value),
        }
    }

    /// The most bytes that a value of `length` bytes may become.
    pub fn longest(self, length: usize) -> usize {
        match self {
            Self::Length | Self::Md5 | Self::Sha1 => 20,
            Self::Base64Encode => length.div_ceil(3).saturating_mul(4),
            Self::HexEncode => length.saturating_mul(2),
            Self::UrlEncode => length.saturating_mul(3),
            Self::Utf8ToUnicode => length.saturating_mul(4),
            _ => length,
        }
    }

    /// The value written anew, or `None` where a glance shows that nothing would change.
    fn rewrite(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Base64Decode => Some(base64::decode(value)),
            Self::Base64DecodeExt => Some(base64::decode_forgiving(value)),
            Self::Base64Encode => Some(base64::encode(value)),
            Self::CmdLine => command_line::undress(value),
            Self::CompressWhitespace => whitespace::compress(value),
            Self::CssDecode => css::decode(value),
            Self::EscapeSeqDecode => escape_sequences::decode(value),
            Self::HexDecode => Some(hex::decode(value)),
            Self::HexEncode => Some(hex::encode(value)),
            Self::HtmlEntityDecode => html::decode(value),
            Self::JsDecode => javascript::decode(value),
            Self::Length => Some(length::count(value)),
            Self::Lowercase => case::lower(value),
            Self::Md5 => Some(hash::md5(value)),
            Self::None => None,
            Self::NormalizePath => path::normalize(value),
            Self::NormalizePathWin => path::normalize_windows(value),
            Self::ParityEven7Bit => Some(parity::even(value)),
            Self::ParityOdd7Bit => Some(parity::odd(value)),
            Self::ParityZero7Bit => parity::zero(value),
            Self::RemoveComments => comments::remove(value),
            Self::RemoveCommentsChar => comments::remove_marks(value),
            Self::RemoveNulls => nulls::remove(value),
            Self::RemoveWhitespace => whitespace::remove(value),
            Self::ReplaceComments => comments::replace(value),
            Self::ReplaceNulls => nulls::replace(value),
            Self::Sha1 => Some(hash::sha1(value)),
            Self::SqlHexDecode => sql_hex::decode(value),
            Self::Trim => trim::both(value),
            Self::TrimLeft => trim::left(value),
            Self::TrimRight => trim::right(value),
            Self::Uppercase => case::upper(value),
            Self::UrlDecode => url::decode(value),
            Self::UrlDecodeUni => url::decode_unicode(value),
            Self::UrlEncode => url::encode(value),
            Self::Utf8ToUnicode => unicode::from_utf8(value),
        }
    }
}
