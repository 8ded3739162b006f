//! What a rule says of itself.

use rsigma_parser::Level;
use serde::Serialize;

/// A rule, apart from what it looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its `id`, or its `name` where it has none: a part of a correlation need not have one.
    pub id: String,
    /// The name that correlations call it by.
    pub name: Option<String>,
    /// What it finds, in a few words.
    pub title: String,
    /// What it finds, and why that matters.
    pub description: Option<String>,
    /// Who wrote it. Stays with every finding.
    pub author: Option<String>,
    /// When it was written.
    pub date: Option<String>,
    /// How bad that is: its `level`, `medium` where it says none.
    pub severity: Severity,
    /// Its `tags`, `attack.t1110.003`.
    pub tags: Vec<String>,
    /// What else looks like it.
    pub falsepositives: Vec<String>,
    /// Where to read on.
    pub references: Vec<String>,
    /// What kind of rule it is.
    pub kind: RuleKind,
    /// Whether it is told when it holds. Parts of a correlation are not, but with `generate: true` there.
    pub reports: bool,
    /// The file that holds it.
    pub file: String,
    /// Its first line there, from 1.
    pub line: usize,
}

impl Rule {
    /// Whether this is its id, its name, or the name of its file without folders and end.
    pub fn is_called(&self, name: &str) -> bool {
        let file = self.file.rsplit('/').next().unwrap_or(&self.file);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        [Some(self.id.as_str()), self.name.as_deref(), Some(stem)].contains(&Some(name))
    }

    /// The techniques of MITRE ATT&CK among the tags, `T1110.003`.
    pub fn techniques(&self) -> impl Iterator<Item = String> {
        let technique = |tag: &String| {
            let name = tag.strip_prefix("attack.")?;
            let digits = name.strip_prefix(['t', 'T'])?;
            let is_number = digits.starts_with(|first: char| first.is_ascii_digit());
            is_number.then(|| name.to_ascii_uppercase())
        };
        self.tags.iter().filter_map(technique)
    }
}

/// What kind of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// It looks at one event.
    Condition,
    /// So many events.
    EventCount,
    /// So many values of a field.
    ValueCount,
    /// The sum of a field.
    ValueSum,
    /// The average of a field.
    ValueAverage,
    /// Several rules, in any order.
    Temporal,
    /// Several rules, one after the other.
    TemporalOrdered,
}

impl RuleKind {
    /// Its name in Sigma; a rule of one event has none there.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::ValueSum => "value_sum",
            Self::ValueAverage => "value_avg",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
        }
    }
}

/// How bad a finding is: Sigma's levels, with the numbers of OCSF's `severity_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Informational = 1,
    /// Looked at now and then.
    Low = 2,
    /// Looked at soon.
    Medium = 3,
    /// Looked at today.
    High = 4,
    /// Looked at now.
    Critical = 5,
}

impl Severity {
    /// The number of OCSF's `severity_id`, from 1 to 5.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Informational => Self::Informational,
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
            Level::Critical => Self::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_are_told_from_tactics() {
        let rule = Rule {
            id: "a".into(),
            name: None,
            title: "a".into(),
            description: None,
            author: None,
            date: None,
            severity: Severity::High,
            tags: ["attack.credential-access", "attack.t1110.003", "cve.2021.44228", "attack.threat"]
                .map(String::from)
                .into(),
            falsepositives: Vec::new(),
            references: Vec::new(),
            kind: RuleKind::Condition,
            reports: true,
            file: "a.yml".into(),
            line: 1,
        };
        assert_eq!(rule.techniques().collect::<Vec<_>>(), ["T1110.003"]);
    }
}
