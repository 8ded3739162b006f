//! What remains of an inspection for those who ask why: which rules matched what, the score, and the decision.

use std::str::FromStr;

use bartizan_config::WafMode;
use bartizan_seclang::{Matched, RuleInfo, RuleMatch, Transaction, ast::Severity};

use super::{Firewall, Proposal, mask};

/// The most rules that are remembered of one request.
const MOST_RULES: usize = 20;
/// The most rules whose numbers are remembered.
const MOST_NUMBERS: usize = 1000;
/// The most variables of one rule.
const MOST_VARIABLES: usize = 4;

/// What an inspection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Whether its refusals are refusals.
    pub mode: WafMode,
    /// What the rules decided.
    pub judged: Judged,
    /// The paranoia level.
    pub paranoia: u8,
    /// The anomaly score of the request, where the rules count one.
    pub inbound_score: Option<u32>,
    /// From which on it is refused.
    pub inbound_threshold: u32,
    /// The anomaly score of the response, where it was looked at.
    pub outbound_score: Option<u32>,
    /// From which on it is refused.
    pub outbound_threshold: u32,
    /// The rules that matched, in that order, [`Self::rules_left_out`] more than are here.
    pub rules: Vec<MatchedRule>,
    /// How many more there were.
    pub rules_left_out: usize,
    /// The numbers of all of them, at most a thousand.
    pub numbers: Vec<u64>,
    /// The exclusions that would let it pass; none for what has passed.
    pub proposal: Proposal,
}

/// What the rules decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// They have nothing against it.
    Passed,
    /// They object to the request.
    RefusedRequest,
    /// They object to the response.
    RefusedResponse,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRule {
    /// Its number.
    pub id: u64,
    /// What it says.
    pub message: String,
    /// How bad it is, in the words of the language.
    pub severity: Option<&'static str>,
    /// The paranoia level from which on it looks.
    pub paranoia: Option<u8>,
    /// Whether it ends the exchange by itself, or would.
    pub refuses: bool,
    /// What it matched; empty for a rule that only decides by what others have found.
    pub variables: Vec<MatchedVariable>,
    /// How many variables more it matched.
    pub variables_left_out: usize,
}

/// A variable that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedVariable {
    /// Its name, as in `ARGS:id`, shortened and masked.
    pub name: String,
    /// Its value after transformations, shortened and masked.
    pub value: String,
}

impl MatchedRule {
    fn size(&self) -> usize {
        let variable = |variable: &MatchedVariable| {
            size_of::<MatchedVariable>() + variable.name.capacity() + variable.value.capacity()
        };
        size_of::<Self>() + self.message.capacity() + self.variables.iter().map(variable).sum::<usize>()
    }
}

impl Inspected {
    /// How much memory it holds, in bytes.
    pub fn size(&self) -> usize {
        let numbers = self.numbers.capacity() * size_of::<u64>();
        size_of::<Self>()
            + numbers
            + self.proposal.size()
            + self.rules.iter().map(MatchedRule::size).sum::<usize>()
    }

    pub(super) fn of(firewall: &Firewall, transaction: &Transaction, judged: Judged) -> Self {
        let (config, matches) = (firewall.config(), transaction.matches());
        Self {
            mode: config.mode,
            judged,
            paranoia: paranoia(firewall, transaction),
            inbound_score: inbound_score(transaction),
            inbound_threshold: number(transaction, "TX.inbound_anomaly_score_threshold")
                .unwrap_or(config.threshold.inbound),
            outbound_score: number(transaction, "TX.blocking_outbound_anomaly_score"),
            outbound_threshold: number(transaction, "TX.outbound_anomaly_score_threshold")
                .unwrap_or(config.threshold.outbound),
            rules: matches
                .iter()
                .take(MOST_RULES)
                .map(|found| matched(firewall, transaction, found))
                .collect(),
            rules_left_out: matches.len().saturating_sub(MOST_RULES),
            numbers: matches.iter().take(MOST_NUMBERS).map(|found| found.rule).collect(),
            proposal: Proposal::default(),
        }
    }

