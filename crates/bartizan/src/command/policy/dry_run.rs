//! `bartizan policy dry-run`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bartizan_control::{PolicyChange, PolicyDryRun, PolicyProposal, PolicyRuling, ProposedPolicies};
use clap::Args;

use super::local::read;
use crate::{
    admin::{AdminOptions, Refused},
    command::reload,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable, styled},
};

/// Show what other policies would have said of the requests that the running gateway remembers.
///
/// Asks the policies in use and those of FILE about the latest 4096 refusals and as many served requests, as far as
/// permissions had let them through. Changes nothing. FILE takes the place of the file in use that has its name, or is
/// added.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan policy dry-run --policy new/orders.cedar\n  \
                        bartizan policy dry-run --policy orders.cedar --json | jq .changed")]
pub(super) struct DryRun {
    /// The policies to try.
    #[arg(long, value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl DryRun {
    pub(super) async fn run(self) -> Result<()> {
        let files = self.policy.iter().map(|path| {
            let name = path.file_name().with_context(|| format!("`{}` is no file", path.display()))?;
            Ok(ProposedPolicies { name: name.to_string_lossy().into_owned(), text: read(path)? })
        });
        let proposal = PolicyProposal { files: files.collect::<Result<_>>()? };
        let run = self.admin.client()?.post_json("v1/policies/dry-run", &proposal).await;
        let run: PolicyDryRun = run.map_err(explain)?;
        if self.json {
            return print(serde_json::to_string_pretty(&run)?);
        }
        let mut parts = vec![summary(&run)];
        if !run.changed.is_empty() {
            let mut table = Table::new(&["REQUEST ID", "METHOD", "PATH", "NOW", "THEN", "WHY"]);
            for change in &run.changed {
                table.row(row(change));
            }
            parts.push(table.to_string());
        }
        print(parts.join("\n\n"))
    }
}

/// Shows what is wrong with the policies before the error itself.
fn explain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Refused>() {
        Ok(Refused { problem }) => {
            reload::show(problem.diagnostics.clone());
            Refused { problem }.into()
        }
        Err(error) => error,
    }
}

fn summary(run: &PolicyDryRun) -> String {
    let PolicyDryRun { requests, left_out, permitted_now, permitted_then, differences, .. } = run;
    if *requests == 0 {
        return "nothing to ask about: no remembered request has come as far as the policies".into();
    }
    let style = if *differences == 0 { GOOD } else { ATTENTION };
    let mut text = format!(
        "{requests} remembered requests: {permitted_now} permitted now, {permitted_then} then; {}",
        styled(style, format!("{differences} judged differently"))
    );
    if *left_out > 0 {
        text = format!("{text}\n{left_out} more could not be asked about again");
    }
    text
}

fn row(change: &PolicyChange) -> [Cell; 6] {
    let now = change.now.as_ref().map_or(PolicyRuling::Permitted, |now| now.ruling);
    let why = match change.then.policies.as_slice() {
        [] => change.then.errors.first().cloned().unwrap_or_else(|| "no policy permits it".into()),
        policies => policies.iter().map(|policy| policy.id.as_str()).collect::<Vec<_>>().join(", "),
    };
    [
        Cell::new(FAINT, &change.id),
        Cell::new(PLAIN, &change.method),
        Cell::new(PLAIN, &change.path),
        ruling(now),
        ruling(change.then.ruling),
        Cell::new(PLAIN, printable(&why)),
    ]
}

fn ruling(ruling: PolicyRuling) -> Cell {
    match ruling {
        PolicyRuling::Permitted => Cell::new(GOOD, "permitted"),
        PolicyRuling::Forbidden => Cell::new(BAD, "forbidden"),
        PolicyRuling::NotPermitted => Cell::new(BAD, "not permitted"),
        PolicyRuling::Failed => Cell::new(BAD, "failed"),
    }
}
