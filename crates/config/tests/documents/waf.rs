//! The firewall: what routes take of the document, and where the Core Rule Set is found.

use std::{fs, path::Path};

use bartizan_config::{
    Config, ConfigError, ExcludedRules, Loaded, OnLargeBody, RuleIds, RulePlaces, Rules, Source, Threshold,
    WafAction, WafMode,
};

use bartizan_model::Line;

use crate::parse;

/// A document with these lines and these routes (keys beside path, destination and authentication).
fn document(lines: &str, routes: &[&str]) -> String {
    let routes: Vec<_> = routes
        .iter()
        .enumerate()
        .map(|(number, keys)| format!("  - {{ path: /{number}, to: \"http://a\", auth: none{keys} }}\n"))
        .collect();
    format!("version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n{lines}\nroutes:\n{}", routes.concat())
}

fn write(folder: &Path, files: &[&str]) {
    for file in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

fn parse_with(text: &str, base: &Path, rules: RulePlaces) -> Result<Loaded, ConfigError> {
    Config::parse(text, &Source::text(base).with_rules(rules))
}

#[test]
fn without_a_word_there_is_no_firewall_and_a_word_is_enough() {
    let modes = |lines: &str, routes: &[&str]| -> Vec<_> {
        let config = parse(&document(lines, routes)).unwrap().config;
        config.routes.iter().map(|route| route.waf.as_ref().map(|waf| waf.mode)).collect()
    };
    assert_eq!(modes("", &["", ", waf: starter", ", waf: off"]), [None, Some(WafMode::Block), None]);
    assert_eq!(
        modes("waf: starter", &["", ", waf: off", ", waf: { mode: off }", ", waf: { mode: log }"]),
        [Some(WafMode::Block), None, None, Some(WafMode::Log)]
    );
    assert_eq!(
        modes("waf: off", &["", ", waf: {}", ", waf: { mode: block }"]),
        [None, None, Some(WafMode::Block)]
    );
}

#[test]
fn a_route_takes_from_the_document_what_it_leaves_out() {
    let lines = "waf: { mode: log, paranoia: 2, threshold: { outbound: 9 }, max_body: 2MiB, on_large_body: inspect_prefix,\n  \
                 responses: on, exclude: [{ rule: 1 }] }";
    let own = ", waf: { paranoia: 4, threshold: 7, exclude: [{ tag: b, target: args:c, path: /1/*, reason: d, expires: 2100-01-01 }] }";
    let config = parse(&document(lines, &["", own])).unwrap().config;
    let [first, second] = [0, 1].map(|route: usize| config.routes[route].waf.clone().unwrap());
    assert_eq!((first.detection_paranoia, second.detection_paranoia), (2, 4), "that of `paranoia`");
    assert_eq!((first.paranoia, first.threshold), (2, Threshold { inbound: 5, outbound: 9 }));
    assert_eq!((second.paranoia, second.threshold), (4, Threshold { inbound: 7, outbound: 9 }));
    for waf in [&first, &second] {
        assert_eq!((waf.mode, waf.max_body), (WafMode::Log, 2 << 20));
        assert_eq!(waf.on_large_body, OnLargeBody::InspectPrefix);
        let responses = waf.responses.as_ref().unwrap();
        assert!(responses.types.contains(&"text/html".into()) && responses.max_body == 512 << 10);
    }
    assert_eq!((first.line, second.line), (Line::new(3), Line::new(7)));
    assert_eq!((first.exclusions.len(), second.exclusions.len()), (1, 2));
    assert_eq!(first.exclusions[0].rules, ExcludedRules::Ids(RuleIds { first: 1, last: 1 }));
    let exclusion = &second.exclusions[1];
    assert_eq!(exclusion.rules, ExcludedRules::Tag("b".into()));
    assert_eq!((exclusion.target.as_deref(), exclusion.reason.as_deref()), (Some("ARGS:c"), Some("d")));
    assert!(exclusion.concerns("/1/x") && !exclusion.concerns("/1/x/y"));
    let end = exclusion.expires.unwrap();
    assert!(exclusion.applies_at(end - std::time::Duration::from_secs(1)) && !exclusion.applies_at(end));
    assert_eq!((first.rules, config.rule_sets.len()), (second.rules, 1), "both share their rules");
}

#[test]
fn sensitivity_is_a_word_for_level_and_threshold() {
    let keys = [
        "",
        ", waf: { sensitivity: low }",
        ", waf: { sensitivity: medium, paranoia: 3 }",
        ", waf: { sensitivity: high }",
        ", waf: { sensitivity: high, threshold: 7 }",
    ];
    let config = parse(&document("waf: { paranoia: 4, threshold: 20 }", &keys)).unwrap().config;
    let said = |route: usize| {
        let waf = config.routes[route].waf.as_ref().unwrap();
        (waf.paranoia, waf.threshold.inbound)
    };
    assert_eq!([0, 1, 2, 3, 4].map(said), [(4, 20), (1, 10), (3, 5), (2, 3), (2, 7)]);
}

/// Bodies are looked at as far as a route lets them through.
#[test]
fn how_much_of_a_body_is_looked_at_follows_the_route() {
    let bodies = [
        "",
        ", body: { max: 2MiB }",
        ", body: { max: 1GiB }",
        ", body: { max: 2MiB }, waf: { max_body: 1KiB }",
    ];
    let config = parse(&document("waf: starter", &bodies)).unwrap().config;
    let looked_at = |route: usize| config.routes[route].waf.as_ref().unwrap().max_body;
    assert_eq!([0, 1, 2, 3].map(looked_at), [10 << 20, 2 << 20, 16 << 20, 1 << 10]);
}

#[test]
fn actions_of_a_route_come_behind_those_of_the_document() {
    let lines = "waf: { actions: [{ tag: attack-xss, action: log }] }";
    let own = ", waf: { actions: [{ tag: attack-xss, action: block }, { tag: attack-xss, action: deny }, \
               { tag: attack-xss, action: drop }, { tag: attack-xss, action: challenge }, \
               { tag: attack-xss, action: limit }] }";
    let config = parse(&document(lines, &["", own])).unwrap().config;
    let actions = |route: usize| {
        let waf = config.routes[route].waf.as_ref().unwrap();
        waf.actions.iter().map(|action| (action.tag.clone(), action.action)).collect::<Vec<_>>()
    };
    let class = || "attack-xss".to_owned();
    assert_eq!(actions(0), [(class(), WafAction::Log)]);
    let all = [
        WafAction::Log,
        WafAction::Block,
        WafAction::Deny,
        WafAction::Drop,
        WafAction::Challenge,
        WafAction::Limit,
    ];
    assert_eq!(actions(1), all.map(|action| (class(), action)));
}

#[test]
fn an_exclusion_may_be_a_number_a_range_or_a_tag() {
    let text = document("", &[", waf: { exclude: [942100, 920000-920999, attack-xss, OWASP_CRS/A] }"]);
    let config = parse(&text).unwrap().config;
    let exclusions = config.routes[0].waf.clone().unwrap().exclusions.clone();
    let ids = |first, last| ExcludedRules::Ids(RuleIds { first, last });
    let tag = |tag: &str| ExcludedRules::Tag(tag.into());
    let expected = [ids(942_100, 942_100), ids(920_000, 920_999), tag("attack-xss"), tag("OWASP_CRS/A")];
    assert_eq!(exclusions.iter().map(|exclusion| exclusion.rules.clone()).collect::<Vec<_>>(), expected);
    assert!(exclusions.iter().all(|exclusion| exclusion.target.is_none() && exclusion.expires.is_none()));
}

#[test]
fn the_core_rule_set_is_found_where_it_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let places = RulePlaces { installed: Some(at("state/rules")), system: at("root") };
    let text = document("", &[", waf: crs", ", waf: { rules: crs, paranoia: 3 }"]);
    let setup = || {
        let config = parse_with(&text, folder.path(), places.clone()).unwrap().config;
        assert_eq!(config.rule_sets.len(), 1, "routes share it whatever their level");
        let Rules::Core(core) = &config.rule_sets[0].rules else { panic!("not the Core Rule Set") };
        assert!(config.files.contains(&core.setup), "its setup is watched");
        (core.setup.clone(), core.before.len(), core.rules.len(), core.after.len())
    };

    let error = parse_with(&text, folder.path(), places.clone()).unwrap_err().to_string();
    assert_eq!(error.matches("there is no Core Rule Set").count(), 1, "said once: {error}");
    assert!(error.contains("run `bartizan rules install crs@4.28.0`"), "{error}");

    let old = at("old/usr/share/modsecurity-crs/rules/REQUEST-901-A.conf");
    write(
        &at("old"),
        &["etc/modsecurity/crs/crs-setup.conf", "usr/share/modsecurity-crs/rules/REQUEST-901-A.conf"],
    );
    fs::write(old, "# ---\n# OWASP ModSecurity Core Rule Set ver.3.3.4\n").unwrap();
    let places_of_old = RulePlaces { installed: None, system: at("old") };
    let error = parse_with(&text, folder.path(), places_of_old).unwrap_err().to_string();
    assert!(error.contains("it is version 3.3.4, and the engine runs version 4"), "{error}");

    let debian = ["etc/modsecurity/crs/crs-setup.conf", "usr/share/modsecurity-crs/rules/REQUEST-901-A.conf"];
    write(&at("root"), &debian);
    assert_eq!(setup(), (at("root/etc/modsecurity/crs/crs-setup.conf"), 0, 1, 0));
    write(&at("root/etc/modsecurity/crs"), &["REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"]);
    assert_eq!(setup(), (at("root/etc/modsecurity/crs/crs-setup.conf"), 1, 1, 0));

    let files =
        ["crs-setup.conf.example", "rules/REQUEST-901-A.conf", "rules/a.data", "rules/X.conf.example"];
    for version in ["crs-4.9.0", "crs-4.28.0", "crs-nightly", ".crs-9.0.0.tmp"] {
        write(&at("state/rules").join(version), &files);
    }
    assert_eq!(setup(), (at("state/rules/crs-4.28.0/crs-setup.conf.example"), 0, 1, 0));
    let edited = ["crs-setup.conf", "plugins/a-before.conf", "plugins/a-config.conf", "plugins/a-after.conf"];
    write(&at("state/rules/crs-4.28.0"), &edited);
    assert_eq!(setup(), (at("state/rules/crs-4.28.0/crs-setup.conf"), 2, 1, 1));
}

