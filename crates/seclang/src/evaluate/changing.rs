//! Variables that rules or the clock change while a phase runs.

use std::time::SystemTime;

use time::OffsetDateTime;

use super::{Reader, append_full_name};
use crate::{
    ast::{Collection, Variable},
    collections::Written,
    rule_set::{Selection, TxSelection},
};

/// A value with its name.
type Named = (Vec<u8>, Vec<u8>);

impl Reader<'_> {
    /// The values that are meant, as they are now.
    pub(super) fn changing_values(&self, selection: &Selection) -> Vec<Named> {
        let mut found = Vec::new();
        self.each_selected(selection, |name, value| found.push((name.to_vec(), value.to_vec())));
        found
    }

    pub(super) fn each_selected(&self, selection: &Selection, mut found: impl FnMut(&[u8], &[u8])) {
        self.each(selection.variable, |name, value| {
            if selection.names.cover(name) {
                found(name, value);
            }
        });
    }

    /// The values of `TX` that are meant, as they are now.
    pub(super) fn tx_values(&self, selection: &TxSelection) -> Vec<(Written, Written)> {
        let (names, tx) = (&self.rules.mentioned, &self.state.tx);
        let mentioned = selection.slots.iter().filter_map(|slot| Some((names.name(*slot), tx.get(*slot)?)));
        let others = tx.others().filter(|(name, _)| selection.names.cover(name));
        let values = mentioned.chain(others);
        values.map(|(name, value)| (Written::from_slice(name), Written::from_slice(value))).collect()
    }

    fn each(&self, variable: Variable, mut found: impl FnMut(&[u8], &[u8])) {
        let state = self.state;
        match variable {
            Variable::Tx => state.tx.iter(&self.rules.mentioned).for_each(|(name, value)| found(name, value)),
            Variable::Env => state.environment.iter().for_each(|(name, value)| found(name, value)),
            Variable::Geo => {
                state.location.iter().for_each(|(name, value)| found(name.as_bytes(), value.as_bytes()));
            }
            Variable::MatchedVar if state.last.variable.is_some() => {
                found(b"", state.last.value(&state.buffers));
            }
            Variable::MatchedVarName => {
                if let Some((variable, is_count)) = state.last.variable {
                    let mut full = Vec::new();
                    append_full_name(variable, is_count, &state.last.name, &mut full);
                    found(b"", &full);
                }
            }
            Variable::MatchedVars => {
                for entry in &state.last.all {
                    found(&self.full_name(entry), state.buffers.bytes(entry.value));
                }
            }
            Variable::MatchedVarsNames => {
                for name in state.last.all.iter().map(|entry| self.full_name(entry)) {
                    found(&name, &name);
                }
            }
            Variable::Rule => self.each_of_rule(&mut found),
            Variable::HighestSeverity => {
                let severity = state.highest_severity.map_or(255, |severity| severity as u8);
                found(b"", severity.to_string().as_bytes());
            }
            Variable::Duration => found(b"", state.started.elapsed().as_millis().to_string().as_bytes()),
            Variable::UserId => found(b"", state.collections.key(Collection::User).unwrap_or_default()),
            Variable::SessionId => found(b"", state.collections.key(Collection::Session).unwrap_or_default()),
            _ => match collection(variable) {
                Some(collection) => {
                    state.collections.iter(collection).for_each(|(name, value)| found(name, value));
                }
                None => {
                    if let Some(time) = time(variable) {
                        found(b"", time.as_bytes());
                    }
                }
            },
        }
    }

    fn each_of_rule(&self, found: &mut impl FnMut(&[u8], &[u8])) {
        let Some(rule) = self.rule else { return };
        found(b"id", rule.info.id.to_string().as_bytes());
        if let Some(severity) = rule.info.severity {
            found(b"severity", (severity as u8).to_string().as_bytes());
        }
        found(b"msg", rule.info.message.as_bytes());
    }
}

fn collection(variable: Variable) -> Option<Collection> {
    Some(match variable {
        Variable::Ip => Collection::Ip,
        Variable::Session => Collection::Session,
        Variable::User => Collection::User,
        Variable::Global => Collection::Global,
        Variable::Resource => Collection::Resource,
        _ => return None,
    })
}

/// The time of day in UTC: a rule must mean the same on every machine.
fn time(variable: Variable) -> Option<String> {
    let now = OffsetDateTime::from(SystemTime::now());
    Some(match variable {
        Variable::Time => format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second()),
        Variable::TimeDay => now.day().to_string(),
        Variable::TimeEpoch => now.unix_timestamp().to_string(),
        Variable::TimeHour => now.hour().to_string(),
        Variable::TimeMin => now.minute().to_string(),
        Variable::TimeMon => u8::from(now.month()).to_string(),
        Variable::TimeSec => now.second().to_string(),
        Variable::TimeWday => now.weekday().number_days_from_sunday().to_string(),
        Variable::TimeYear => now.year().to_string(),
        _ => return None,
    })
}
