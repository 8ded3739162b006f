//! What the firewall's rules found, and the exclusion that would let the request pass.

use bartizan_control::{DecidedFirewall, FirewallExclusion, FirewallRule, FirewallVariable, FirewallVerdict};
use time::{Duration, OffsetDateTime};

use crate::output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, printable, styled};

/// How long a proposed exclusion is one: time to mend what made it necessary.
const EXPIRES: Duration = Duration::days(90);

/// A table of the rules and what follows from it.
pub(super) fn account(firewall: &DecidedFirewall, route: Option<&str>) -> String {
    let mut rules = Table::new(&["RULE", "SEVERITY", "LEVEL", "VARIABLE", "VALUE", "MESSAGE"]);
    for rule in &firewall.rules {
        rows(rule, &mut rules);
    }
    let mut account = if firewall.rules.is_empty() { String::new() } else { format!("{rules}\n") };
    if firewall.rules_left_out > 0 {
        let others: Vec<String> =
            firewall.rule_ids.iter().skip(firewall.rules.len()).map(u64::to_string).collect();
        account = format!("{account}and {} more rules: {}\n", firewall.rules_left_out, others.join(", "));
    }
    account.push_str(&verdict(firewall));
    if firewall.verdict == FirewallVerdict::Passed {
        return account;
    }
    let exclusions = exclusions(firewall);
    if exclusions.is_empty() {
        return if firewall.exclusions_suffice == Some(false) {
            format!("{account}\n\nNo exclusion lets this request pass.")
        } else {
            account
        };
    }
    let place = route.map_or_else(String::new, |route| format!(" {route}"));
    let title = styled(TITLE, format!("If this is no attack, write this under the route{place}:"));
    let exclusions = exclusions.join("\n");
    format!("{account}\n\n{title}\n\n    waf:\n      exclude:\n{exclusions}\n\n{}", worth(firewall))
}

fn rows(rule: &FirewallRule, table: &mut Table) {
    let style = if rule.variables.is_empty() { FAINT } else { PLAIN };
    let level = rule.paranoia.map(|level| level.to_string()).unwrap_or_default();
    let nothing = [FirewallVariable { name: String::new(), value: String::new() }];
    let variables = if rule.variables.is_empty() { &nothing[..] } else { &rule.variables };
    for (number, variable) in variables.iter().enumerate() {
        let once = |text: String| if number == 0 { text } else { String::new() };
        table.row([
            Cell::new(style, once(rule.id.to_string())),
            Cell::new(style, once(rule.severity.clone().unwrap_or_default().to_lowercase())),
            Cell::new(style, once(level.clone())),
            Cell::new(style, &variable.name),
            Cell::new(style, &variable.value),
            Cell::new(style, once(rule.message.clone())),
        ]);
    }
}

fn verdict(firewall: &DecidedFirewall) -> String {
    let (style, said) = match firewall.verdict {
        FirewallVerdict::Passed => (GOOD, "the firewall let it pass"),
        FirewallVerdict::RefusedRequest => (BAD, "the firewall refused the request"),
        FirewallVerdict::RefusedResponse => (BAD, "the firewall refused the response"),
        FirewallVerdict::WouldRefuseRequest => (ATTENTION, "the firewall would refuse the request"),
        FirewallVerdict::WouldRefuseResponse => (ATTENTION, "the firewall would refuse the response"),
    };
    let score = |name: &str, score: Option<u32>, threshold: u32| {
        score.map(|score| format!(", {name} score {score} (refused from {threshold})")).unwrap_or_default()
    };
    let inbound = score("inbound", firewall.inbound_score, firewall.inbound_threshold);
    let outbound = score("outbound", firewall.outbound_score, firewall.outbound_threshold);
    let refusing: Vec<String> =
        firewall.rules.iter().filter(|rule| rule.refuses).map(|rule| rule.id.to_string()).collect();
    // One is nothing new: it decides by the score.
    let refusing =
        if refusing.len() > 1 { format!(", by each of {}", refusing.join(", ")) } else { String::new() };
    let said = styled(style, said);
    format!("{said} at paranoia level {}{inbound}{outbound}{refusing}", firewall.paranoia)
}

