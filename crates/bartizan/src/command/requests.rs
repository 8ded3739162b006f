//! `bartizan requests`.

use anyhow::Result;
use bartizan_control::{DecidedRequest, DecidedRequests};
use clap::Args;

use crate::{
    admin::AdminOptions,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print},
};

/// List the latest decisions, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan requests\n  bartizan requests --refused --limit 100")]
pub(crate) struct Requests {
    /// Only those that were refused.
    #[arg(long)]
    refused: bool,
    /// How many at most.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Requests {
    pub(crate) async fn run(self) -> Result<()> {
        let query = [("limit", self.limit.to_string()), ("refused", self.refused.to_string())];
        let decided: DecidedRequests = self.admin.client()?.get("v1/requests", &query).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&decided)?);
        }
        if decided.requests.is_empty() {
            return print(if self.refused {
                "no request has been refused yet"
            } else {
                "no request has come yet"
            });
        }
        let mut table = Table::new(&["REQUEST ID", "CLIENT", "METHOD", "PATH", "STATUS", "DECISION"]);
        for request in &decided.requests {
            table.row(row(request));
        }
        print(table)
    }
}

fn row(request: &DecidedRequest) -> [Cell; 6] {
    let (style, decision) = match &request.code {
        Some(code) => (BAD, code.as_str()),
        None => (GOOD, "served"),
    };
    [
        Cell::new(FAINT, &request.id),
        Cell::new(PLAIN, &request.client),
        Cell::new(PLAIN, &request.method),
        Cell::new(PLAIN, &request.path),
        Cell::new(style, request.status),
        Cell::new(style, decision),
    ]
}
