//! `bartizan rules explain`.

use std::fs;

use anyhow::{Result, bail};
use bartizan_pipeline::firewall::{RECOMMENDED, STARTER, compile};
use bartizan_seclang::{Place, RuleInfo};
use clap::Args;

use super::chosen::Chosen;
use crate::output::{Cell, FAINT, PLAIN, TITLE, Table, print, printable, styled};

/// Show a rule: what it says of itself, where it stands, and its text.
///
/// It is looked for in the rules of the configuration, then among the starter rules, then in the installed Core Rule Set.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan rules explain 942100\n  bartizan rules explain 10040010 --rules starter"
)]
pub(super) struct Explain {
    /// The rule's number, as `bartizan explain` names it.
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    chosen: Chosen,
}

impl Explain {
    pub(super) fn run(self) -> Result<()> {
        let others = self.chosen.others();
        let config = self.chosen.config()?;
        for set in [&config].into_iter().chain(&others).flat_map(|config| &config.rule_sets) {
            if let Some(rule) = compile(set, &[])?.rule(self.id) {
                return print(account(rule));
            }
        }
        bail!(
            "there is no rule {} among these: `--rules crs --path DIR` looks into a Core Rule Set that is not installed",
            self.id
        )
    }
}

fn account(rule: &RuleInfo) -> String {
    let mut facts = Table::default();
    let mut fact = |name: &str, value: String| facts.row([Cell::new(FAINT, name), Cell::new(PLAIN, value)]);
    if let Some(severity) = rule.severity {
        fact("severity", severity.name().to_lowercase());
    }
    if let Some(level) = rule.paranoia_level() {
        fact("paranoia", format!("from level {level}"));
    }
    fact("phase", rule.phase.name().into());
    fact("tags", rule.tags.join(", "));
    fact("place", rule.place.to_string());
    let text = text(&rule.place).map(|text| format!("\n\n{text}")).unwrap_or_default();
    let title = styled(TITLE, format!("{}  {}", rule.id, printable(&rule.message)));
    format!("{title}\n{facts}{text}")
}

/// The rule as it is written, with the rest of its chain; `None` where its file has gone.
fn text(place: &Place) -> Option<String> {
    let embedded = STARTER.iter().chain([&RECOMMENDED]).find(|(name, _)| *name == &*place.file);
    let file = match embedded {
        Some((_, text)) => (*text).to_owned(),
        None => fs::read_to_string(&*place.file).ok()?,
    };
    let start = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let (mut lines, mut is_chained) = (Vec::new(), false);
    for line in file.lines().skip(start) {
        let is_next = line.trim_start().starts_with("Sec");
        if lines.is_empty() || !is_next || is_chained {
            if is_next {
                is_chained = false;
            }
            is_chained |= chains(line);
            lines.push(line);
        }
        let goes_on = line.trim_end().ends_with('\\');
        if !goes_on && !is_chained {
            break;
        }
    }
    Some(lines.join("\n"))
}

/// Whether an action of this line says that the next rule belongs to this one.
fn chains(line: &str) -> bool {
    let word = |part: &str| part.trim().trim_matches(['"', '\\', '\'']).trim() == "chain";
    line.split(',').any(|part| word(part) || word(part.rsplit('"').nth(1).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_rule_ends_with_its_chain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.conf");
        let file = "SecRule ARGS \"@rx a\" \\\n    \"id:1,\\\n    deny,\\\n    chain\"\n    SecRule ARGS \"@rx b\" \\\n        \"t:none\"\n\nSecRule ARGS \"@rx c\" \"id:2,deny\"\nSecAction \"id:3\"\n";
        fs::write(&path, file).unwrap();
        let at = |line| text(&Place { file: path.to_string_lossy().into(), line }).unwrap();
        assert_eq!(at(1).lines().count(), 6);
        assert!(at(1).ends_with("\"t:none\""));
        assert_eq!(at(8), "SecRule ARGS \"@rx c\" \"id:2,deny\"");
    }
}
