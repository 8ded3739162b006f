//! What every construct of the language becomes.

mod any_text;
mod refused;

use super::*;
use crate::{
    Transformation,
    ast::{
        Action, AllowScope, AuditPartsChange, BodyProcessor, Collection, Control, EngineMode, ExpireVariable,
        RuleSelector, Selector, SetOperation, SetVariable, Setting, Severity, Target, TargetUse, Template,
        Variable,
    },
};

fn one(text: &str) -> DirectiveKind {
    let mut directives = parse(text, "r.conf").unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(directives.len(), 1, "{text}");
    directives.remove(0).kind
}

fn rule(text: &str) -> Rule {
    match one(text) {
        DirectiveKind::Rule(rule) => rule,
        other => panic!("{other:?}"),
    }
}

fn actions(list: &str) -> Vec<Action> {
    rule(&format!("SecAction \"id:1,{list}\"")).first.actions
}

fn action(text: &str) -> Action {
    let mut actions = actions(text);
    assert_eq!(actions.len(), 1, "{text}");
    actions.remove(0)
}

fn template(text: &str) -> Template {
    template::parse(text).unwrap()
}

#[test]
fn a_chain_is_one_rule() {
    let text = "\nSecRule ARGS|!ARGS:id \"@rx a\" \\\n    \"id:'7',\\\n    phase:1,\\\n    t:none,T:LowerCase,chain\"\n\
                # between\n  SecRule &REQUEST_HEADERS:Host \"!@eq 1\" \"chain,phase:1\"\n  SecRule TX:a b\n";
    let rule = rule(text);
    assert_eq!((rule.id, rule.phase), (7, Phase::RequestHeaders));
    assert_eq!(rule.links().map(|link| link.place.line).collect::<Vec<_>>(), [2, 7, 8]);
    let expected =
        [Action::Transformation(Transformation::None), Action::Transformation(Transformation::Lowercase)];
    assert_eq!(rule.first.actions, expected);
    assert_eq!(rule.first.targets.len(), 2);
    assert!(rule.rest.iter().all(|link| link.actions.is_empty()), "`chain` and `phase` are not the link's");
}

#[test]
fn a_rule_without_a_phase_runs_in_the_first() {
    assert_eq!(rule("SecAction id:1,pass").phase, Phase::RequestHeaders);
    for (phase, expected) in [
        ("2", Phase::RequestBody),
        ("request", Phase::RequestBody),
        ("'RESPONSE'", Phase::ResponseBody),
        ("Logging", Phase::Logging),
    ] {
        assert_eq!(rule(&format!("SecAction \"id:1,phase:{phase}\"")).phase, expected);
    }
}

