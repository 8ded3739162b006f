//! The Core Rule Set, in the configuration of the measurement.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use bartizan_seclang::{RuleFiles, RuleSet};

/// Loads the rules in a folder as they are delivered: paranoia level 1.
pub(crate) fn load(crs: &Path) -> Result<Arc<RuleSet>> {
    let crs = crs.to_str().context("the path of the rules is not UTF-8")?;
    let mut files = RuleFiles::default();
    let recommended = include_str!("../../../crates/pipeline/src/firewall/recommended.conf");
    files.add_text(recommended, "recommended.conf")?;
    files.add_text(include_str!("../crs/engine.conf"), "engine.conf")?;
    files.add_text(include_str!("../../../bench/waf/engine.conf"), "bench/waf/engine.conf")?;
    files.add_files(&format!("{crs}/crs-setup.conf.example"))?;
    files.add_files(&format!("{crs}/rules/*.conf"))?;
    Ok(Arc::new(RuleSet::compile(&files)?))
}
