//! A pattern in lower case: what matches a value, matches in lower case the value in lower case.
//!
//! Without this, a pattern that ignores case would have two literals for each letter, and their combinations.

use regex_syntax::{
    ParserBuilder,
    hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Repetition},
};

/// The pattern, parsed as `Pattern` compiles it, in lower case.
pub(super) fn parse(pattern: &str) -> Option<Hir> {
    let parsed = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .multi_line(true)
        .dot_matches_new_line(true)
        .build()
        .parse(pattern)
        .ok()?;
    Some(lowered(&parsed))
}

fn lowered(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Literal(literal) => Hir::literal(literal.0.to_ascii_lowercase()),
        HirKind::Class(class) => Hir::class(Class::Bytes(lowered_class(class))),
        HirKind::Capture(capture) => lowered(&capture.sub),
        HirKind::Repetition(repetition) => {
            Hir::repetition(Repetition { sub: Box::new(lowered(&repetition.sub)), ..repetition.clone() })
        }
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(lowered).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(lowered).collect()),
    }
}

fn lowered_class(class: &Class) -> ClassBytes {
    let class = match class {
        Class::Bytes(class) => Some(class.clone()),
        Class::Unicode(class) => class.to_byte_class(),
    };
    let Some(class) = class else { return ClassBytes::new([ClassBytesRange::new(0, u8::MAX)]) };
    let bytes = class.iter().flat_map(|range| range.start()..=range.end());
    ClassBytes::new(bytes.map(|byte| byte.to_ascii_lowercase()).map(|byte| ClassBytesRange::new(byte, byte)))
}
