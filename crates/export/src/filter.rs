//! Which events an export is for.

use bartizan_config::ExportFilter;
use bartizan_events::{Class, Event, Kind, Severity};

use crate::ExportError;

/// Which events an export is for, with the words of the configuration understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    severity: Severity,
    kinds: Vec<Kind>,
    classes: Vec<Class>,
    routes: Vec<String>,
    organizations: Vec<String>,
}

impl Filter {
    pub(crate) fn new(only: &ExportFilter) -> Result<Self, ExportError> {
        let kind = |(name, _): &(String, _)| name.parse().map_err(|_| ExportError::UnknownType(name.clone()));
        let named = |name: &str| Severity::ALL.into_iter().find(|severity| severity.as_str() == name);
        Ok(Self {
            // INVARIANT: both lists have the same names; a test compares them.
            severity: named(only.severity.as_str()).unwrap_or(Severity::Informational),
            kinds: only.types.iter().map(kind).collect::<Result<_, _>>()?,
            classes: only.classes.iter().filter_map(|class| class.as_str().parse().ok()).collect(),
            routes: only.routes.clone(),
            organizations: only.organizations.clone(),
        })
    }

    pub(crate) fn passes(&self, event: &Event) -> bool {
        let Self { severity, kinds, classes, routes, organizations } = self;
        let is_listed = |list: &[String], value: &Option<String>| {
            list.is_empty() || value.as_ref().is_some_and(|value| list.contains(value))
        };
        event.severity >= *severity
            && (kinds.is_empty() || kinds.contains(&event.kind))
            && (classes.is_empty() || classes.contains(&event.kind.class()))
            && is_listed(routes, &event.route)
            && is_listed(organizations, &event.organization)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bartizan_config::{ExportClass, ExportSeverity};
    use bartizan_events::Decision;
    use bartizan_model::Line;

    use super::*;

    fn event(kind: Kind) -> Event {
        Event::new(kind, SystemTime::now(), Decision::Refused, "a test")
    }

    #[test]
    fn the_words_of_the_configuration_are_those_of_events() {
        let severities = [
            ExportSeverity::Informational,
            ExportSeverity::Low,
            ExportSeverity::Medium,
            ExportSeverity::High,
            ExportSeverity::Critical,
        ];
        assert_eq!(severities.map(ExportSeverity::as_str), Severity::ALL.map(Severity::as_str));
        let classes = [
            ExportClass::HttpActivity,
            ExportClass::Authentication,
            ExportClass::AccountChange,
            ExportClass::ApiActivity,
            ExportClass::DetectionFinding,
            ExportClass::IncidentFinding,
        ];
        assert_eq!(classes.map(ExportClass::as_str), Class::ALL.map(Class::as_str));
    }

    #[test]
    fn everything_that_is_asked_for_must_hold() {
        let all = Filter::new(&ExportFilter::default()).unwrap();
        assert!(all.passes(&event(Kind::RequestAllowed)));
        let only = ExportFilter {
            severity: ExportSeverity::Medium,
            types: vec![("attack_detected".into(), Line::new(1)), ("request_refused".into(), Line::new(1))],
            classes: vec![ExportClass::HttpActivity],
            routes: vec!["/admin/**".into()],
            organizations: vec!["shop".into()],
        };
        let some = Filter::new(&only).unwrap();
        let asked = Event {
            route: Some("/admin/**".into()),
            organization: Some("shop".into()),
            ..event(Kind::AttackDetected)
        };
        assert!(some.passes(&asked));
        for other in [
            Event { severity: Severity::Low, ..asked.clone() },
            Event { kind: Kind::PermissionDenied, ..asked.clone() },
            Event { route: None, ..asked.clone() },
            Event { organization: Some("bank".into()), ..asked.clone() },
        ] {
            assert!(!some.passes(&other), "{other:?}");
        }
        let unknown = ExportFilter { types: vec![("atack".into(), Line::new(1))], ..only };
        assert!(matches!(Filter::new(&unknown), Err(ExportError::UnknownType(name)) if name == "atack"));
    }
}
