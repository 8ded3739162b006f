//! `bartizan schema`.

use anyhow::Result;
use clap::Args;

use crate::output::print;

/// Print the JSON Schema of the configuration file, for editors.
///
/// With the YAML language server, put the path of the printed schema on the first line of the configuration:
/// `# yaml-language-server: $schema=./bartizan.schema.json`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bartizan schema > bartizan.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self) -> Result<()> {
        let Self {} = self;
        print(format_args!("{:#}", bartizan_config::schema()))
    }
}
