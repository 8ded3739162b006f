//! Exclusions that exclude nothing: they name a rule that is not there, which is probably not what was meant.

use std::{collections::BTreeSet, sync::Arc};

use bartizan_config::{ExcludedRules, Exclusion, RuleIds, nearest};
use bartizan_model::Line;
use bartizan_seclang::RuleSet;

use super::Firewall;

/// Something about a configuration that can be used and is probably not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Where it stands in the file.
    pub line: Line,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Of all firewalls of a configuration. The document's exclusions are for all routes, whichever rules they have, so one
/// route that knows the rule is enough.
pub(crate) fn doubts<'f>(firewalls: impl Iterator<Item = &'f Firewall> + Clone) -> Vec<Doubt> {
    let mut seen: Vec<&Arc<Exclusion>> = Vec::new();
    let mut doubts = Vec::new();
    for firewall in firewalls.clone() {
        for exclusion in &firewall.config.exclusions {
            if seen.iter().any(|known| Arc::ptr_eq(known, exclusion)) {
                continue;
            }
            seen.push(exclusion);
            let concerned = firewalls.clone().filter(|firewall| {
                firewall.config.exclusions.iter().any(|other| Arc::ptr_eq(other, exclusion))
            });
            if !concerned.clone().any(|firewall| knows(firewall.rules(), &exclusion.rules)) {
                doubts.push(doubt(exclusion, firewall.rules()));
            }
        }
    }
    doubts
}

fn knows(rules: &RuleSet, excluded: &ExcludedRules) -> bool {
    rules.rules().any(|rule| match excluded {
        ExcludedRules::Ids(RuleIds { first, last }) => (first..=last).contains(&&rule.id),
        ExcludedRules::Tag(tag) => rule.tags.iter().any(|known| known == tag),
    })
}

fn doubt(exclusion: &Exclusion, rules: &RuleSet) -> Doubt {
    let (message, hint) = match &exclusion.rules {
        ExcludedRules::Ids(ids) => {
            let near = rules.rules().min_by_key(|rule| rule.id.abs_diff(ids.first));
            let hint = near.map(|rule| format!("the nearest is {}: {}", rule.id, rule.message));
            (format!("no rule has the number {ids}: nothing is excluded"), hint)
        }
        ExcludedRules::Tag(tag) => {
            let tags: BTreeSet<&str> =
                rules.rules().flat_map(|rule| &rule.tags).map(String::as_str).collect();
            let hint = nearest(tag, tags).map(|near| format!("did you mean `{near}`?"));
            (format!("no rule has the tag `{tag}`: nothing is excluded"), hint)
        }
    };
    Doubt { line: exclusion.line, message, hint }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::firewalls_of, *};

    fn found(document: &str, routes: &[&str]) -> Vec<(String, Option<String>)> {
        let firewalls = firewalls_of(document, routes);
        let doubts = doubts(firewalls.iter().map(AsRef::as_ref));
        doubts.into_iter().map(|doubt| (doubt.message, doubt.hint)).collect()
    }

    #[test]
    fn what_excludes_nothing_is_doubted() {
        let exclusions = "{ exclude: [{ rule: 10010040 }, { rule: 10010000-10019999 }, { tag: attack-sqli }, \
                          { rule: 10010041 }, { rule: 942100-942190, target: \"ARGS:id\" }, { tag: atack-sqli }, \
                          { tag: something-else-entirely }] }";
        let found = found("", &[exclusions]);
        let said: Vec<&str> = found.iter().map(|(message, _)| message.as_str()).collect();
        assert_eq!(
            said,
            [
                "no rule has the number 10010041: nothing is excluded",
                "no rule has the number 942100-942190: nothing is excluded",
                "no rule has the tag `atack-sqli`: nothing is excluded",
                "no rule has the tag `something-else-entirely`: nothing is excluded",
            ]
        );
        let hints: Vec<_> = found.iter().map(|(_, hint)| hint.as_deref().unwrap_or_default()).collect();
        assert_eq!(hints[0], "the nearest is 10010040: NUL byte in a request");
        assert_eq!((hints[2], hints[3]), ("did you mean `attack-sqli`?", ""));
    }

    #[test]
    fn one_route_that_knows_the_rule_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.conf");
        std::fs::write(&file, "SecAction \"id:100100,phase:1,pass\"\n").unwrap();
        let own = format!("{{ include: \"{}\" }}", file.display());
        let document = "waf: { exclude: [{ rule: 100100 }] }\n";
        assert_eq!(found(document, &["starter", &own]), []);
        assert_eq!(found(document, &["starter", "starter"]).len(), 1);
    }
}
