//! `bartizan api-key`.

use anyhow::Result;
use bartizan_model::Name;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use crate::{
    document::hexadecimal,
    output::{ATTENTION, FAINT, TITLE, print, styled},
};

/// Make an API key.
#[derive(Debug, Args)]
pub(crate) struct ApiKey {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
}

/// Make a new API key and print it once, with the lines that let the gateway know it.
///
/// The key is 256 random bits. The configuration holds only its SHA-256, so the key can be neither read from it
/// nor shown again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bartizan api-key new warehouse --prefix shop")]
struct New {
    /// Who will hold it: 1 to 64 letters, digits, `-`, `_` or `.`.
    name: Name,
    /// What the key starts with, so that people and secret scanners recognise it.
    #[arg(long, default_value = "bartizan", value_name = "WORD")]
    prefix: String,
}

impl ApiKey {
    pub(crate) fn run(self) -> Result<()> {
        let Command::New(New { name, prefix }) = self.command;
        let (key, hash) = bartizan_identity::generate_api_key(&prefix)?;
        print(format_args!(
            "{}\n\n  {}\n\n{}\n\n  - name: {name}\n    hash: \"sha256:{}\"\n    permissions: []\n\n{}",
            styled(ATTENTION, "Give this key to its holder now; it is not shown again:"),
            styled(TITLE, key.expose_secret()),
            "Add these lines under `keys:` of an `api_key` provider, and say what it may do:",
            hexadecimal(&hash),
            styled(FAINT, "The running gateway takes the changed file over by itself."),
        ))
    }
}