#[test]
fn every_action_is_read() {
    let set = |collection, name: &str, operation| {
        Action::SetVariable(SetVariable { collection, name: template(name), operation })
    };
    let arguments = Target {
        variable: Variable::Args,
        selector: Some(Selector::Name("q".into())),
        used_as: TargetUse::Values,
    };
    let cases = [
        ("msg:'a, %{MATCHED_VAR}'", Action::Message(template("a, %{MATCHED_VAR}"))),
        (r"msg:it\'s", Action::Message(template(r"it\'s"))),
        ("logdata:'x'", Action::LogData(template("x"))),
        ("tag:foo bar", Action::Tag(template("foo bar"))),
        ("severity:'CRITICAL'", Action::Severity(Severity::Critical)),
        ("severity:5", Action::Severity(Severity::Notice)),
        ("ver:'1.0'", Action::Version("1.0".into())),
        ("rev:2", Action::Revision("2".into())),
        ("maturity:9", Action::Maturity(9)),
        ("accuracy:'8'", Action::Accuracy(8)),
        ("deny", Action::Deny),
        ("block", Action::Block),
        ("drop", Action::Drop),
        ("PASS", Action::Pass),
        ("allow", Action::Allow(AllowScope::Exchange)),
        ("allow:phase", Action::Allow(AllowScope::Phase)),
        ("allow:REQUEST", Action::Allow(AllowScope::Request)),
        ("redirect:'http://a.example/?b=1,2'", Action::Redirect(template("http://a.example/?b=1,2"))),
        ("status:403", Action::Status(403)),
        ("skip:2", Action::Skip(2)),
        ("skipAfter:END", Action::SkipAfter("END".into())),
        ("t:urlDecodeUni", Action::Transformation(Transformation::UrlDecodeUni)),
        ("multiMatch", Action::MultiMatch),
        ("capture", Action::Capture),
        ("log", Action::Log),
        ("nolog", Action::NoLog),
        ("auditlog", Action::AuditLog),
        ("noauditlog", Action::NoAuditLog),
        ("setvar:tx.a", set(Collection::Tx, "a", SetOperation::Set(template("1")))),
        ("setvar:'tx.a=b c'", set(Collection::Tx, "a", SetOperation::Set(template("b c")))),
        ("setvar:'tx.a=x=y'", set(Collection::Tx, "a", SetOperation::Set(template("x=y")))),
        ("setvar:tx.a=", set(Collection::Tx, "a", SetOperation::Set(template("")))),
        ("setvar:ip:a=+%{tx.b}", set(Collection::Ip, "a", SetOperation::Add(template("%{tx.b}")))),
        ("setvar:SESSION.a=-2", set(Collection::Session, "a", SetOperation::Subtract(template("2")))),
        ("setvar:!global.a_%{tx.b}", set(Collection::Global, "a_%{tx.b}", SetOperation::Unset)),
        ("setenv:'a=%{tx.b}'", Action::SetEnvironment { name: template("a"), value: template("%{tx.b}") }),
        (
            "initcol:ip=%{REMOTE_ADDR}_x",
            Action::InitCollection { collection: Collection::Ip, key: template("%{REMOTE_ADDR}_x") },
        ),
        ("setuid:%{tx.user}", Action::SetUser(template("%{tx.user}"))),
        ("setsid:'a'", Action::SetSession(template("a"))),
        ("setrsc:a", Action::SetResource(template("a"))),
        (
            "expirevar:'ip.blocked=300'",
            Action::ExpireVariable(ExpireVariable {
                collection: Collection::Ip,
                name: template("blocked"),
                seconds: template("300"),
            }),
        ),
        ("xmlns:s=http://a/b", Action::XmlNamespace { prefix: "s".into(), uri: "http://a/b".into() }),
        ("ctl:ruleEngine=off", Action::Control(Control::RuleEngine(EngineMode::Off))),
        (
            "ctl:auditLogParts=+ek",
            Action::Control(Control::AuditLogParts(AuditPartsChange::Add("EK".into()))),
        ),
        ("ctl:requestBodyAccess=On", Action::Control(Control::RequestBodyAccess(true))),
        ("ctl:responseBodyAccess=Off", Action::Control(Control::ResponseBodyAccess(false))),
        ("ctl:detectJson=On", Action::Control(Control::DetectJson(true))),
        ("ctl:forceRequestBodyVariable=On", Action::Control(Control::ForceRequestBodyVariable(true))),
        (
            "ctl:requestBodyProcessor=json",
            Action::Control(Control::RequestBodyProcessor(BodyProcessor::Json)),
        ),
        ("ctl:ruleRemoveById=1-3", Action::Control(Control::RemoveRules(RuleSelector::Ids(vec![1..=3])))),
        (
            "ctl:ruleRemoveByTag=attack-sqli",
            Action::Control(Control::RemoveRules(RuleSelector::Tag("attack-sqli".into()))),
        ),
        (
            "ctl:ruleRemoveByMsg=a b",
            Action::Control(Control::RemoveRules(RuleSelector::Message("a b".into()))),
        ),
        (
            "ctl:ruleRemoveTargetById=942100;ARGS:q",
            Action::Control(Control::RemoveTarget {
                rules: RuleSelector::Ids(vec![942_100..=942_100]),
                target: arguments.clone(),
            }),
        ),
        (
            "ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:q",
            Action::Control(Control::RemoveTarget {
                rules: RuleSelector::Tag("OWASP_CRS".into()),
                target: arguments,
            }),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(action(text), expected, "{text}");
    }
}

#[test]
fn directives_that_change_rules_are_read() {
    let excluded = |name: &str| Target {
        variable: Variable::Args,
        selector: Some(Selector::Name(name.into())),
        used_as: TargetUse::Exclusion,
    };
    let cases = [
        ("SecMarker 'END'", DirectiveKind::Marker("END".into())),
        (
            "SecComponentSignature \"OWASP_CRS/4.28.0\"",
            DirectiveKind::ComponentSignature("OWASP_CRS/4.28.0".into()),
        ),
        ("Include \"rules/*.conf\"", DirectiveKind::Include("rules/*.conf".into())),
        (
            "SecRuleRemoveById 1 \"3-5\" 7,9",
            DirectiveKind::RemoveRules(RuleSelector::Ids(vec![1..=1, 3..=5, 7..=7, 9..=9])),
        ),
        ("SecRuleRemoveByTag \"a b\"", DirectiveKind::RemoveRules(RuleSelector::Tag("a b".into()))),
        ("secruleremovebymsg a", DirectiveKind::RemoveRules(RuleSelector::Message("a".into()))),
        (
            "SecRuleUpdateTargetById 2-4 \"!ARGS:a|!ARGS:b\" # why",
            DirectiveKind::UpdateTargets {
                rules: RuleSelector::Ids(vec![2..=4]),
                targets: vec![excluded("a"), excluded("b")],
            },
        ),
        (
            "SecRuleUpdateTargetByTag 'a' !ARGS:a",
            DirectiveKind::UpdateTargets {
                rules: RuleSelector::Tag("a".into()),
                targets: vec![excluded("a")],
            },
        ),
        (
            "SecRuleUpdateTargetByMsg \"a b\" \"!ARGS:a\"",
            DirectiveKind::UpdateTargets {
                rules: RuleSelector::Message("a b".into()),
                targets: vec![excluded("a")],
            },
        ),
        (
            "SecRuleUpdateActionById 2:1 \"deny,status:404\"",
            DirectiveKind::UpdateActions { id: 2, link: 1, actions: vec![Action::Deny, Action::Status(404)] },
        ),
        (
            "SecDefaultAction \"phase:2,log,pass\"",
            DirectiveKind::DefaultAction {
                phase: Phase::RequestBody,
                actions: vec![Action::Log, Action::Pass],
            },
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(one(text), expected, "{text}");
    }
}

#[test]
fn the_recommended_settings_and_their_kin_are_read() {
    let text = "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\n\
        SecRequestBodyNoFilesLimit 131072\nSecRequestBodyInMemoryLimit 131072\nSecRequestBodyLimitAction Reject\n\
        SecRequestBodyJsonDepthLimit 512\nSecArgumentsLimit 1000\nSecPcreMatchLimit 1000\n\
        SecPcreMatchLimitRecursion 1000\nSecResponseBodyAccess On\n\
        SecResponseBodyMimeType text/plain Text/HTML text/xml\nSecResponseBodyMimeTypesClear\n\
        SecResponseBodyLimit 524288\nSecResponseBodyLimitAction ProcessPartial\nSecTmpDir /tmp/\n\
        SecDataDir /tmp/\nSecUploadDir /var/upload\nSecUploadKeepFiles RelevantOnly\nSecUploadFileMode 0600\n\
        SecUploadFileLimit 100\nSecTmpSaveUploadedFiles off\nSecDebugLog /var/log/debug.log\n\
        SecDebugLogLevel 3\nSecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\n\
        SecAuditLogParts ABIJDEFHZ\nSecAuditLogType Serial\nSecAuditLogFormat JSON\n\
        SecAuditLog /var/log/audit.log\nSecAuditLog2 /var/log/audit2.log\nSecAuditLogStorageDir /var/audit\n\
        SecAuditLogDirMode 0750\nSecAuditLogFileMode 0640\nSecArgumentSeparator &\nSecCookieFormat 0\n\
        SecUnicodeMapFile unicode.mapping 20127\nSecStatusEngine On\nSecCollectionTimeout 600\n\
        SecXmlExternalEntity Off\nSecParseXmlIntoArgs Off\nSecSensorId a\nSecWebAppId \"b\"\n\
        SecGeoLookupDb places.mmdb\n";
    let settings: Vec<_> = parse(text, "modsecurity.conf")
        .unwrap()
        .into_iter()
        .map(|directive| match directive.kind {
            DirectiveKind::Setting(setting) => setting,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(settings.len(), setting::SettingName::ALL.len(), "each setting stands here once");
    let expected = [
        Setting::RuleEngine(EngineMode::DetectionOnly),
        Setting::RequestBodyLimit(13_107_200),
        Setting::ResponseBodyMimeTypes(vec!["text/plain".into(), "text/html".into(), "text/xml".into()]),
        Setting::ArgumentSeparator(b'&'),
        Setting::AuditLogRelevantStatus("^(?:5|4(?!04))".into()),
        Setting::UnicodeMap { file: "unicode.mapping".into(), code_page: 20127 },
        Setting::UploadFileMode("0600".into()),
        Setting::XmlExternalEntityOff,
    ];
    for setting in expected {
        assert!(settings.contains(&setting), "{setting:?}");
    }
}