/// A line for each exclusion, ready to be pasted.
fn exclusions(firewall: &DecidedFirewall) -> Vec<String> {
    let until = (OffsetDateTime::now_utc() + EXPIRES).date();
    let expires = format!("{:04}-{:02}-{:02}", until.year(), u8::from(until.month()), until.day());
    let line = |FirewallExclusion { rule, target, message }: &FirewallExclusion| {
        let target = target.as_ref().map(|target| format!("target: \"{}\", ", quoted(target)));
        let (target, reason) = (target.unwrap_or_default(), words(message));
        format!("        - {{ rule: {rule}, {target}reason: \"say why: {reason}\", expires: {expires} }}")
    };
    firewall.exclusions.iter().map(line).collect()
}

/// What the exclusions are worth.
fn worth(firewall: &DecidedFirewall) -> &'static str {
    match firewall.exclusions_suffice {
        Some(true) => "Tried on this request: with all of it, it passes.",
        Some(false) => "Tried on this request: it is refused all the same.",
        None if is_partial(firewall) => {
            "Not tried on this request, and more was found than is remembered: ask again after these exclusions."
        }
        None => "Not tried on this request.",
    }
}

/// Whether exclusions of what is remembered may not be enough.
fn is_partial(firewall: &DecidedFirewall) -> bool {
    firewall.rules_left_out > 0 || firewall.rules.iter().any(|rule| rule.variables_left_out > 0)
}

/// A target as it can stand between quotation marks. The gateway writes none that cannot.
fn quoted(target: &str) -> String {
    printable(target).chars().filter(|character| !matches!(character, '"' | '\\')).collect()
}

/// A message as it can stand between quotation marks.
fn words(message: &str) -> String {
    printable(message).chars().filter(|character| !matches!(character, '"' | '\\' | '$')).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_can_be_pasted_and_say_what_they_are_worth() {
        let exclusion = |rule, target: Option<&str>| FirewallExclusion {
            rule,
            target: target.map(Into::into),
            message: "an \"attack\" with %{MATCHED_VAR}".into(),
        };
        let firewall = |exclusions: Vec<FirewallExclusion>, suffice, rules_left_out| DecidedFirewall {
            verdict: FirewallVerdict::RefusedRequest,
            paranoia: 1,
            inbound_score: None,
            inbound_threshold: 5,
            outbound_score: None,
            outbound_threshold: 4,
            rules: Vec::new(),
            rules_left_out,
            rule_ids: vec![1, 2, 949_110],
            exclusions,
            exclusions_suffice: suffice,
        };
        let both = vec![exclusion(1, Some("ARGS:/^a[.].+$/")), exclusion(2, None)];
        let told = account(&firewall(both.clone(), Some(true), 0), Some("/a"));
        let lines: Vec<_> = told.lines().skip_while(|line| *line != "      exclude:").skip(1).collect();
        let said: Vec<_> = lines.iter().map(|line| line.split(", expires").next().unwrap()).collect();
        assert_eq!(
            said,
            [
                "        - { rule: 1, target: \"ARGS:/^a[.].+$/\", reason: \"say why: an attack with %{MATCHED_VAR}\"",
                "        - { rule: 2, reason: \"say why: an attack with %{MATCHED_VAR}\"",
                "",
                "Tried on this request: with all of it, it passes.",
            ]
        );
        for (suffice, left_out, expected) in [
            (Some(false), 3, "Tried on this request: it is refused all the same."),
            (None, 0, "Not tried on this request."),
            (None, 3, "more was found than is remembered"),
        ] {
            let told = account(&firewall(both.clone(), suffice, left_out), None);
            assert!(told.contains(expected), "{told}");
        }
        let nothing = account(&firewall(Vec::new(), Some(false), 0), None);
        assert!(nothing.ends_with("No exclusion lets this request pass."), "{nothing}");
    }
}
