//! What the run came to: a line for each rule file, every failure, and whether it is enough.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, bail};

use crate::{
    overrides::Expectations,
    run::{Outcome, Trace, Verdict},
};

/// Of ten thousand tests, how many must pass, as written or as their overrides say.
const THRESHOLD: usize = 9980;

/// How many tests came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    as_written: usize,
    overridden: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed | Verdict::NeedlesslyOverridden => self.as_written += 1,
            Verdict::Overridden => self.overridden += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped => self.skipped += 1,
        }
    }

    fn passed(self) -> usize {
        self.as_written + self.overridden
    }

    fn run(self) -> usize {
        self.passed() + self.failed
    }

    /// How many of ten thousand pass, rounded down: the threshold is not reached by rounding.
    fn share(self) -> usize {
        (self.passed() * 10_000).checked_div(self.run()).unwrap_or(0)
    }
}

/// The table and the failures; with `verbose`, what each failure sent and what was logged.
pub(crate) fn text(outcomes: &[Outcome<'_>], verbose: bool) -> String {
    let mut groups: BTreeMap<&str, Count> = BTreeMap::new();
    let mut all = Count::default();
    let mut failures = String::new();
    for outcome in outcomes {
        groups.entry(&outcome.test.group).or_default().add(&outcome.verdict);
        all.add(&outcome.verdict);
        match &outcome.verdict {
            Verdict::Failed(complaints) => failures += &failure(outcome, complaints, verbose),
            Verdict::NeedlesslyOverridden => {
                let _ = writeln!(failures, "{}: passes as written; remove its override", outcome.test.name);
            }
            _ => {}
        }
    }
    let mut table = String::new();
    for (group, count) in groups.into_iter().chain([("all", all)]) {
        let (passed, run, share) = (count.passed(), count.run(), count.share());
        let line = format!("{group:48} {passed:5} of {run:5}  {:3}.{:02} %", share / 100, share % 100);
        let notes =
            [(count.overridden, "as overridden"), (count.failed, "failed"), (count.skipped, "skipped")];
        let notes = notes.iter().filter(|(number, _)| *number > 0);
        table += notes.fold(line, |line, (number, note)| line + &format!(", {number} {note}")).as_str();
        table.push('\n');
    }
    if failures.is_empty() { table } else { format!("{failures}\n{table}") }
}

fn failure(outcome: &Outcome<'_>, complaints: &[String], verbose: bool) -> String {
    let mut text = format!("{}: {}", outcome.test.name, complaints.join("; "));
    for trace in &outcome.traces {
        let _ = write!(text, "; logged {:?}", trace.exchange.rules());
    }
    text.push('\n');
    if verbose {
        for line in outcome.test.description.lines() {
            let _ = writeln!(text, "    # {line}");
        }
        text.extend(outcome.traces.iter().map(trace));
    }
    text
}

/// What was sent and what was logged.
pub(crate) fn trace(trace: &Trace) -> String {
    let mut text = String::new();
    for line in trace.request.split_inclusive(|byte| *byte == b'\n') {
        let shown = line.get(..500).unwrap_or(line);
        let _ = writeln!(text, "    > {}{}", shown.escape_ascii(), if shown == line { "" } else { " ..." });
    }
    if let Some(status) = trace.exchange.status {
        let _ = writeln!(text, "    < {status}");
        if status >= 400 {
            let said = trace.exchange.response.get(..500).unwrap_or(&trace.exchange.response);
            let _ = writeln!(text, "    < {}", said.escape_ascii());
        }
    }
    for entry in &trace.exchange.log {
        let _ = writeln!(text, "    = {}", entry.text);
    }
    text
}

/// Whether it is enough. The recorded number holds for the whole suite only.
pub(crate) fn check(outcomes: &[Outcome<'_>], expectations: &Expectations) -> Result<()> {
    let mut all = Count::default();
    for outcome in outcomes {
        all.add(&outcome.verdict);
    }
    let needless = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::NeedlesslyOverridden).count();
    if needless > 0 {
        bail!("{needless} overrides are no longer needed");
    }
    if all.share() < THRESHOLD {
        bail!("fewer than {}.{:02} % of the tests pass", THRESHOLD / 100, THRESHOLD % 100);
    }
    let recorded = expectations.recorded;
    if outcomes.len() == recorded.tests {
        let mut overridden = expectations.overrides.iter().flat_map(|entry| &entry.tests);
        let unknown = overridden.find(|name| outcomes.iter().all(|outcome| outcome.test.name != **name));
        if let Some(name) = unknown {
            bail!("there is an override of {name}, which is not a test");
        }
        if all.as_written < recorded.passed {
            bail!("{} tests pass as written, {} are recorded", all.as_written, recorded.passed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bartizan_ftw::{Output, Test};

    use super::*;
    use crate::{
        judge::{Entry, Exchange},
        overrides::{Override, Recorded},
    };

    fn tests(number: usize) -> Vec<Test> {
        let test = |number| Test {
            name: format!("1-{number}"),
            rule: 1,
            group: if number == 0 { "FIRST" } else { "OTHERS" }.into(),
            description: "what for".into(),
            disabled: false,
            stages: Vec::new(),
        };
        (0..number).map(test).collect()
    }

    /// The last ones fail, the first ones pass.
    fn outcomes(tests: &[Test], failed: usize) -> Vec<Outcome<'_>> {
        let outcome = |(place, test)| {
            let fails = place + failed >= tests.len();
            let verdict =
                if fails { Verdict::Failed(vec!["expected [1] in the log".into()]) } else { Verdict::Passed };
            let log = vec![Entry { rule: 7, text: "[id \"7\"]".into() }];
            let exchange = Exchange { status: Some(200), response: Vec::new(), log };
            Outcome { test, verdict, traces: vec![Trace { request: b"GET /\r\n\xFF".to_vec(), exchange }] }
        };
        tests.iter().enumerate().map(outcome).collect()
    }

    fn expectations(tests: usize, passed: usize, overridden: &[&str]) -> Expectations {
        let entry = |test: &&str| Override {
            tests: vec![(*test).into()],
            reason: "so".into(),
            output: Output::default(),
        };
        Expectations {
            recorded: Recorded { tests, passed },
            overrides: overridden.iter().map(entry).collect(),
            refusals: Vec::new(),
        }
    }

    #[test]
    fn the_report_names_failures_and_counts_by_rule_file() {
        let tests = tests(3);
        let outcomes = outcomes(&tests, 1);
        let brief = text(&outcomes, false);
        assert!(brief.starts_with("1-2: expected [1] in the log; logged {7}\n\nFIRST "), "{brief}");
        let rows: Vec<Vec<&str>> =
            brief.lines().skip(2).map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(
            rows,
            [
                vec!["FIRST", "1", "of", "1", "100.00", "%"],
                vec!["OTHERS", "1", "of", "2", "50.00", "%,", "1", "failed"],
                vec!["all", "2", "of", "3", "66.66", "%,", "1", "failed"],
            ]
        );
        let verbose = text(&outcomes, true);
        for line in ["    # what for", r"    > GET /\r\n", r"    > \xff", "    < 200", "    = [id \"7\"]"] {
            assert!(verbose.lines().any(|other| other == line), "{line}: {verbose}");
        }
    }

    #[test]
    fn enough_is_the_threshold_and_what_was_reached_before() {
        let tests = tests(1000);
        let judged = |failed, expectations| check(&outcomes(&tests, failed), &expectations).is_ok();
        assert!(judged(2, expectations(1000, 998, &[])));
        assert!(!judged(3, expectations(1000, 0, &[])), "under the threshold");
        assert!(!judged(2, expectations(1000, 999, &[])), "fewer than before");
        assert!(judged(2, expectations(2000, 1999, &[])), "another suite");
        assert!(!judged(0, expectations(1000, 0, &["1-1000"])), "no such test");
        assert!(judged(0, expectations(1000, 0, &["1-999"])));
        let mut outcomes = outcomes(&tests, 0);
        outcomes[5].verdict = Verdict::Overridden;
        assert!(check(&outcomes, &expectations(1000, 999, &[])).is_ok());
        assert!(check(&outcomes, &expectations(1000, 1000, &[])).is_err(), "as written");
        outcomes[5].verdict = Verdict::NeedlesslyOverridden;
        assert!(check(&outcomes, &expectations(1000, 0, &[])).is_err(), "a needless override");
    }
}
