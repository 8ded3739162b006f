//! `bartizan openapi`.

use anyhow::Result;
use bartizan_control::Control;
use clap::Args;

use crate::output::print;

/// Print the admin API's `openapi.json`.
#[derive(Debug, Args)]
pub(crate) struct Openapi {}

impl Openapi {
    pub(crate) fn run(self) -> Result<()> {
        let Self {} = self;
        print(Control::openapi_json().trim_end())
    }
}
