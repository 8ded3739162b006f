//! How often rules fired, and for whom.

use std::{collections::BTreeMap, sync::Arc};

use bartizan_detection::{Detector, Finding, Matched, Moment, Rule, RuleSet, Settings, SigmaDetector};
use serde::Serialize;
use serde_json::Value;

use crate::output::{Cell, FAINT, PLAIN, Table, printable};

/// How many of those that a rule fired for are told.
const MAX_SUBJECTS: usize = 10;
/// How many of them are counted one by one.
const MAX_COUNTED: usize = 10_000;

/// Rules that are shown events, and how often each fires.
pub(super) struct Firing {
    detector: SigmaDetector,
    counts: BTreeMap<String, Count>,
}

/// How often a rule fired, and for whom.
#[derive(Debug, Serialize)]
pub(super) struct Fired {
    rule: Arc<Rule>,
    times: u64,
    first: Moment,
    last: Moment,
    /// The most frequent first.
    subjects: Vec<Subject>,
}

/// For whom: a group of the correlation, or what of the event met the rule.
#[derive(Debug, Serialize)]
struct Subject {
    fields: Vec<Matched>,
    times: u64,
}

#[derive(Default)]
struct Count {
    times: u64,
    first: Option<Moment>,
    last: Option<Moment>,
    subjects: BTreeMap<Vec<Matched>, u64>,
}

impl Firing {
    /// `utc_offset` is that of local time to UTC, in minutes.
    pub(super) fn new(rules: RuleSet, utc_offset: i16) -> Self {
        let detector = SigmaDetector::new(rules, Settings { utc_offset, ..Settings::default() });
        Self { detector, counts: BTreeMap::new() }
    }

    /// Shows an event that happened at `time`. The oldest come first.
    pub(super) fn show(&mut self, event: &Value, time: Moment) {
        for finding in self.detector.observe(event, time) {
            self.counts.entry(finding.rule.id.clone()).or_default().add(&finding);
        }
    }

    /// The rules that fired, the worst first.
    pub(super) fn finish(mut self) -> Vec<Fired> {
        let known = self.detector.rules().to_vec();
        let fired = known.into_iter().filter_map(|rule| self.counts.remove(&rule.id)?.fired(rule));
        let mut fired: Vec<_> = fired.collect();
        fired.sort_by_key(|fired| std::cmp::Reverse((fired.rule.severity, fired.times)));
        fired
    }
}

impl Fired {
    /// What a person reads.
    pub(super) fn table(fired: &[Self]) -> String {
        if fired.is_empty() {
            return "no rule would have fired".into();
        }
        let mut table = Table::new(&["LEVEL", "TIMES", "TITLE", "FOR"]);
        for Self { rule, times, subjects, .. } in fired {
            for (index, subject) in subjects.iter().enumerate() {
                let (level, total, title) = match index {
                    0 => (rule.severity.name(), times.to_string(), rule.title.as_str()),
                    _ => ("", String::new(), ""),
                };
                table.row([
                    Cell::new(PLAIN, level),
                    Cell::new(PLAIN, total),
                    Cell::new(PLAIN, title),
                    Cell::new(FAINT, subject.told()),
                ]);
            }
        }
        table.to_string()
    }
}

impl Subject {
    fn told(&self) -> String {
        let fields = self.fields.iter().map(|part| format!("{}={}", part.field, printable(&part.value)));
        let fields = fields.collect::<Vec<_>>().join(" ");
        if fields.is_empty() {
            format!("all together ({})", self.times)
        } else {
            format!("{fields} ({})", self.times)
        }
    }
}

impl Count {
    fn add(&mut self, finding: &Finding) {
        self.times += 1;
        self.first = self.first.into_iter().chain([finding.first]).min();
        self.last = self.last.into_iter().chain([finding.last]).max();
        let is_alone =
            finding.group.is_empty() && finding.rule.kind == bartizan_detection::RuleKind::Condition;
        let subject = if is_alone { &finding.matched } else { &finding.group };
        if let Some(times) = self.subjects.get_mut(subject) {
            *times += 1;
        } else if self.subjects.len() < MAX_COUNTED {
            self.subjects.insert(subject.clone(), 1);
        }
    }

    fn fired(self, rule: Arc<Rule>) -> Option<Fired> {
        let subjects = self.subjects.into_iter().map(|(fields, times)| Subject { fields, times });
        let mut subjects: Vec<_> = subjects.collect();
        subjects.sort_by_key(|subject| std::cmp::Reverse(subject.times));
        subjects.truncate(MAX_SUBJECTS);
        Some(Fired { rule, times: self.times, first: self.first?, last: self.last?, subjects })
    }
}
