//! What the firewall's rules found, and the exclusion that would let the request pass.

use std::borrow::Cow;

use bartizan_control::{DecidedFirewall, FirewallRule, FirewallVariable, FirewallVerdict};
use time::{Duration, OffsetDateTime};

use crate::output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, printable, styled};

/// How long a proposed exclusion is one: time to mend what made it necessary.
const EXPIRES: Duration = Duration::days(90);
/// Variables by which rules refer to what others matched, and counts: an exclusion cannot name them.
const NOT_EXCLUDABLE: [&str; 4] = ["MATCHED_VAR", "TX", "RULE", "&"];

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
    let exclusions = exclusions(firewall);
    if firewall.verdict != FirewallVerdict::Passed && !exclusions.is_empty() {
        let place = route.map_or_else(String::new, |route| format!(" {route}"));
        let title = styled(TITLE, format!("If this is no attack, write this under the route{place}:"));
        account = format!("{account}\n\n{title}\n\n    waf:\n      exclude:\n{}", exclusions.join("\n"));
        if is_partial(firewall) {
            account.push_str("\n\nMore was found than is remembered: ask again after these exclusions.");
        }
    }
    account
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

/// A line for each rule and what it looked at, ready to be pasted.
fn exclusions(firewall: &DecidedFirewall) -> Vec<String> {
    let until = (OffsetDateTime::now_utc() + EXPIRES).date();
    let expires = format!("{:04}-{:02}-{:02}", until.year(), u8::from(until.month()), until.day());
    let mut lines = Vec::new();
    for rule in firewall.rules.iter().filter(|rule| finds(rule)) {
        let mut targets: Vec<_> = rule.variables.iter().map(|variable| target(&variable.name)).collect();
        // Without one that can be named the rule as a whole is what an exclusion is about.
        if targets.is_empty() || targets.contains(&None) {
            targets = vec![None];
        }
        for target in targets {
            let target = target.map(|target| format!("target: \"{target}\", ")).unwrap_or_default();
            let line = format!(
                "        - {{ rule: {}, {target}reason: \"say why: {}\", expires: {expires} }}",
                rule.id,
                words(&rule.message)
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Whether a rule has found something itself, if only in what others had written down. One that decides by the score has neither
/// a severity nor a level.
fn finds(rule: &FirewallRule) -> bool {
    !rule.variables.is_empty() || (rule.severity.is_some() && rule.paranoia.is_some())
}

/// Whether exclusions of what is remembered may not be enough.
fn is_partial(firewall: &DecidedFirewall) -> bool {
    firewall.rules_left_out > 0 || firewall.rules.iter().any(|rule| rule.variables_left_out > 0)
}

/// What an exclusion can name of a variable: every element of a list where it is one of those, and all of its collection
/// where its own name cannot be written or would mean more than itself: `/.*/` is a name that a client may choose, and a
/// pattern in an exclusion.
fn target(name: &str) -> Option<Cow<'_, str>> {
    let (collection, part) = name.split_once(':').unwrap_or((name, ""));
    if NOT_EXCLUDABLE.iter().any(|other| collection.starts_with(other)) {
        return None;
    }
    let is_writable = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]()@*+=~^:/".contains(&byte);
    let is_name = collection == "XML" || !part.starts_with('/');
    let target = if is_name && part.bytes().all(is_writable) { name } else { collection };
    Some(every_element(collection, part).map_or(Cow::Borrowed(target), Cow::Owned))
}

/// The pattern for a value in a list of JSON, whatever its place there: `array_0` of `json.items.array_0.text` is the place.
fn every_element(collection: &str, part: &str) -> Option<String> {
    let is_place = |step: &str| {
        let number = step.strip_prefix("array_");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // Letters of a pattern that stand for themselves.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !part.split('.').any(is_place) || !part.bytes().all(is_plain) {
        return None;
    }
    let steps: Vec<&str> =
        part.split('.').map(|step| if is_place(step) { "array_[0-9]+" } else { step }).collect();
    Some(format!("{collection}:/^{}$/", steps.join("[.]")))
}

/// A message as it can stand between quotation marks.
fn words(message: &str) -> String {
    printable(message).chars().filter(|character| !matches!(character, '"' | '\\' | '$')).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_found_something_is_excluded() {
        let rule = |id, severity: Option<&str>, names: &[&str]| {
            let variable = |name: &&str| FirewallVariable { name: (*name).into(), value: String::new() };
            FirewallRule {
                id,
                message: "a".into(),
                severity: severity.map(Into::into),
                paranoia: severity.map(|_| 1),
                refuses: false,
                variables: names.iter().map(variable).collect(),
                variables_left_out: 0,
            }
        };
        let firewall = DecidedFirewall {
            verdict: FirewallVerdict::RefusedRequest,
            paranoia: 1,
            inbound_score: None,
            inbound_threshold: 5,
            outbound_score: None,
            outbound_threshold: 4,
            rules: vec![
                rule(1, Some("CRITICAL"), &["ARGS:a", "ARGS:b"]),
                rule(2, Some("CRITICAL"), &["ARGS:a", "&ARGS"]),
                rule(3, Some("CRITICAL"), &[]),
                rule(949_110, None, &[]),
            ],
            rules_left_out: 0,
            rule_ids: vec![1, 2, 3, 949_110],
        };
        let lines = exclusions(&firewall);
        let said: Vec<_> = lines.iter().filter_map(|line| line.split(" reason").next()).collect();
        assert_eq!(
            said,
            [
                "        - { rule: 1, target: \"ARGS:a\",",
                "        - { rule: 1, target: \"ARGS:b\",",
                "        - { rule: 2,",
                "        - { rule: 3,",
            ]
        );
    }

    #[test]
    fn what_an_exclusion_names_can_be_written() {
        let cases = [
            ("ARGS:id", Some("ARGS:id")),
            ("ARGS:items.0.text", Some("ARGS:items.0.text")),
            ("ARGS:json.items.array_0.text", Some("ARGS:/^json[.]items[.]array_[0-9]+[.]text$/")),
            ("ARGS:json.array_12.array_3", Some("ARGS:/^json[.]array_[0-9]+[.]array_[0-9]+$/")),
            ("ARGS:json.array_x", Some("ARGS:json.array_x")),
            ("ARGS:json.array_0.a(b", Some("ARGS:json.array_0.a(b")),
            ("ARGS:a\" }, evil", Some("ARGS")),
            ("ARGS:a b", Some("ARGS")),
            ("ARGS:/.*/", Some("ARGS")),
            ("XML:/*", Some("XML:/*")),
            ("XML://@*", Some("XML://@*")),
            ("ARGS:${HOME}", Some("ARGS")),
            ("REQUEST_BODY", Some("REQUEST_BODY")),
            ("MATCHED_VARS:x", None),
            ("TX:1", None),
            ("&REQUEST_HEADERS:User-Agent", None),
        ];
        for (name, expected) in cases {
            assert_eq!(target(name).as_deref(), expected, "{name}");
        }
    }
}