    /// What the configuration alone says.
    pub(super) fn unknown(firewall: &Firewall, judged: Judged) -> Self {
        let config = firewall.config();
        Self {
            mode: config.mode,
            judged,
            paranoia: config.paranoia,
            inbound_score: None,
            inbound_threshold: config.threshold.inbound,
            outbound_score: None,
            outbound_threshold: config.threshold.outbound,
            rules: Vec::new(),
            rules_left_out: 0,
            numbers: Vec::new(),
            proposal: Proposal::default(),
        }
    }

    /// In one line: which rules, and the score.
    pub fn summary(&self) -> String {
        self.summary_of(self.judged)
    }

    /// The same, with the score of the request or of the response.
    pub fn summary_of(&self, judged: Judged) -> String {
        let causes = self.rules.iter().filter(|rule| !rule.variables.is_empty());
        let mut causes: Vec<String> = causes.map(MatchedRule::summary).collect();
        if causes.is_empty() {
            causes = self.rules.iter().map(MatchedRule::summary).collect();
        }
        let others = causes.len().saturating_sub(3) + self.rules_left_out;
        causes.truncate(3);
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        let (score, threshold) = match judged {
            Judged::RefusedResponse => (self.outbound_score, self.outbound_threshold),
            Judged::Passed | Judged::RefusedRequest => (self.inbound_score, self.inbound_threshold),
        };
        let score = score.map_or_else(String::new, |score| format!("score {score} of {threshold}, "));
        format!("{score}paranoia {}: {}{others}", self.paranoia, causes.join(", "))
    }
}

impl MatchedRule {
    fn summary(&self) -> String {
        let variables: Vec<&str> = self.variables.iter().map(|variable| variable.name.as_str()).collect();
        let variables =
            if variables.is_empty() { String::new() } else { format!(" ({})", variables.join(", ")) };
        format!("{} {}{variables}", self.id, self.message)
    }
}

fn matched(firewall: &Firewall, transaction: &Transaction, found: &RuleMatch) -> MatchedRule {
    let mut variables: Vec<MatchedVariable> = Vec::new();
    let mut variables_left_out = 0;
    for matched in found.matched.iter().filter(|matched| is_of_the_exchange(matched)) {
        let name = own_name(matched);
        let shown = mask::masked_name(name);
        if variables.iter().any(|variable| variable.name == shown) {
            continue;
        }
        if variables.len() < MOST_VARIABLES {
            variables.push(MatchedVariable { value: mask::masked(name, &matched.value), name: shown });
        } else {
            variables_left_out += 1;
        }
    }
    MatchedRule {
        id: found.rule,
        message: mask::masked("", found.message.as_bytes()),
        severity: found.severity.map(Severity::name),
        paranoia: firewall.rules().rule(found.rule).and_then(RuleInfo::paranoia_level),
        refuses: refuses(transaction, found.rule),
        variables,
        variables_left_out,
    }
}

/// What an earlier link of the chain matched, by its own name.
pub(super) fn own_name(matched: &Matched) -> &str {
    matched.variable.trim_start_matches("MATCHED_VARS:")
}

/// Whether a rule ends the exchange by itself, or would.
pub(super) fn refuses(transaction: &Transaction, rule: u64) -> bool {
    transaction.objections().iter().any(|objection| objection.rule == Some(rule))
}

/// What rules count themselves is not what they look at. What has matched before, and has lost its name, is left out: the
/// name says whether it is a secret.
pub(super) fn is_of_the_exchange(matched: &Matched) -> bool {
    let name = own_name(matched);
    !name.starts_with("TX:") && !matches!(name, "" | "TX" | "MATCHED_VAR")
}

/// The paranoia level; what the rules' own setup says takes precedence.
pub(super) fn paranoia(firewall: &Firewall, transaction: &Transaction) -> u8 {
    number(transaction, "TX.blocking_paranoia_level").unwrap_or(firewall.config().paranoia)
}

/// The anomaly score of the request, where the rules count one.
pub(super) fn inbound_score(transaction: &Transaction) -> Option<u32> {
    number(transaction, "TX.blocking_inbound_anomaly_score")
}

fn number<N: FromStr>(transaction: &Transaction, name: &str) -> Option<N> {
    String::from_utf8(transaction.variable(name)?).ok()?.parse().ok()
}
