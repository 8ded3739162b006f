//! Correlations: rules about what other rules found, by group and within a time.
//!
//! A correlation is told when its condition begins to hold for a group, and again at most once per `timespan` while it goes
//! on holding: somebody who tries ten thousand passwords is one finding, then another. Whatever lacks a field that the
//! correlation groups by, or counts, belongs to no group.

mod groups;
mod window;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt::Write,
    sync::Arc,
};

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, FieldAlias, WindowMode,
};

use self::{
    groups::Groups,
    window::{Addition, Seen, Window},
};
use crate::{
    detector::Limits,
    error::Reason,
    event::Observed,
    field,
    finding::{Matched, Moment, shortened},
    rule::RuleKind,
};

pub(crate) use self::window::Counted;

/// The most fields that a correlation groups by.
const MAX_FIELDS: usize = 8;
/// The most rules that a correlation waits for.
const MAX_RULES: usize = 32;
/// The longest `timespan`, in seconds.
const MAX_SPAN: u64 = 31 * 24 * 60 * 60;
/// The most events or values that a correlation counts.
const MAX_COUNT: u64 = 5_000;
/// How many events or values are held at least, so that a finding says more than that its threshold was met.
const MIN_KEPT: usize = 50;

/// A correlation, with what it remembers.
pub(crate) struct Correlation {
    kind: RuleKind,
    /// The rules that it waits for, by id or name.
    pub(crate) references: Vec<String>,
    group_by: Vec<Field>,
    /// What is counted or added up.
    value: Option<Field>,
    /// In milliseconds.
    span: i64,
    condition: Vec<(ConditionOperator, u64)>,
    /// Whether the rules that it waits for are told, too.
    pub(crate) generates: bool,
    keep: usize,
    groups: Groups,
}

/// A field that may have another path in events of another rule.
struct Field {
    name: String,
    /// By the places of the correlation's rules.
    paths: Vec<String>,
}

/// A correlation that holds for a group.
pub(crate) struct Held {
    pub(crate) group: Vec<Matched>,
    pub(crate) counted: Counted,
}

impl Correlation {
    pub(crate) fn compile(rule: &CorrelationRule) -> Result<Self, Reason> {
        let kind = kind(rule.correlation_type)?;
        if rule.window != WindowMode::Sliding {
            let what = "a window that does not slide".into();
            return Err(Reason::Unsupported { what, instead: "leave `window` out" });
        }
        if rule.rules.is_empty() {
            return Err(Reason::Missing("`correlation.rules`"));
        }
        let too_much = |what, limit| Err(Reason::TooMuch { what, limit });
        if rule.rules.len() > MAX_RULES {
            return too_much("the number of rules that it correlates", MAX_RULES);
        }
        if rule.group_by.len() > MAX_FIELDS {
            return too_much("the number of fields in `group-by`", MAX_FIELDS);
        }
        let seconds = rule.timespan.seconds;
        if seconds > MAX_SPAN {
            return too_much("`timespan` in seconds", usize::try_from(MAX_SPAN).unwrap_or(usize::MAX));
        }
        let span = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000).max(1);
        let (condition, value) = condition(kind, rule)?;
        let most = condition.iter().map(|(_, number)| *number).max().unwrap_or(0);
        let counts = matches!(kind, RuleKind::EventCount | RuleKind::ValueCount);
        if counts && most > MAX_COUNT {
            return too_much("the number in `condition`", usize::try_from(MAX_COUNT).unwrap_or(usize::MAX));
        }
        let keep = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1).max(MIN_KEPT);
        let field = |name: &String| Field::of(name, rule);
        Ok(Self {
            kind,
            references: rule.rules.clone(),
            group_by: rule.group_by.iter().map(field).collect::<Result<_, _>>()?,
            value: value.as_ref().map(field).transpose()?,
            span,
            condition,
            generates: rule.generate,
            keep,
            groups: Groups::default(),
        })
    }

    pub(crate) fn kind(&self) -> RuleKind {
        self.kind
    }

    /// Whether it matters which of its rules an event met.
    pub(crate) fn is_about_rules(&self) -> bool {
        matches!(self.kind, RuleKind::Temporal | RuleKind::TemporalOrdered)
    }

    /// Takes in an event that met the correlation's rule with this place.
    pub(crate) fn add(
        &mut self,
        place: usize,
        event: &Observed<'_>,
        time: Moment,
        limits: &Limits,
    ) -> Option<Held> {
        let group = self.group_of(place, event)?;
        let text;
        let addition = match (self.kind, &self.value) {
            (RuleKind::ValueCount, Some(field)) => {
                text = event.text(field.path(place)?)?;
                Addition::Value(shortened(&text))
            }
            (RuleKind::ValueSum | RuleKind::ValueAverage, Some(field)) => {
                Addition::Number(event.number(field.path(place)?)?)
            }
            (RuleKind::Temporal | RuleKind::TemporalOrdered, _) => Addition::Rule(place),
            _ => Addition::Event,
        };
        let seen = Seen { time, id: event.id().map(|id| Arc::from(shortened(id))) };
        let (kind, span, rules, keep) = (self.kind, self.span, self.references.len(), self.keep);
        let condition = &self.condition;
        let new = || window(kind, rules, keep);
        let counted = self.groups.with(&key(&group), new, limits, |known| {
            let mut counted = known.window.add(seen, addition, span)?;
            if kind == RuleKind::ValueAverage {
                counted.count = known.window.average()?;
            }
            let holds = holds(kind, condition, rules, counted.count);
            known.is_told(holds, time, span).then_some(counted)
        })?;
        Some(Held { group, counted })
    }

    /// The group that an event belongs to: the values of the fields it is grouped by.
    fn group_of(&self, place: usize, event: &Observed<'_>) -> Option<Vec<Matched>> {
        let value = |field: &Field| {
            let value = shortened(&event.text(field.path(place)?)?).to_owned();
            Some(Matched { field: field.name.clone(), value })
        };
        self.group_by.iter().map(value).collect()
    }
}

