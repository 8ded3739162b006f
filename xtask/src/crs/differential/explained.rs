//! Classes of differences between both engines on whole requests; `crates/seclang/tests/differences.md` explains each.

use super::peer::Verdict;
use crate::wire::Request;

/// A request on which both do not agree.
pub(crate) struct Seen<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) ours: &'a Verdict,
    pub(crate) theirs: &'a Verdict,
}

/// Which engine has more: a rule that only it matched, or the higher score.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Here,
    There,
}

pub(crate) struct Class {
    /// As in the file.
    pub(crate) name: &'static str,
    concerns: fn(&Seen<'_>) -> bool,
    /// Empty for a class that can make any rule differ.
    rules: &'static [u64],
    /// On which side it makes them match; both where there is none.
    side: Option<Side>,
}

pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "`MATCHED_VARS`",
        concerns: |_| true,
        rules: &[932_180, 932_200, 932_206, 932_240, 933_150, 941_310, 942_200, 942_440, 944_110, 944_120],
        side: Some(Side::There),
    },
    Class {
        name: "Captures of several values",
        concerns: |_| true,
        rules: &[942_130, 942_131, 942_521],
        side: None,
    },
    Class {
        name: "Line ends behind headers of parts",
        concerns: |seen| has_media_type(seen, "multipart/"),
        rules: &[922_110],
        side: Some(Side::There),
    },
    Class { name: "`@pmFromFile`", concerns: |_| true, rules: &[930_120, 930_130], side: Some(Side::Here) },
    Class {
        name: "Bodies that cannot be read to their end",
        concerns: |seen| seen.ours.rules.range(200_002..=200_004).next().is_some(),
        rules: &[],
        side: None,
    },
    Class {
        name: "A document type in XML",
        concerns: |seen| seen.request.body.windows(9).any(|start| start.eq_ignore_ascii_case(b"<!DOCTYPE")),
        rules: &[],
        side: Some(Side::Here),
    },
    Class {
        name: "Two `Content-Type` headers",
        concerns: |seen| content_types(seen).count() > 1,
        rules: &[],
        side: None,
    },
    Class {
        name: "`%3f` in a path",
        concerns: |seen| {
            let path = seen.request.target.split(|byte| *byte == b'?').next().unwrap_or_default();
            path.windows(3).any(|encoded| encoded.eq_ignore_ascii_case(b"%3f"))
        },
        rules: &[],
        side: None,
    },
    Class {
        name: "A target in absolute form, or without `/`",
        concerns: |seen| !seen.request.target.starts_with(b"/"),
        rules: &[],
        side: None,
    },
    Class {
        name: "A fragment (`#`) in the target",
        concerns: |seen| seen.request.target.contains(&b'#'),
        rules: &[],
        side: None,
    },
];

/// Why only one side has this rule, if that is known.
pub(crate) fn rule(rule: u64, side: Side, seen: &Seen<'_>) -> Option<&'static str> {
    known(side, seen, |class| class.rules.is_empty() || class.rules.contains(&rule))
}

/// Why a side has the higher score although the same rules have matched, if that is known: a rule scores for each value.
pub(crate) fn score(side: Side, seen: &Seen<'_>) -> Option<&'static str> {
    let has_matched = |rule: &u64| seen.ours.rules.contains(rule) && seen.theirs.rules.contains(rule);
    known(side, seen, |class| class.rules.is_empty() || class.rules.iter().any(has_matched))
}

fn known(side: Side, seen: &Seen<'_>, has_rules: impl Fn(&Class) -> bool) -> Option<&'static str> {
    let mut classes = CLASSES.iter();
    let class = classes
        .find(|class| class.side.is_none_or(|its| its == side) && has_rules(class) && (class.concerns)(seen));
    class.map(|class| class.name)
}

fn content_types<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = &'a [u8]> {
    let headers = seen.request.headers.iter();
    headers.filter(|(name, _)| name.eq_ignore_ascii_case(b"Content-Type")).map(|(_, value)| *value)
}

fn has_media_type(seen: &Seen<'_>, start: &str) -> bool {
    content_types(seen).any(|value| {
        value.get(..start.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(start.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    fn verdict(rules: &[u64], score: u64) -> Verdict {
        Verdict { rules: rules.iter().copied().collect(), score: Some(score) }
    }

    #[test]
    fn a_class_explains_its_rules_its_side_and_its_requests_only() {
        let explains = |bytes: &[u8], rule: u64, side| {
            let request = wire::parse(bytes).unwrap();
            let nothing = Verdict::default();
            super::rule(rule, side, &Seen { request: &request, ours: &nothing, theirs: &nothing })
        };
        let plain = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(explains(plain, 944_110, Side::There), Some("`MATCHED_VARS`"));
        assert_eq!(explains(plain, 944_110, Side::Here), None);
        assert_eq!(explains(plain, 942_100, Side::There), None);
        assert_eq!(explains(plain, 922_110, Side::There), None);
        let path = b"GET /a%3Fb HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(explains(path, 942_100, Side::There), Some("`%3f` in a path"));
    }

    #[test]
    fn a_score_is_explained_by_a_rule_that_both_have() {
        let explains = |ours: &Verdict, theirs: &Verdict| {
            let request = wire::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            score(Side::There, &Seen { request: &request, ours, theirs })
        };
        let (less, more) = (verdict(&[944_110], 5), verdict(&[944_110], 10));
        assert_eq!(explains(&less, &more), Some("`MATCHED_VARS`"));
        assert_eq!(explains(&verdict(&[942_100], 5), &verdict(&[942_100], 10)), None);
    }
}
