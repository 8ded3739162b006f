//! What looks at events.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    correlation::Held,
    event::Observed,
    finding::{Finding, Matched, Moment, shortened},
    rule::Rule,
    rule_set::RuleSet,
};

/// Finds in a stream of events what rules describe.
///
/// The same events in the same order give the same findings. They are best shown in the order of their times; one that
/// comes late counts as far as its window still reaches back to it.
pub trait Detector: Send {
    /// Looks at an event in OCSF's shape, and at what came before it.
    fn observe(&mut self, event: &Value, time: Moment) -> Vec<Finding>;

    /// The rules, those that are only parts of others included.
    fn rules(&self) -> &[Arc<Rule>];
}

/// How much of the past is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most groups of each correlation. Those that were seen longest ago are forgotten first.
    pub groups: usize,
    /// The most events, values and sums that the groups of each correlation hold together.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { groups: 10_000, entries: 20_000 }
    }
}

/// How events are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// How much is remembered.
    pub limits: Limits,
    /// The offset of local time to UTC in minutes, for rules about hours and days of the week.
    pub utc_offset: i16,
}

/// The detector that Sigma rules are for.
pub struct SigmaDetector {
    rules: RuleSet,
    settings: Settings,
}

impl SigmaDetector {
    /// One that has seen nothing yet.
    pub fn new(rules: RuleSet, settings: Settings) -> Self {
        Self { rules, settings }
    }
}

/// What a correlation waits for and has happened: which one, the place of the rule in it, what of the event met it.
type Met = (usize, usize, Arc<[Matched]>);

impl Detector for SigmaDetector {
    fn observe(&mut self, event: &Value, time: Moment) -> Vec<Finding> {
        let event = Observed::new(event, time, self.settings.utc_offset);
        let Self { rules: RuleSet { rules, conditions, correlations, waiting }, settings } = self;
        let mut findings = Vec::new();
        let mut met: Vec<Met> = Vec::new();
        let mut tell = |number: usize, met: &mut Vec<Met>, matched: Arc<[Matched]>, held: Option<Held>| {
            let waiting = waiting.get(number).map(Vec::as_slice).unwrap_or_default();
            met.extend(
                waiting.iter().map(|&(correlation, place)| (correlation, place, Arc::clone(&matched))),
            );
            if let Some(rule) = rules.get(number).filter(|rule| rule.reports) {
                findings.push(finding(rule, &event, time, matched.to_vec(), held));
            }
        };
        for found in conditions.matches(&event) {
            tell(found.rule, &mut met, found.matched.into(), None);
        }
        // Correlations stand behind those that they wait for, so one walk is enough.
        for (index, (number, correlation)) in correlations.iter_mut().enumerate() {
            let mut mine: Vec<_> = met.extract_if(.., |(waiting, ..)| *waiting == index).collect();
            // The last steps first: one event is not two steps of a sequence.
            mine.sort_by_key(|(_, place, _)| std::cmp::Reverse(*place));
            if !correlation.is_about_rules() {
                // It counts events: one that meets two of its rules is one.
                mine.truncate(1);
            }
            let mut told = None;
            for (_, place, matched) in mine {
                if let Some(held) = correlation.add(place, &event, time, &settings.limits) {
                    told = Some((matched, held));
                }
            }
            if let Some((matched, held)) = told {
                tell(*number, &mut met, matched, Some(held));
            }
        }
        findings
    }

    fn rules(&self) -> &[Arc<Rule>] {
        &self.rules.rules
    }
}

fn finding(
    rule: &Arc<Rule>,
    event: &Observed<'_>,
    time: Moment,
    matched: Vec<Matched>,
    held: Option<Held>,
) -> Finding {
    let rule = Arc::clone(rule);
    let Some(Held { group, counted }) = held else {
        let events = event.id().map(|id| Arc::from(shortened(id))).into_iter().collect();
        return Finding { rule, matched, group: Vec::new(), count: 1, first: time, last: time, events };
    };
    Finding {
        rule,
        matched,
        group,
        count: counted.count,
        first: counted.first,
        last: counted.last,
        events: counted.events,
    }
}
