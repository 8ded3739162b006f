//! The conditions of rules, which `rsigma-eval` compares with events. Nothing else in this room knows that library.

use rsigma_eval::{Engine, EvaluationResult, ResultBody};
use rsigma_parser::{Detection, DetectionItem, Detections, LogSource, SigmaRule, SigmaValue};

use crate::{
    error::Reason,
    event::Observed,
    field,
    finding::{MAX_MATCHED, Matched, shortened},
    written::{self, Service},
};

/// The conditions of all rules of one event.
#[derive(Default)]
pub(crate) struct Conditions {
    /// Rules that look at the same events stand together.
    engines: Vec<(Scope, Engine)>,
}

/// A rule whose condition an event meets.
#[derive(Debug)]
pub(crate) struct Match {
    /// The rule's number.
    pub(crate) rule: usize,
    /// The fields that made it hold, in the order of their names.
    pub(crate) matched: Vec<Matched>,
}

/// Which events a rule looks at: its log source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All of them.
    Everything,
    /// Those of one part of the gateway.
    Service(Service),
    /// Requests, as lines of a web server's log.
    WebServer,
}

impl Conditions {
    /// Adds a rule by this number.
    pub(crate) fn add(&mut self, number: usize, rule: &SigmaRule) -> Result<(), Reason> {
        let scope = Scope::of(&rule.logsource)?;
        let mut rule = rule.clone();
        // Results name the rule by its id.
        rule.id = Some(number.to_string());
        rename(&mut rule.detection, scope)?;
        if rule.detection.timeframe.is_some() {
            let what = "`timeframe` within `detection`".into();
            return Err(Reason::Unsupported { what, instead: "write a correlation" });
        }
        let malformed = |error: rsigma_eval::EvalError| Reason::Malformed(error.to_string());
        if let Some((_, engine)) = self.engines.iter_mut().find(|(known, _)| *known == scope) {
            return engine.add_rule(&rule).map_err(malformed);
        }
        let mut engine = Engine::new();
        engine.add_rule(&rule).map_err(malformed)?;
        self.engines.push((scope, engine));
        Ok(())
    }

    /// The rules that an event meets, in the order of their numbers.
    pub(crate) fn matches(&self, event: &Observed<'_>) -> Vec<Match> {
        let service = event.service();
        let mut matches: Vec<Match> = self
            .engines
            .iter()
            .filter_map(|(scope, engine)| Some(engine.evaluate(&scope.sees(event, service)?)))
            .flatten()
            .filter_map(Match::of)
            .collect();
        matches.sort_unstable_by_key(|found| found.rule);
        matches
    }
}

impl Scope {
    fn of(source: &LogSource) -> Result<Self, Reason> {
        let foreign = || {
            let parts =
                [("product", &source.product), ("category", &source.category), ("service", &source.service)];
            let parts = parts.iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_ref()?)));
            Reason::ForeignLogSource(parts.collect::<Vec<_>>().join(", "))
        };
        match (source.product.as_deref(), source.category.as_deref(), source.service.as_deref()) {
            (Some("bartizan"), None, None) => Ok(Self::Everything),
            (Some("bartizan"), None, Some(service)) => {
                Service::parse(service).map(Self::Service).ok_or_else(foreign)
            }
            (None, Some("webserver"), None) => Ok(Self::WebServer),
            _ => Err(foreign()),
        }
    }

    /// The event, which is about a part of the gateway, as rules of this scope see it; `None` where it is not theirs.
    fn sees<'a>(self, event: &Observed<'a>, about: Option<Service>) -> Option<Observed<'a>> {
        match self {
            Self::Everything => Some(*event),
            Self::Service(service) => (about == Some(service)).then_some(*event),
            Self::WebServer => event.is_request().then(|| event.as_log_line()),
        }
    }
}

impl Match {
    fn of(result: EvaluationResult) -> Option<Self> {
        let rule = result.header.rule_id.as_deref()?.parse().ok()?;
        let ResultBody::Detection(found) = result.body else { return None };
        let mut matched: Vec<_> = found
            .matched_fields
            .into_iter()
            .map(|found| {
                let value = match found.value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                Matched { field: found.field, value: shortened(&value).to_owned() }
            })
            .collect();
        matched.sort_unstable();
        matched.dedup();
        matched.truncate(MAX_MATCHED);
        Some(Self { rule, matched })
    }
}

/// Gives every field the name that it has in events. A name that none of them has is refused.
fn rename(detections: &mut Detections, scope: Scope) -> Result<(), Reason> {
    detections.named.values_mut().try_for_each(|detection| rename_in(detection, scope))
}

fn rename_in(detection: &mut Detection, scope: Scope) -> Result<(), Reason> {
    match detection {
        Detection::AllOf(items) => items.iter_mut().try_for_each(|item| {
            let Some(name) = &mut item.field.name else { return Ok(()) };
            *name = name_of(name, scope)?;
            check_event(item)
        }),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter_mut().try_for_each(|part| rename_in(part, scope))
        }
        Detection::Keywords(_) => Ok(()),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
            let what = "a condition on members of a list".into();
            Err(Reason::Unsupported { what, instead: "compare the list: one member that meets is enough" })
        }
    }
}

/// Whether events have the names that a rule asks for. Patterns are not looked at.
fn check_event(item: &DetectionItem) -> Result<(), Reason> {
    if item.field.name.as_deref() != Some("bartizan.event") || !item.field.modifiers.is_empty() {
        return Ok(());
    }
    let names = item.values.iter().filter_map(|value| match value {
        SigmaValue::String(text) => text.as_plain(),
        _ => None,
    });
    for name in names {
        written::of_name(&name.to_ascii_lowercase()).ok_or(Reason::UnknownEvent(name))?;
    }
    Ok(())
}

fn name_of(name: &str, scope: Scope) -> Result<String, Reason> {
    let unknown = || Reason::UnknownField(name.into());
    match scope {
        Scope::WebServer => field::of_web_server(name).map(Into::into).ok_or_else(unknown),
        Scope::Everything | Scope::Service(_) => {
            if field::is_known(name) {
                Ok(name.into())
            } else {
                Err(unknown())
            }
        }
    }
}
