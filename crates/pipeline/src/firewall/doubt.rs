//! What is probably not meant: exclusions and actions that name a rule which is not there, a paranoia level that the
//! rules' own setup replaces, and rules that their own files keep from refusing.

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use bartizan_config::{ClassAction, ExcludedRules, Exclusion, RuleIds, WafMode, nearest};
use bartizan_model::Line;
use bartizan_seclang::{Connection, RuleSet, ast::EngineMode};
use http::{HeaderMap, Version};

use super::{Firewall, RequestLine};

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
pub(crate) fn doubts(firewalls: &[&Arc<Firewall>]) -> Vec<Doubt> {
    let mut seen: Vec<&Arc<Exclusion>> = Vec::new();
    let mut doubts = unknown_classes(firewalls);
    for firewall in firewalls {
        let own = replaced_level(firewall).into_iter().chain(held_back(firewall));
        for doubt in own.chain(unheeded(firewall)) {
            if !doubts.contains(&doubt) {
                doubts.push(doubt);
            }
        }
        for exclusion in &firewall.config.exclusions {
            if seen.iter().any(|known| Arc::ptr_eq(known, exclusion)) {
                continue;
            }
            seen.push(exclusion);
            let mut concerned = firewalls.iter().filter(|firewall| {
                firewall.config.exclusions.iter().any(|other| Arc::ptr_eq(other, exclusion))
            });
            if !concerned.any(|firewall| knows(firewall.rules(), &exclusion.rules)) {
                doubts.push(doubt(exclusion, firewall.rules()));
            }
        }
    }
    doubts
}

/// Actions for classes of which no route that has them has a rule.
fn unknown_classes(firewalls: &[&Arc<Firewall>]) -> Vec<Doubt> {
    let mut known: Vec<(&Arc<ClassAction>, bool, &RuleSet)> = Vec::new();
    for firewall in firewalls {
        for action in &firewall.config.actions {
            let is_there = knows(firewall.rules(), &ExcludedRules::Tag(action.tag.clone()));
            match known.iter_mut().find(|(known, ..)| Arc::ptr_eq(known, action)) {
                Some((_, found, _)) => *found |= is_there,
                None => known.push((action, is_there, firewall.rules())),
            }
        }
    }
    let unknown = known.into_iter().filter(|(_, is_there, _)| !is_there);
    unknown
        .map(|(action, _, rules)| no_tag(action.line, &action.tag, rules, "this action is for nothing"))
        .collect()
}

/// A paranoia level that is written and not used. Which one is, only the rules know: they are shown an empty request.
fn replaced_level(firewall: &Arc<Firewall>) -> Option<Doubt> {
    let config = firewall.config();
    if config.paranoia_line == Line::NONE {
        return None;
    }
    let mut inspection = firewall.inspect(Connection::default(), "", "/", SystemTime::now());
    let line = RequestLine { method: "GET", target: "/", version: Version::HTTP_11 };
    // Whether they object makes no difference to what they have set.
    let _ = inspection.request_head(line, &HeaderMap::new(), None);
    let used = inspection.account().paranoia;
    (used != config.paranoia).then(|| Doubt {
        line: config.paranoia_line,
        message: format!(
            "`paranoia: {}` has no effect: the rules' own setup says {used}, which takes precedence",
            config.paranoia
        ),
        hint: Some(
            "take `tx.blocking_paranoia_level` out of `crs-setup.conf`, or say the same in both".into(),
        ),
    })
}

/// A firewall that is to refuse, with rules whose own files say that they do not.
fn held_back(firewall: &Arc<Firewall>) -> Option<Doubt> {
    let mode = firewall.rules().settings().mode;
    let what = match mode {
        EngineMode::On => return None,
        EngineMode::DetectionOnly if firewall.config.mode == WafMode::Log => return None,
        EngineMode::DetectionOnly => "report and refuse nothing",
        EngineMode::Off => "do not look at anything",
    };
    Some(Doubt {
        line: firewall.config.line,
        message: format!("a file under `include` says `SecRuleEngine {}`: the rules {what}", mode.name()),
        hint: Some("take it out of the file, or say it here: `mode: log` or `mode: off`".into()),
    })
}

/// What own files say in vain.
fn unheeded(firewall: &Arc<Firewall>) -> impl Iterator<Item = Doubt> {
    let (config, unheeded) = (&firewall.config, &firewall.unheeded);
    let rule = unheeded.of_responses.as_ref().filter(|_| config.responses.is_none());
    let rule = rule.map(|(id, place)| Doubt {
        line: config.line,
        message: format!("rule {id} ({place}) looks at responses, and `responses` is off: it never runs"),
        hint: Some("write `responses: on` beside `include`".into()),
    });
    let settings = unheeded.settings.iter().map(|(said, place, key)| Doubt {
        line: config.line,
        message: format!("`{said}` ({place}) has no effect: the gateway says it for each route"),
        hint: Some(format!("write `{key}` under `waf` and take it out of the file")),
    });
    rule.into_iter().chain(settings)
}

