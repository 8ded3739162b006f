//! `bartizan version`.

use anyhow::Result;
use clap::Args;

use crate::output::print;

/// Print the version, the platform and the TLS provider.
#[derive(Debug, Args)]
pub(crate) struct Version {}

/// The version of this binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Version {
    pub(crate) fn run(self) -> Result<()> {
        let Self {} = self;
        print(format_args!(
            "bartizan {VERSION}\nplatform  {}-{}\ntls       rustls with aws-lc-rs, TLS 1.2 and 1.3",
            std::env::consts::ARCH,
            std::env::consts::OS,
        ))
    }
}
