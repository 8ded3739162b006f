//! A field line (RFC 9110 §5, RFC 9112 §5), without its line end.

use super::{
    Violation,
    byte_class::{TOKEN, is_field_value, run},
};

/// A well-formed field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldLine<'a> {
    /// The name, as sent.
    pub(super) name: &'a [u8],
    /// The value, without the whitespace around it.
    pub(super) value: &'a [u8],
}

impl<'a> FieldLine<'a> {
    /// Parses `line`, which is not empty.
    pub(super) fn parse(line: &'a [u8], refuse_underscores: bool) -> Result<Self, Violation> {
        let (name, rest) = line.split_at(run(line, TOKEN));
        let value = match rest.split_first() {
            Some((b':', value)) if !name.is_empty() => value,
            Some((b' ' | b'\t', _)) if name.is_empty() => return Err(Violation::ObsoleteFolding),
            Some((b' ' | b'\t', _)) => return Err(Violation::WhitespaceBeforeColon),
            Some((b'\r', _)) => return Err(Violation::BareCarriageReturn),
            Some((byte, _)) if byte.is_ascii_control() => return Err(Violation::ControlCharacter),
            _ => return Err(Violation::FieldName),
        };
        if !is_field_value(value) {
            let bare = value.contains(&b'\r');
            return Err(if bare { Violation::BareCarriageReturn } else { Violation::ControlCharacter });
        }
        if refuse_underscores && name.contains(&b'_') {
            return Err(Violation::Underscore);
        }
        Ok(Self { name, value: value.trim_ascii() })
    }

    /// Whether its name is `name`, which is in lower case.
    #[inline]
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}