fn knows(rules: &RuleSet, excluded: &ExcludedRules) -> bool {
    rules.rules().any(|rule| match excluded {
        ExcludedRules::Ids(RuleIds { first, last }) => (first..=last).contains(&&rule.id),
        ExcludedRules::Tag(tag) => rule.tags.iter().any(|known| known == tag),
    })
}

fn doubt(exclusion: &Exclusion, rules: &RuleSet) -> Doubt {
    match &exclusion.rules {
        ExcludedRules::Ids(ids) => {
            let near = rules.rules().min_by_key(|rule| rule.id.abs_diff(ids.first));
            let hint = near.map(|rule| format!("the nearest is {}: {}", rule.id, rule.message));
            let message = format!("no rule has the number {ids}: nothing is excluded");
            Doubt { line: exclusion.line, message, hint }
        }
        ExcludedRules::Tag(tag) => no_tag(exclusion.line, tag, rules, "nothing is excluded"),
    }
}

fn no_tag(line: Line, tag: &str, rules: &RuleSet, so: &str) -> Doubt {
    let tags: BTreeSet<&str> = rules.rules().flat_map(|rule| &rule.tags).map(String::as_str).collect();
    let hint = nearest(tag, tags).map(|near| format!("did you mean `{near}`?"));
    Doubt { line, message: format!("no rule has the tag `{tag}`: {so}"), hint }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::firewalls_of, *};

    fn found(document: &str, routes: &[&str]) -> Vec<(String, Option<String>)> {
        let firewalls = firewalls_of(document, routes);
        let firewalls: Vec<&Arc<Firewall>> = firewalls.iter().collect();
        let doubts = doubts(&firewalls);
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
    fn an_action_for_no_class_is_doubted() {
        let document =
            "waf: { actions: [{ tag: attack-sqli, action: log }, { tag: atack-xss, action: log }] }\n";
        let found = found(document, &["starter", "starter"]);
        let said = "no rule has the tag `atack-xss`: this action is for nothing".to_owned();
        assert_eq!(found, [(said, Some("did you mean `attack-xss`?".to_owned()))]);
    }

    #[test]
    fn a_paranoia_level_that_the_setup_replaces_is_doubted_where_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own-before.conf");
        std::fs::write(&file, "SecAction \"id:100100,phase:1,pass,setvar:tx.blocking_paranoia_level=3\"\n")
            .unwrap();
        let with = |keys: &str| format!("{{ include: \"{}\"{keys} }}", file.display());
        let said = found("", &[&with(", paranoia: 2"), &with(""), &with(", paranoia: 3")]);
        let [(message, Some(hint))] = said.as_slice() else { panic!("{said:?}") };
        assert!(message.starts_with("`paranoia: 2` has no effect: the rules' own setup says 3"), "{message}");
        assert!(hint.contains("`crs-setup.conf`"), "{hint}");
    }

    #[test]
    fn rules_that_their_files_hold_back_are_doubted() {
        let folder = tempfile::tempdir().unwrap();
        let with = |mode: &str, engine: &str| {
            let file = folder.path().join(format!("{engine}.conf"));
            std::fs::write(&file, format!("SecRuleEngine {engine}\n")).unwrap();
            format!("{{ mode: {mode}, include: \"{}\" }}", file.display())
        };
        let said =
            |mode: &str, engine: &str| found("", &[&with(mode, engine)]).pop().map(|(message, _)| message);
        assert_eq!(said("block", "On"), None);
        assert_eq!(said("log", "DetectionOnly"), None);
        let held_back = |said: Option<String>, what: &str| said.is_some_and(|said| said.ends_with(what));
        assert!(held_back(said("block", "DetectionOnly"), "the rules report and refuse nothing"));
        assert!(held_back(said("log", "Off"), "the rules do not look at anything"));
    }

    #[test]
    fn what_own_files_say_in_vain_is_doubted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.conf");
        let text = "SecRequestBodyAccess On\nSecRequestBodyLimit 1000\nSecAction \"id:7,phase:3,pass\"\n\
                    SecAction \"id:8,phase:4,pass\"\n";
        std::fs::write(&file, text).unwrap();
        let with = |keys: &str| format!("{{ include: \"{}\"{keys} }}", file.display());
        let said = |keys: &str| {
            let found = found("", &[&with(keys)]);
            found.into_iter().map(|(message, _)| message).collect::<Vec<_>>()
        };
        let limit = format!(
            "`SecRequestBodyLimit` ({}:2) has no effect: the gateway says it for each route",
            file.display()
        );
        let rule = format!(
            "rule 7 ({}:3) looks at responses, and `responses` is off: it never runs",
            file.display()
        );
        assert_eq!(said(""), [rule, limit.clone()]);
        assert_eq!(said(", responses: on"), [limit]);
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
