//! What limits said of a request: whom each rule counted, what it took and left, and who was in the way.

use bartizan_control::{DecidedLimit, DecidedLimitEffect, DecidedLimits, LimitFactors, LimitMode};

use super::{Lines, text_of};
use crate::{
    command::limits::{amount, span, threat, visible},
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, printable, styled},
};

/// A table of the rules and what follows from it.
pub(super) fn account(limits: &DecidedLimits, lines: &Lines) -> String {
    let mut rules =
        Table::new(&["LIMIT", "ADMITS", "COUNTED BY", "OUTCOME", "COST", "LEFT", "ADMITTED AGAIN"]);
    for said in &limits.rules {
        rules.row(row(said));
    }
    let mut account = rules.to_string();
    let mut say = |text: String| account = format!("{account}\n{text}");
    if limits.rules_left_out > 0 {
        say(format!("and {} more rules", limits.rules_left_out));
    }
    if let Some(rule) = &limits.refused_by {
        let refused = limits.rules.iter().find(|said| said.effect == DecidedLimitEffect::Refused);
        let place = lines.place(refused.and_then(|said| said.line));
        say(format!("refused first by {}{place}", styled(BAD, printable(rule))));
    }
    if let Some(threat) = &limits.threat {
        say(threat::told(threat));
    }
    account
}

fn row(said: &DecidedLimit) -> [Cell; 7] {
    let (style, outcome) = match said.effect {
        DecidedLimitEffect::Counted => (GOOD, "counted"),
        DecidedLimitEffect::Refused => (BAD, "refused"),
        DecidedLimitEffect::NotCounted => (PLAIN, "not counted"),
        DecidedLimitEffect::GivenBack => (PLAIN, "given back"),
        DecidedLimitEffect::WouldRefuse => (ATTENTION, "would refuse"),
    };
    [
        Cell::new(PLAIN, format!("{}/{}", said.policy, said.rule)),
        Cell::new(PLAIN, admits(said)),
        Cell::new(PLAIN, format!("{} {}", said.per.join(" + "), visible(&said.value)).trim_end()),
        Cell::new(style, outcome),
        Cell::new(PLAIN, said.cost),
        Cell::new(PLAIN, format!("{} of {}", said.remaining, said.quota)),
        again(said),
    ]
}

/// As the configuration writes it, with what the request's risk made of it.
fn admits(said: &DecidedLimit) -> String {
    let amount = said.configured.as_ref().map_or_else(|| format!("{} at once", said.quota), amount);
    let Some(LimitFactors { quota, cost, window }) = said.factors else { return amount };
    let changed = [("quota", quota), ("cost", cost), ("window", window)];
    let changed: Vec<_> = changed
        .iter()
        .filter(|(_, factor)| (factor - 1.0).abs() > f64::EPSILON)
        .map(|(name, factor)| format!("{name} ×{factor}"))
        .collect();
    format!("{amount} ({})", changed.join(", "))
}

/// When this rule was to admit the request.
fn again(said: &DecidedLimit) -> Cell {
    let (Some(wait), Some(moment)) = (said.retry_after_seconds, &said.admitted_from) else {
        return Cell::new(PLAIN, "");
    };
    if said.configured.is_none() {
        return Cell::new(PLAIN, "as soon as a request ended");
    }
    let style = if said.mode == LimitMode::Enforce { PLAIN } else { FAINT };
    Cell::new(style, format!("after {}, at {}", span(wait), text_of(moment)))
}