impl Field {
    fn of(name: &str, rule: &CorrelationRule) -> Result<Self, Reason> {
        let alias = rule.aliases.iter().find(|alias| alias.alias == name);
        let paths = rule.rules.iter().map(|reference| path(name, alias, reference));
        Ok(Self { name: name.to_owned(), paths: paths.collect::<Result<_, _>>()? })
    }

    fn path(&self, place: usize) -> Option<&str> {
        self.paths.get(place).map(String::as_str)
    }
}

fn path(name: &str, alias: Option<&FieldAlias>, reference: &str) -> Result<String, Reason> {
    let written = match alias {
        Some(alias) => alias
            .mapping
            .get(reference)
            .ok_or(Reason::Missing("each of its rules in each of its `aliases`"))?,
        None => name,
    };
    let path = field::of_web_server(written).unwrap_or(written);
    if field::is_known(path) { Ok(path.to_owned()) } else { Err(Reason::UnknownField(written.to_owned())) }
}

fn kind(kind: CorrelationType) -> Result<RuleKind, Reason> {
    Ok(match kind {
        CorrelationType::EventCount => RuleKind::EventCount,
        CorrelationType::ValueCount => RuleKind::ValueCount,
        CorrelationType::ValueSum => RuleKind::ValueSum,
        CorrelationType::ValueAvg => RuleKind::ValueAverage,
        CorrelationType::Temporal => RuleKind::Temporal,
        CorrelationType::TemporalOrdered => RuleKind::TemporalOrdered,
        CorrelationType::ValuePercentile | CorrelationType::ValueMedian => {
            let what = "`value_percentile` and `value_median`".into();
            return Err(Reason::Unsupported { what, instead: "use `value_avg`" });
        }
    })
}

/// What must hold of what is counted, and the field that is.
#[expect(clippy::type_complexity, reason = "the pair is taken apart where it arrives")]
fn condition(
    kind: RuleKind,
    rule: &CorrelationRule,
) -> Result<(Vec<(ConditionOperator, u64)>, Option<String>), Reason> {
    let unsupported = |what: &str, instead| Err(Reason::Unsupported { what: what.into(), instead });
    let CorrelationCondition::Threshold { predicates, field, .. } = &rule.condition else {
        return unsupported("a condition of rules' names", "all rules of a correlation must meet");
    };
    if matches!(kind, RuleKind::Temporal | RuleKind::TemporalOrdered) {
        // What the parser makes of no condition.
        if *predicates != [(ConditionOperator::Gte, 1)] {
            return unsupported("a `condition` of rules in time", "all rules of a correlation must meet");
        }
        return Ok((Vec::new(), None));
    }
    let is_lower = |operator: &ConditionOperator| {
        matches!(operator, ConditionOperator::Gt | ConditionOperator::Gte | ConditionOperator::Eq)
    };
    if !predicates.iter().any(|(operator, _)| is_lower(operator)) {
        return unsupported(
            "a condition without `gt`, `gte` or `eq`",
            "rules are asked when an event arrives, so they cannot find what is missing",
        );
    }
    let value = match field.as_deref() {
        Some([one]) => Some(one.clone()),
        Some(_) => return unsupported("counting several fields together", "name one field"),
        None => None,
    };
    match (kind, value) {
        (RuleKind::EventCount, _) => Ok((predicates.clone(), None)),
        (_, Some(value)) => Ok((predicates.clone(), Some(value))),
        (_, None) => Err(Reason::Missing("`condition.field`, the field whose values count")),
    }
}

fn holds(kind: RuleKind, condition: &[(ConditionOperator, u64)], rules: usize, count: u64) -> bool {
    match kind {
        // A sequence is told of at its end only, and the rest as far as it goes.
        RuleKind::Temporal | RuleKind::TemporalOrdered => {
            usize::try_from(count).is_ok_and(|count| count >= rules)
        }
        _ => condition.iter().all(|(operator, number)| match operator {
            ConditionOperator::Lt => count < *number,
            ConditionOperator::Lte => count <= *number,
            ConditionOperator::Gt => count > *number,
            ConditionOperator::Gte => count >= *number,
            ConditionOperator::Eq => count == *number,
            ConditionOperator::Neq => count != *number,
        }),
    }
}

fn window(kind: RuleKind, rules: usize, keep: usize) -> Window {
    match kind {
        RuleKind::Condition | RuleKind::EventCount => Window::Events { seen: VecDeque::new(), keep },
        RuleKind::ValueCount => Window::Values { last: HashMap::new(), order: BTreeMap::new(), keep },
        RuleKind::ValueSum | RuleKind::ValueAverage => Window::Sums(VecDeque::new()),
        RuleKind::Temporal => Window::Together(vec![None; rules]),
        RuleKind::TemporalOrdered => Window::Ordered(vec![Vec::new(); rules]),
    }
}

/// The values of a group in one text: each with its length, so that no value can pretend to be two.
fn key(group: &[Matched]) -> String {
    group.iter().fold(String::new(), |mut key, part| {
        // INVARIANT: writing to a string does not fail.
        let _ = write!(key, "{}:{}", part.value.len(), part.value);
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_pretend_to_be_two() {
        let part = |value: &str| Matched { field: String::new(), value: value.into() };
        assert_ne!(key(&[part("a"), part("b")]), key(&[part("a1:b")]));
        assert_ne!(key(&[part("a1:b"), part("")]), key(&[part("a"), part("b0:")]));
    }
}
