//! What the policies said of a request: who asked what of them, and which of them determined it.

use bartizan_control::{DecidedPolicies, PolicyEffect, PolicyMode, PolicyRuling};

use crate::output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, printable, styled};

/// The question, the outcome, and the policies with their texts.
pub(super) fn account(decided: &DecidedPolicies) -> String {
    let mut question = Table::default();
    let mut fact = |name: &str, value: &str| {
        question.row([Cell::new(FAINT, name), Cell::new(PLAIN, printable(value))]);
    };
    fact("principal", &decided.principal);
    fact("action", &decided.action);
    fact("resource", &decided.resource);
    let mut parts = vec![format!("{question}\n{}", outcome(decided))];
    for policy in &decided.policies {
        let (style, effect) = match policy.effect {
            PolicyEffect::Permit => (GOOD, "permits"),
            PolicyEffect::Forbid => (BAD, "forbids"),
        };
        let place = styled(FAINT, format!("{}:{}", printable(&policy.file), policy.line));
        let text: Vec<_> = policy.text.lines().map(|line| format!("    {}", printable(line))).collect();
        let name = printable(&policy.id);
        parts.push(format!("{} `{name}`  {place}\n{}", styled(style, effect), text.join("\n")));
    }
    parts
        .extend(decided.errors.iter().map(|error| format!("{} {}", styled(BAD, "error:"), printable(error))));
    parts.join("\n")
}

fn outcome(decided: &DecidedPolicies) -> String {
    let (style, text) = match decided.ruling {
        PolicyRuling::Permitted => (GOOD, "permitted"),
        PolicyRuling::Forbidden => (BAD, "forbidden: a policy that forbids wins"),
        PolicyRuling::NotPermitted => (BAD, "denied: no policy permits it"),
        PolicyRuling::Failed => (BAD, "denied: a policy could not be evaluated"),
    };
    let shadow = decided.mode == PolicyMode::Shadow && decided.ruling != PolicyRuling::Permitted;
    if shadow {
        styled(ATTENTION, format!("{text} (only reported: `mode: shadow`)"))
    } else {
        styled(style, text)
    }
}
