//! `bartizan detect test`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use bartizan_detection::Outcome;
use clap::Args;
use serde::Serialize;

use super::{chosen::Chosen, fired::Fired, replay};
use crate::output::{ATTENTION, BAD, GOOD, print, printable, styled};

/// Test rules that look at events, without a gateway.
///
/// Without `--events` every file of rules is tested by the cases of the file with its name in the folder `tests` beside it,
/// and the command ends with 1 when one goes otherwise. With `--events` the rules look at a file of events, one JSON
/// object in OCSF's shape a line, in the order of their times, and the command says how often each would have fired, and for
/// whom.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan detect test\n  bartizan detect test rules/own.yml\n  \
                        bartizan detect test rules/ --events yesterday.ndjson")]
pub(super) struct Test {
    /// Files of rules, or folders of them; without any the rules that come with the gateway.
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Events to look at instead of the cases.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// The offset of local time to UTC in minutes, for rules about hours and days of the week.
    #[arg(long, value_name = "MINUTES", default_value_t = 0, requires = "events", allow_hyphen_values = true,
          value_parser = clap::value_parser!(i16).range(-1440..=1440))]
    utc_offset: i16,
    /// Print what came of it for programs.
    #[arg(long)]
    json: bool,
}

/// A file of rules and what came of its cases.
#[derive(Debug, Serialize)]
struct Tested {
    file: String,
    /// `None` where it has no cases.
    cases: Option<Vec<Judged>>,
}

#[derive(Debug, Serialize)]
struct Judged {
    name: String,
    expected: usize,
    fired: usize,
    passed: bool,
}

impl Test {
    pub(super) fn run(self) -> Result<ExitCode> {
        let chosen = Chosen::new(&self.rules)?;
        match &self.events {
            Some(events) => {
                let fired = replay::run(chosen.compile()?, events, self.utc_offset)?;
                print(if self.json { serde_json::to_string_pretty(&fired)? } else { Fired::table(&fired) })?;
                Ok(ExitCode::SUCCESS)
            }
            None => self.cases(&chosen),
        }
    }

    fn cases(&self, chosen: &Chosen) -> Result<ExitCode> {
        // All of them together first: a correlation may name a rule of another file.
        chosen.compile()?;
        let tested = chosen.files.iter().map(|file| {
            let cases = Chosen::cases(file)?.map(|cases| cases.run(file, &chosen.files)).transpose()?;
            let cases = cases.map(|outcomes| outcomes.iter().map(Judged::of).collect());
            Ok(Tested { file: file.name.clone(), cases })
        });
        let tested = tested.collect::<Result<Vec<_>>>()?;
        if self.json {
            print(serde_json::to_string_pretty(&tested)?)?;
        } else {
            print(told(&tested))?;
        }
        let passed =
            tested.iter().filter_map(|tested| tested.cases.as_ref()).flatten().all(|case| case.passed);
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Judged {
    fn of(outcome: &Outcome) -> Self {
        Self {
            name: outcome.name.clone(),
            expected: outcome.expected,
            fired: outcome.findings.len(),
            passed: outcome.passed(),
        }
    }
}

fn told(tested: &[Tested]) -> String {
    let mut lines = Vec::new();
    let (mut count, mut failed, mut untested) = (0, 0, 0);
    for Tested { file, cases } in tested {
        let file = printable(file);
        let Some(cases) = cases else {
            untested += 1;
            lines.push(format!("{} {file}", styled(ATTENTION, "no tests")));
            continue;
        };
        for case in cases {
            count += 1;
            let name = printable(&case.name);
            lines.push(if case.passed {
                format!("{} {file}: {name}", styled(GOOD, "passed"))
            } else {
                failed += 1;
                let (fired, expected) = (case.fired, case.expected);
                format!("{} {file}: {name}: fired {fired} times instead of {expected}", styled(BAD, "failed"))
            });
        }
    }
    let untested = if untested == 0 { String::new() } else { format!(", files without tests: {untested}") };
    lines.push(format!("{failed} of {count} cases failed{untested}"));
    lines.join("\n")
}
