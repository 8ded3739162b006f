//! What the configuration says, as far as it can be used and still should not be like that: what the scan of a running
//! gateway finds in it, and what is fine.

use std::time::SystemTime;

use bartizan_config::Config;
use bartizan_events::Severity;
use bartizan_posture::{Weakness, configured};

use super::{Finding, Verdict};

/// What every configuration has.
const ALWAYS: [&str; 4] = ["TLS", "firewall", "routes", "limits"];
/// What one with accounts has besides.
const OF_ACCOUNTS: [&str; 4] = ["passwords", "second factors", "cookies", "mail"];

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let weaknesses = configured(config, SystemTime::now());
    let of_accounts = OF_ACCOUNTS.iter().filter(|_| config.accounts.is_some());
    let mut findings: Vec<_> = ALWAYS
        .iter()
        .chain(of_accounts)
        .filter(|area| !weaknesses.iter().any(|weakness| weakness.check.area() == **area))
        .map(|area| Finding::good(area, "nothing to say against it"))
        .collect();
    if config.accounts.is_some() {
        findings.push(machines());
    }
    findings.extend(weaknesses.into_iter().map(Finding::from));
    findings
}

/// What a copy of the store says about keys and services.
fn machines() -> Finding {
    Finding::good(
        "secrets of machines",
        "are 256 random bits each, kept as hashes: the key of these is in the same store, and who copies it still guesses none",
    )
}

impl From<Weakness> for Finding {
    fn from(weakness: Weakness) -> Self {
        let is_wrong = weakness.severity >= Severity::High;
        Self {
            about: weakness.check.area(),
            verdict: if is_wrong { Verdict::Wrong } else { Verdict::Doubtful },
            said: weakness.said,
            help: Some(weakness.recommendation),
        }
    }
}
