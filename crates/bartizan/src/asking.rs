//! How commands on accounts ask a gateway and print what it answers: as a person reads it, or with `--json` as the admin
//! API says it.

use std::fmt::Display;

use anyhow::Result;
use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    admin::{AdminClient, AdminOptions, RenamedAdminOptions},
    output::{Cell, Table, print},
};

/// Which gateway to ask, and how to print its answer.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

/// The same for a command where `--admin` says something else.
#[derive(Debug, Args)]
pub(crate) struct RenamedAsking {
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: RenamedAdminOptions,
}

impl From<RenamedAsking> for Asking {
    fn from(RenamedAsking { json, admin }: RenamedAsking) -> Self {
        Self { json, admin: admin.into() }
    }
}

impl Asking {
    /// Finds the gateway. Does not connect yet.
    pub(crate) fn client(&self) -> Result<AdminClient> {
        self.admin.client()
    }

    /// Prints an answer; `show` does for a person.
    pub(crate) fn print<T: Serialize>(&self, answer: &T, show: impl FnOnce(&T) -> Result<()>) -> Result<()> {
        if self.json { print(serde_json::to_string_pretty(answer)?) } else { show(answer) }
    }

    /// Prints what was done where the admin API answers nothing: `said`, or with `--json` the same as an object.
    pub(crate) fn done(&self, change: &Value, said: impl Display) -> Result<()> {
        self.print(change, |_| print(said))
    }
}

/// A list that is answered in parts, as one. `next` takes out where the next part begins, `join` adds a part.
pub(crate) async fn whole<T: DeserializeOwned>(
    client: &AdminClient,
    path: &str,
    query: &[(&str, String)],
    next: impl Fn(&mut T) -> Option<String>,
    join: impl Fn(&mut T, T),
) -> Result<T> {
    let mut all: T = client.get(path, query).await?;
    while let Some(after) = next(&mut all) {
        let query: Vec<_> = query.iter().cloned().chain([("after", after)]).collect();
        join(&mut all, client.get(path, &query).await?);
    }
    Ok(all)
}

/// Prints a table of what there is; where there is nothing, `none`.
pub(crate) fn list<T, const COLUMNS: usize>(
    all: &[T],
    none: &str,
    head: [&str; COLUMNS],
    row: impl Fn(&T) -> [Cell; COLUMNS],
) -> Result<()> {
    if all.is_empty() {
        return print(none);
    }
    let mut table = Table::new(&head);
    for one in all {
        table.row(row(one));
    }
    print(table)
}
