//! `bartizan policy explain`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bartizan_control::{DecidedPolicies, DecidedRequests};
use bartizan_model::RequestId;
use bartizan_policy::{Answer, Question};
use clap::Args;

use super::local::{Local, read};
use crate::{
    admin::AdminOptions,
    command::explain,
    output::{BAD, FAINT, print, printable, styled},
};

/// Show which policies determined a decision, and their texts.
///
/// Of a request that the running gateway remembers, or of a question in a FILE: a subject, an action, a resource and a
/// context as the `AuthZEN` evaluation endpoint takes them, in YAML or JSON. A question is answered with the policies of
/// the configuration on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan policy explain 019a9f3e-7c1d-7d2a-9b51-0242ac120002\n  \
                        bartizan policy explain --request question.yaml")]
pub(super) struct Explain {
    /// The request's id.
    #[arg(value_name = "REQUEST_ID", required_unless_present = "request", conflicts_with = "request")]
    id: Option<RequestId>,
    /// A question.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Explain {
    pub(super) async fn run(self) -> Result<()> {
        if let Some(path) = self.request {
            let policies = self.local.policies(&[])?;
            let question: Question = serde_saphyr::from_str(&read(&path)?)
                .with_context(|| format!("`{}` is no question", path.display()))?;
            return print(match policies.answer(&question)? {
                Answer::Refused(unmet) => styled(BAD, unmet),
                Answer::Judged(judgement) => explain::of_policies(&DecidedPolicies::from(&judgement)),
            });
        }
        let id = self.id.context("there is no request id")?;
        let found: DecidedRequests = self.admin.client()?.get(&format!("v1/requests/{id}"), &[]).await?;
        let mut parts = Vec::new();
        for request in &found.requests {
            let Some(decided) = &request.policies else { continue };
            let line = printable(&format!("{} {}", request.method, request.path));
            parts.push(format!("{}\n{}", styled(FAINT, line), explain::of_policies(decided)));
        }
        if parts.is_empty() {
            bail!(
                "no policy was asked about the request `{id}`: `bartizan explain {id}` says what was decided"
            );
        }
        print(parts.join("\n\n"))
    }
}
