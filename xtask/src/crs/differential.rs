//! `cargo xtask differential`: the rule engine beside libmodsecurity, on generated input.
//!
//! Values go through every transformation and both injection detectors, here and in the C++ library ([`functions`]).
//! Requests go through the Core Rule Set in this process and in nginx ([`exchanges`]), and ordinary ones and attacks are
//! decided about by both as they are installed ([`decisions`]). What differs is of a class that
//! `crates/seclang/tests/differences.md` explains, or an error.

mod decisions;
mod exchanges;
mod explained;
mod functions;
mod peer;
mod random;
mod reference;
mod requests;
mod tally;
mod values;

use std::{fs, path::Path, path::PathBuf};

use anyhow::{Context, Result, ensure};
use bartizan_ftw::{Suite, Test};
use clap::Args;

use random::Random;
use reference::Reference;
use requests::Requests;
use values::Values;

#[derive(Args)]
pub(crate) struct Differential {
    /// How many values go through every transformation and the detectors.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    values: usize,
    /// How many generated requests are sent; 0 leaves out the decisions about known ones, too.
    #[arg(long, value_name = "N", default_value_t = 500)]
    requests: usize,
    /// Another seed stands for other values and requests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where programs and logs are put.
    #[arg(long, hide = true, default_value = "target/differential")]
    folder: PathBuf,
}

impl Differential {
    pub(crate) fn run(self, crs: &Path) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("could not empty `{}`", self.folder.display()))?;
        }
        fs::create_dir_all(&self.folder)?;
        let (folder, crs) = (self.folder.canonicalize()?, crs.canonicalize()?);
        let requests = Requests::new(&tests(&crs)?);
        let values = Values::new(&crs, requests.values())?;
        let mut random = Random::new(self.seed);
        let mut unexplained = 0;
        if self.values > 0 {
            let reference = Reference::build(&folder)?;
            let (tally, description) = functions::compare(&reference, &values, self.values, &mut random)?;
            print!("{description}, seed {}\n{tally}", self.seed);
            unexplained += tally.unexplained_so_far();
        }
        if self.requests > 0 {
            let tally = exchanges::compare(&folder, &crs, &requests, &values, self.requests, &mut random)?;
            print!("{tally}");
            unexplained += tally.unexplained_so_far();
            let decisions = decisions::compare(&folder, &crs, &starter_rules().join("corpus"))?;
            print!("{decisions}");
            unexplained += decisions.tally.unexplained_so_far();
        }
        ensure!(
            unexplained == 0,
            "{unexplained} differences are not explained: mend them, or add their class to \
             xtask/src/crs/differential/explained.rs and crates/seclang/tests/differences.md"
        );
        Ok(())
    }
}

/// All that the requests are made of.
fn tests(crs: &Path) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for folder in [crs.join("regression-tests"), starter_rules().join("tests")] {
        let Suite { tests: some, unreadable } = bartizan_ftw::read(&folder)?;
        ensure!(unreadable.is_empty(), "tests are not understood: {unreadable:?}");
        tests.extend(some);
    }
    Ok(tests)
}

/// The starter rules, beside which are their tests and the requests that are decided about.
fn starter_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/starter")
}

/// Every class of difference that this program takes for explained is explained.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_line_in_the_file_of_differences() {
        let file = include_str!("../../../crates/seclang/tests/differences.md");
        let classes = explained::CLASSES.iter().map(|class| class.name);
        for class in classes.chain([functions::CUT_AT_NUL, functions::CUT_AND_SHORTENED]) {
            assert!(file.contains(&format!("| {class} |")), "{class}");
        }
    }
}
