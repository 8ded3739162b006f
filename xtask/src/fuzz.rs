//! Fuzzes: every target of `fuzz/` for a while, or one of them for longer.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    command::{self, command, say},
    setup::Setup,
};

#[derive(Args)]
pub(crate) struct Fuzz {
    /// How long each target is fuzzed.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Only this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

impl Fuzz {
    /// Ends with the first target that finds something: what it was stands in `fuzz/artifacts`.
    pub(crate) fn run(self) -> Result<()> {
        let targets = targets()?;
        if let Some(wanted) = &self.target {
            ensure!(targets.contains(wanted), "there is no target `{wanted}`: {}", targets.join(", "));
        }
        Setup::for_fuzzing().run()?;
        let duration = format!("-max_total_time={}", self.seconds);
        for target in targets.iter().filter(|target| self.target.as_ref().is_none_or(|only| only == *target))
        {
            say(&format!("fuzzing {target} for {} s", self.seconds));
            // An input that takes longer than ten seconds is a finding, too.
            let options = ["--", &duration, "-timeout=10", "-rss_limit_mb=4096"];
            let fuzz = ["run", "nightly", "cargo", "fuzz", "run", target];
            let dictionary = (target == "request_head").then_some("-dict=fuzz/dictionaries/http.dict");
            let words: Vec<&str> = fuzz.into_iter().chain(options).chain(dictionary).collect();
            let mut fuzz = command("rustup", &words);
            // The toolchain that runs this is not the one that fuzzes.
            fuzz.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
            command::run(fuzz)?;
        }
        Ok(())
    }
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>> {
    let folder = crate::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    targets.sort_unstable();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_that_is_built_is_fuzzed() {
        let manifest = fs::read_to_string(crate::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert_eq!(targets.len(), manifest.matches("[[bin]]").count());
        assert!(
            targets.iter().all(|target| manifest.contains(&format!("name = \"{target}\""))),
            "{targets:?}"
        );
    }
}
