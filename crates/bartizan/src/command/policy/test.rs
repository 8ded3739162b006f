//! `bartizan policy test`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bartizan_policy::{AskedAction, AskedEntity, Policies, Question};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::local::{Local, read};
use crate::output::{BAD, GOOD, print, printable, styled};

/// Ask the policies what a file of cases says, without a gateway.
///
/// Each case holds a principal, an action, a resource and a context, and whether it is to be permitted; also by which
/// policies, where that matters. What a case leaves out of the context is that of a request like any other: GET from
/// 127.0.0.1 over TLS with one factor, now, from the zone of its principal. Ends with 1 when a case goes otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan policy test policies/cases.yaml\n\n\
                        A FILE:\n  cases:\n    - name: clerks read\n      \
                        principal: { type: User, id: shop/ann, properties: { roles: [clerk] } }\n      \
                        action: orders:read\n      resource: { type: Route, id: /orders/** }\n      expect: permit")]
pub(super) struct Test {
    /// The cases.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Policies to try: each file takes the place of the one in the configuration with its name, or is added.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    local: Local,
}

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(alias = "subject")]
    principal: AskedEntity,
    action: Action,
    resource: AskedEntity,
    #[serde(default)]
    context: Map<String, Value>,
    expect: Expected,
    /// The policies that are to determine it.
    policies: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Action {
    Name(String),
    Written(AskedAction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Permit,
    Deny,
}

impl Test {
    pub(super) fn run(self) -> Result<()> {
        let policies = self.local.policies(&self.policy)?;
        let Cases { cases } = serde_saphyr::from_str(&read(&self.file)?)
            .with_context(|| format!("`{}` is no file of cases", self.file.display()))?;
        ensure!(!cases.is_empty(), "`{}` has no cases", self.file.display());
        let (mut lines, mut failed) = (Vec::new(), 0);
        let count = cases.len();
        for case in cases {
            let name = printable(&case.name);
            match case.run(&policies) {
                Ok(()) => lines.push(format!("{} {name}", styled(GOOD, "passed"))),
                Err(error) => {
                    failed += 1;
                    lines.push(format!(
                        "{} {name}: {}",
                        styled(BAD, "failed"),
                        printable(&format!("{error:#}"))
                    ));
                }
            }
        }
        print(lines.join("\n"))?;
        ensure!(failed == 0, "{failed} of {count} cases failed");
        Ok(())
    }
}

impl Case {
    fn run(self, policies: &Policies) -> Result<()> {
        let action = match self.action {
            Action::Name(name) => AskedAction { name, properties: Map::new() },
            Action::Written(action) => action,
        };
        let question =
            Question { subject: self.principal, action, resource: self.resource, context: self.context };
        let answer = policies.answer(&question)?;
        ensure!(answer.permits() == (self.expect == Expected::Permit), "{answer}");
        if let Some(mut expected) = self.policies {
            let mut found: Vec<_> = answer.determining().iter().map(|policy| policy.id.to_string()).collect();
            found.sort_unstable();
            expected.sort_unstable();
            ensure!(found == expected, "{answer}, expected {}", expected.join(", "));
        }
        Ok(())
    }
}
