//! Every transformation, `@detectSQLi` and `@detectXSS` on the same values, here and in the reference.

use anyhow::{Result, ensure};
use bartizan_seclang::{
    Operator, Transformation,
    ast::{self, OperatorName, Template},
};

use super::{
    random::Random,
    reference::{self, Answers, Reference},
    tally::Tally,
    values::Values,
};

/// As many values are given to the reference at once.
const BATCH: usize = 20_000;

/// Known differences, by their heading in `crates/seclang/tests/differences.md`.
pub(crate) const CUT_AT_NUL: &str = "`cssDecode`";
pub(crate) const CUT_AND_SHORTENED: &str = "`sqlHexDecode`";

struct Detectors {
    sql: Operator,
    script: Operator,
}

/// Compares as many values; also says what the reference is.
pub(crate) fn compare(
    reference: &Reference,
    values: &Values,
    count: usize,
    random: &mut Random,
) -> Result<(Tally, String)> {
    let operator = |name| {
        let argument = Template::default();
        Operator::compile(&ast::Operator { name, negated: false, argument }, &[] as &[&[u8]])
    };
    let detectors =
        Detectors { sql: operator(OperatorName::DetectSqli)?, script: operator(OperatorName::DetectXss)? };
    let (mut tally, mut description) = (Tally::of("values"), String::new());
    while tally.compared_so_far() < count {
        let size = BATCH.min(count - tally.compared_so_far());
        let batch: Vec<_> = (0..size).map(|_| values.one(random)).collect();
        let (output, said) = reference.ask(&batch)?;
        description = said;
        let mut rest = output.as_slice();
        for value in &batch {
            compare_one(value, &reference::answers(&mut rest)?, &detectors, &mut tally);
        }
        ensure!(rest.is_empty(), "the reference said more than it was asked");
    }
    Ok((tally, description))
}

fn compare_one(value: &[u8], reference: &Answers<'_>, detectors: &Detectors, tally: &mut Tally) {
    tally.compared();
    for ((name, transformation), theirs) in Transformation::NAMES.iter().zip(&reference.transformed) {
        let ours = transformation.apply(value);
        if *ours == **theirs {
            continue;
        }
        match explanation(*transformation, &ours, theirs) {
            Some(class) => tally.explained(class),
            None => tally.unexplained(|| difference(name, value, &ours, theirs)),
        }
    }
    let found = detectors.sql.matches(value, b"").and_then(|found| found.fingerprint).unwrap_or_default();
    if found.as_bytes() != reference.sql {
        tally.unexplained(|| difference("@detectSQLi", value, found.as_bytes(), reference.sql));
    }
    let is_script = detectors.script.matches(value, b"").is_some();
    if is_script != reference.is_script {
        let word = |is_script: bool| if is_script { "script" } else { "none" };
        tally.unexplained(|| {
            difference("@detectXSS", value, word(is_script).as_bytes(), word(reference.is_script).as_bytes())
        });
    }
}

/// Why the reference says something else, if that is known.
fn explanation(transformation: Transformation, ours: &[u8], theirs: &[u8]) -> Option<&'static str> {
    let kept = ours.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_shorter_by_one = kept.split_last().is_some_and(|(_, front)| front == theirs);
    match transformation {
        Transformation::CssDecode if theirs == kept => Some(CUT_AT_NUL),
        Transformation::SqlHexDecode if theirs == kept || is_shorter_by_one => Some(CUT_AND_SHORTENED),
        _ => None,
    }
}

fn difference(name: &str, value: &[u8], ours: &[u8], theirs: &[u8]) -> String {
    let [value, ours, theirs] = [value, ours, theirs].map(|bytes| bytes.escape_ascii().to_string());
    format!("{name} of \"{value}\": \"{ours}\" here, \"{theirs}\" there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_cut_off_is_explained() {
        let explained =
            |ours: &[u8], theirs: &[u8]| explanation(Transformation::CssDecode, ours, theirs).is_some();
        assert!(explained(b"a\0b", b"a") && !explained(b"a\0b", b"b") && !explained(b"ab", b"a"));
        let explained =
            |ours: &[u8], theirs: &[u8]| explanation(Transformation::SqlHexDecode, ours, theirs).is_some();
        assert!(explained(b"ab", b"a") && explained(b"a\0b", b"a") && !explained(b"abc", b"a"));
        assert_eq!(explanation(Transformation::JsDecode, b"a\0b", b"a"), None);
    }
}
