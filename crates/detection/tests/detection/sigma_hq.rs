//! SigmaHQ's rules for web servers, where a copy is at hand: `BARTIZAN_SIGMA_RULES` names its folder, `rules/web`.

use std::{env, path::Path};

use bartizan_detection::{DetectionError, Problem, Reason, RuleFile, RuleSet};

#[test]
fn rules_for_web_servers_load() {
    let Some(folder) = env::var_os("BARTIZAN_SIGMA_RULES") else {
        eprintln!("skipped: BARTIZAN_SIGMA_RULES names no folder");
        return;
    };
    let files = RuleFile::read(Path::new(&folder)).unwrap();
    let (mut loaded, mut refused) = (0, Vec::new());
    for file in files {
        match RuleSet::compile(&[file]) {
            Ok(rules) => loaded += rules.rules().len(),
            Err(DetectionError::Refused(problems)) => refused.extend(problems),
            Err(error) => refused.push(Problem {
                file: String::new(),
                line: 0,
                rule: None,
                reason: Reason::Malformed(error.to_string()),
            }),
        }
    }
    // Proxies, and the error logs of servers, are about something else.
    refused.retain(|problem| !matches!(problem.reason, Reason::ForeignLogSource(_)));
    let refused: Vec<_> = refused.iter().map(ToString::to_string).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(loaded > 0, "the folder holds no rule for web servers");
}