#[test]
fn the_core_rule_set_is_where_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "waf: { rules: crs, path: crs }";
    let parsed = || parse_with(&document(lines, &[""]), folder.path(), RulePlaces::default());
    let reason = || parsed().unwrap_err().to_string();
    assert!(reason().contains("there is no `crs-setup.conf`"));
    write(folder.path(), &["crs/crs-setup.conf"]);
    assert!(reason().contains("there is no folder `rules`"));
    write(folder.path(), &["crs/rules/other.conf"]);
    assert!(reason().contains("its rules do not begin with `REQUEST-901-…`"));
    write(folder.path(), &["crs/rules/REQUEST-901-INITIALIZATION.conf"]);
    assert!(matches!(parsed().unwrap().config.rule_sets[0].rules, Rules::Core(_)));
}

#[test]
fn own_rules_are_read_in_the_order_of_their_names_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &["waf/b.conf", "waf/a.conf", "waf/notes.txt", "waf/deep/c.conf", "last.conf"]);
    let text = document(
        "waf: { include: [waf/*.conf, last.conf, waf/a.conf] }",
        &["", ", waf: { include: last.conf }"],
    );
    let config = parse_with(&text, folder.path(), RulePlaces::default()).unwrap().config;
    let names = |set: usize| -> Vec<_> {
        config.rule_sets[set].include.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect()
    };
    assert_eq!(names(0), ["a.conf", "b.conf", "last.conf"]);
    assert_eq!(names(1), ["last.conf"], "a route's own files take the place of the document's");
    assert!(config.files.contains(&folder.path().join("waf/b.conf")));
}
