mod proposals;

use std::{path::PathBuf, time::Duration};

use bartizan_config::Source;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};

use super::*;
use crate::{Code, Refusal};

/// The firewalls of a document's routes: `keys` of each, beside its path (`/0`, `/1`).
fn firewalls(keys: &[&str]) -> Vec<Arc<Firewall>> {
    firewalls_of("", keys)
}

/// The same, with what the document says besides.
pub(super) fn firewalls_of(document: &str, keys: &[&str]) -> Vec<Arc<Firewall>> {
    let routes: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(number, waf)| {
            format!("  - {{ path: /{number}/**, to: \"http://a\", auth: none, waf: {waf} }}\n")
        })
        .collect();
    let text =
        format!("version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n{document}routes:\n{}", routes.concat());
    let config = Config::parse(&text, &Source::text("/")).unwrap().config;
    let sets = RuleSets::compile(&config, &Arc::default()).unwrap();
    let routes = config.routes.iter().filter_map(|route| route.waf.as_ref());
    routes.map(|waf| Arc::new(Firewall::new(waf, &sets).unwrap())).collect()
}

pub(super) fn starter(keys: &str) -> Arc<Firewall> {
    firewalls(&[&format!("{{ rules: starter, {keys} }}")]).remove(0)
}

pub(super) fn begin(firewall: &Arc<Firewall>, target: &str) -> Inspection {
    let path = target.split('?').next().unwrap();
    firewall.inspect(Connection::default(), "request", path, SystemTime::now())
}

/// Shows a request and says what came of it.
fn ask(firewall: &Arc<Firewall>, target: &str, kind: &str, body: &str) -> (Result<(), Refusal>, Inspected) {
    let mut inspection = begin(firewall, target);
    let method = if body.is_empty() { "GET" } else { "POST" };
    let line = RequestLine { method, target, version: Version::HTTP_11 };
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, "Mozilla/5.0".parse().unwrap());
    headers.insert(header::ACCEPT, "*/*".parse().unwrap());
    headers.insert(header::HOST, "shop.test".parse().unwrap());
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    let found = inspection
        .request_head(line, &headers, None)
        .and_then(|()| inspection.request_body(body.as_bytes(), true));
    inspection.finish();
    (found, inspection.account())
}

fn get(firewall: &Arc<Firewall>, target: &str) -> (Result<(), Refusal>, Inspected) {
    ask(firewall, target, "", "")
}

const ATTACK: &str = "/0/a?id=1%27%20OR%20%271%27%3D%271&page=2";

/// Only who reads JSON sees it.
const ESCAPED: &str = r#"{"id": "1\u0027 OR \u00271\u0027=\u00271"}"#;

#[test]
fn an_attack_is_refused_and_told() {
    let firewall = starter("");
    let (found, account) = get(&firewall, ATTACK);
    let refusal = found.unwrap_err();
    assert_eq!((refusal.code, account.judged), (Code::WafRefused, Judged::RefusedRequest));
    assert!(refusal.reason.as_str().contains("(ARGS:id)"), "{}", refusal.reason);
    assert!(account.inbound_score.unwrap() >= 5 && account.inbound_threshold == 5);
    let matched = &account.rules[0].variables[0];
    assert_eq!((matched.name.as_str(), matched.value.as_str()), ("ARGS:id", "1' OR '1'='1"));

    for (kind, body) in [
        ("application/x-www-form-urlencoded", "id=1'+OR+'1'%3D'1"),
        ("Application/X-WWW-Form-Urlencoded ;charset=UTF-8", "id=1'+OR+'1'%3D'1"),
        ("", "id=1'+OR+'1'%3D'1"),
        ("form", "id=1'+OR+'1'%3D'1"),
        ("text/plain", "id=1'+OR+'1'%3D'1"),
        ("Application/JSON;charset=utf-8", r#"{"id": "1' OR '1'='1"}"#),
        ("application/x-json", r#"{"id": "1' OR '1'='1"}"#),
        ("text/json", r#"{"id": "1' OR '1'='1"}"#),
        ("application/merge-patch+json", r#"{"id": "1' OR '1'='1"}"#),
        ("application/json", r#"{"filter": {"id": "1' OR '1'='1"}}"#),
        ("text/plain", ESCAPED),
        ("", ESCAPED),
        ("json", ESCAPED),
        ("application/octet-stream", ESCAPED),
        ("application/grpc", ESCAPED),
        ("application/x-amz-json-1.1", ESCAPED),
        ("application/x-ndjson", ESCAPED),
        ("application/vnd.shop", ESCAPED),
        ("image/png", ESCAPED),
        ("application/x-www-form-urlencoded", ESCAPED),
    ] {
        let (found, account) = ask(&firewall, "/0/a", kind, body);
        assert!(found.is_err(), "{kind}: {account:?}");
    }
    for target in ["/0/a", "/0/a?q=select+a+union+of+two+sets", "/0/o'brien?page=2"] {
        assert!(get(&firewall, target).0.is_ok(), "{target}");
    }
}

/// Names are logged, and clients choose them; what rules call `MATCHED_VAR` has no name to be known by.
#[test]
fn names_are_masked_and_secrets_have_no_second_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    let own = "SecRule ARGS \"@rx hunter\" \"id:100,phase:1,deny,log,chain\"\n\
               SecRule MATCHED_VAR|MATCHED_VARS \"@rx 2\" \"chain\"\n\
               SecRule MATCHED_VAR|MATCHED_VARS \"@rx 2\" \"t:none\"\n";
    std::fs::write(&file, own).unwrap();
    let firewall = starter(&format!("include: \"{}\"", file.display()));
    let (found, account) = get(&firewall, "/0/a?password=xyhunter2");
    assert!(found.is_err() && account.rules[0].id == 100, "{account:?}");
    let variables = &account.rules[0].variables;
    assert!(variables.iter().any(|one| one.name == "ARGS:password"), "{variables:?}");
    assert!(variables.iter().all(|one| !one.value.contains("hunter2")), "{variables:?}");

    for target in
        ["/0/a?ada@example.test=%3Cscript%3Ealert(1)%3C/script%3E", "/0/a?4111111111111111%3Cscript%3E"]
    {
        let reason = get(&firewall, target).0.unwrap_err().reason.as_str().to_owned();
        let is_masked = reason.contains("<e-mail>") || reason.contains("<digits>");
        assert!(is_masked && !reason.contains("ada@") && !reason.contains("4111"), "{reason}");
    }
}

#[test]
fn log_mode_tells_everything_that_would_be_refused_and_refuses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    let own = "SecRule ARGS:page \"@streq 2\" \"id:100,phase:1,deny,msg:'No second pages'\"\n\
               SecRule ARGS:page \"@streq 2\" \"id:101,phase:2,deny,msg:'Really'\"\n";
    std::fs::write(&file, own).unwrap();
    let with = |mode: &str| starter(&format!("mode: {mode}, include: \"{}\"", file.display()));
    let (found, account) = get(&with("log"), ATTACK);
    assert!(found.is_ok());
    assert_eq!((account.mode, account.judged), (WafMode::Log, Judged::RefusedRequest));
    let refusing = account.rules.iter().filter(|rule| rule.refuses).map(|rule| rule.id);
    assert_eq!(refusing.collect::<Vec<_>>(), [100, 10_090_040, 101]);
    assert!(account.rules.iter().any(|rule| rule.variables.iter().any(|one| one.name == "ARGS:id")));
    // Whoever blocks ends with the first of them.
    let blocked = get(&with("block"), ATTACK).1;
    assert_eq!(blocked.rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [100]);
    assert_eq!(account.inbound_score, blocked.inbound_score);
}

/// Some with what they matched, all by their numbers.
#[test]
fn all_rules_that_matched_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    let rules: Vec<String> = (100..130)
        .map(|id| format!("SecRule ARGS \"@rx .\" \"id:{id},phase:1,pass,log,msg:'Any'\"\n"))
        .collect();
    std::fs::write(&file, rules.concat()).unwrap();
    let firewall = starter(&format!("include: \"{}\"", file.display()));
    let (_, account) = get(&firewall, "/0/a?a=1&b=2&c=3&d=4&e=5&f=6");
    assert_eq!((account.rules.len(), account.rules_left_out), (20, 10));
    assert_eq!(account.numbers, (100..130).collect::<Vec<u64>>());
    assert_eq!((account.rules[0].variables.len(), account.rules[0].variables_left_out), (4, 2));
}

/// What `bartizan explain` proposes for a value in a list.
#[test]
fn an_exclusion_may_be_for_every_element_of_a_list() {
    let target = "ARGS:/^json[.]items[.]array_[0-9]+[.]text$/";
    let firewall = starter(&format!("exclude: [{{ rule: 1-99999999, target: \"{target}\" }}]"));
    let body = |place: &str| format!(r#"{{"items": [{{"text": "a"}}, {{"{place}": "1' OR '1'='1"}}]}}"#);
    let refused = |place: &str| ask(&firewall, "/0/a", "application/json", &body(place)).0.is_err();
    assert!(!refused("text"));
    assert!(refused("title"));
}

/// What everybody has who comes from `ModSecurity`: the recommended configuration, whose rules this engine has, too.
#[test]
fn the_core_rule_set_is_read_beside_a_recommended_configuration_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    write("crs-setup.conf", "SecComponentSignature \"a\"\n");
    write(
        "rules/REQUEST-901-INITIALIZATION.conf",
        "# OWASP CRS ver.4.28.0\nSecAction \"id:901001,phase:1,pass,nolog\"\n",
    );
    let recommended = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimitAction Reject\n\
        SecUnicodeMapFile unicode.mapping 20127\nSecPcreMatchLimit 1000\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\n\
        SecRule REQUEST_HEADERS:Content-Type \"^application/json\" \\\n     \
        \"id:'200001',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule REQBODY_ERROR \"!@eq 0\" \"id:'200002', phase:2,t:none,log,deny,status:400,msg:'Own',\
        logdata:'%{reqbody_error_msg}',severity:2\"\n\
        SecRule TX:/^MSC_/ \"!@streq 0\" \"id:'200005',phase:2,t:none,deny,msg:'%{MATCHED_VAR_NAME}'\"\n";
    write("modsecurity.conf", recommended);
    let path = folder.path().display();
    let waf = format!("{{ rules: crs, path: \"{path}\", include: \"{path}/modsecurity.conf\" }}");
    let firewall = firewalls(&[&waf]).remove(0);
    let ids: Vec<u64> = firewall.rules().rules().map(|rule| rule.id).filter(|id| *id < 300_000).collect();
    let expected = [200_000, 200_001, 200_002, 200_003, 200_004, 200_005, 200_006, 200_007];
    assert_eq!(ids.iter().copied().collect::<std::collections::BTreeSet<_>>(), expected.into());
    let own = firewall.rules().rule(200_002).unwrap();
    assert_eq!(own.message, "Own", "its own rule, not the recommended one");
    assert!(ask(&firewall, "/0/a", "application/json", "{").0.is_err());
}

#[test]
fn own_files_may_keep_rules_from_refusing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    for (engine, refuses, sees) in [("On", true, true), ("DetectionOnly", false, true), ("Off", false, false)]
    {
        std::fs::write(&file, format!("SecRuleEngine {engine}\n")).unwrap();
        let (found, account) = get(&starter(&format!("include: \"{}\"", file.display())), ATTACK);
        assert_eq!((found.is_err(), !account.rules.is_empty()), (refuses, sees), "{engine}");
    }
}

#[test]
fn the_score_is_the_same_whether_rules_refuse_or_report() {
    let (block, log) = (starter("mode: block"), starter("mode: log"));
    for target in [
        ATTACK,
        "/0/.env?id=1%27%20OR%20%271%27%3D%271",
        "/0/a?id=%3Cscript%3Ealert(1)%3C/script%3E&q=/etc/passwd%00",
        "/0/../../etc/passwd",
        "/0/a?id=7",
    ] {
        let (blocked, logged) = (get(&block, target).1, get(&log, target).1);
        assert_eq!(
            (logged.inbound_score, logged.judged),
            (blocked.inbound_score, blocked.judged),
            "{target}"
        );
        assert!(logged.rules.starts_with(&blocked.rules), "{target}");
    }
}

#[test]
fn the_rules_own_setup_says_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("levels-config.conf");
    let setup = "SecAction \"id:100,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=3,\
                 setvar:tx.inbound_anomaly_score_threshold=12\"\n";
    std::fs::write(&file, setup).unwrap();
    let (_, account) = get(&starter(&format!("paranoia: 2, include: \"{}\"", file.display())), "/0/a");
    assert_eq!((account.paranoia, account.inbound_threshold), (3, 12));
}

/// The example of the manual's page about the language, as its file is named there.
#[test]
fn own_rules_count_with_the_others() {
    let page = include_str!("../../../../docs/src/rule-language.md");
    let example = page.split("<!-- example: begin -->").nth(1).unwrap();
    let example = example.split("```apache\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders-before.conf");
    std::fs::write(&file, example).unwrap();
    let firewall = starter(&format!("include: \"{}\"", file.display()));
    assert!(get(&firewall, "/0/orders?state=Paid").0.is_ok());
    assert!(get(&firewall, "/0/orders").0.is_ok());
    let (found, account) = get(&firewall, "/0/orders?state=stolen");
    assert_eq!(found.unwrap_err().code, Code::WafRefused);
    assert_eq!((account.rules[0].id, account.inbound_score), (100_100, Some(5)));
}

#[test]
fn thresholds_are_the_routes_own() {
    let firewalls = firewalls(&["{ threshold: 5 }", "{ threshold: 1000 }"]);
    assert!(Arc::ptr_eq(&firewalls[0].rules, &firewalls[1].rules), "the rules are compiled once");
    assert!(get(&firewalls[0], ATTACK).0.is_err());
    let (found, account) = get(&firewalls[1], ATTACK);
    assert!(found.is_ok() && account.inbound_score.unwrap() >= 5, "{account:?}");
}

#[test]
fn exclusions_are_as_narrow_as_they_say() {
    let (_, account) = get(&starter(""), ATTACK);
    let ids: Vec<u64> =
        account.rules.iter().filter(|rule| !rule.variables.is_empty()).map(|rule| rule.id).collect();
    let other = ATTACK.replace("id=", "other=");
    let cases = [
        ("target: ARGS:id", ATTACK, true),
        ("target: ARGS:id, path: /0/*, expires: 2100-01-01", ATTACK, true),
        ("reason: the whole rule", ATTACK, true),
        ("target: ARGS:id, path: /0/b", ATTACK, false),
        ("target: ARGS:page", ATTACK, false),
        ("target: ARGS:id, expires: 2020-01-01", ATTACK, false),
        ("target: ARGS:id", other.as_str(), false),
    ];
    let keys = cases.map(|(keys, ..)| {
        let exclusions: Vec<_> = ids.iter().map(|id| format!("{{ rule: {id}, {keys} }}")).collect();
        format!("{{ exclude: [{}] }}", exclusions.join(", "))
    });
    let firewalls = firewalls(&keys.each_ref().map(String::as_str));
    for ((keys, target, passes), firewall) in cases.iter().zip(&firewalls) {
        assert_eq!(get(firewall, target).0.is_ok(), *passes, "{keys} {target}");
    }
}

#[test]
fn a_class_that_is_only_reported_does_not_count() {
    let cases = [
        ("[{ tag: attack-sqli, action: log }]", true),
        ("[{ tag: attack-xss, action: log }]", false),
        ("[{ tag: attack-sqli, action: log }, { tag: attack-sqli, action: block }]", false),
        ("[{ tag: attack-sqli, action: block }]", false),
    ];
    let keys = cases.map(|(actions, _)| format!("{{ actions: {actions} }}"));
    let firewalls = firewalls(&keys.each_ref().map(String::as_str));
    for ((actions, passes), firewall) in cases.iter().zip(&firewalls) {
        let (found, account) = get(firewall, ATTACK);
        assert_eq!(found.is_ok(), *passes, "{actions}");
        let is_reported = account.rules.iter().any(|rule| !rule.variables.is_empty());
        assert!(is_reported, "{actions}: {account:?}");
        assert_eq!(account.inbound_score == Some(0), *passes, "{actions}: {account:?}");
    }
    // Another attack in the same request still counts.
    let both = format!("{ATTACK}&text=%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(get(&firewalls[0], &both).0.is_err());
}

#[test]
fn a_class_may_refuse_at_once() {
    let cases = [
        ("", None),
        ("actions: [{ tag: attack-sqli, action: deny }]", Some(false)),
        ("actions: [{ tag: attack-sqli, action: drop }]", Some(true)),
        ("actions: [{ tag: attack-sqli, action: deny }, { tag: attack-sqli, action: block }]", None),
        ("actions: [{ tag: attack-xss, action: deny }]", None),
        ("actions: [{ tag: attack-sqli, action: deny }], mode: log", None),
    ];
    for (keys, closes) in cases {
        let firewall = starter(&format!("threshold: 1000, {keys}"));
        let (found, account) = get(&firewall, ATTACK);
        assert_eq!(found.err().map(|refusal| refusal.close), closes, "{keys}: {account:?}");
        assert!(get(&firewall, "/0/a?page=2").0.is_ok(), "{keys}");
    }
}

/// People are asked for proof, and pass with it; who cannot be asked is refused.
#[test]
fn a_class_may_ask_for_proof() {
    let challenge = "threshold: 1000, actions: [{ tag: attack-sqli, action: challenge }]";
    let asked = |keys: &str, caller: Caller, target: &str| {
        let firewall = starter(keys);
        let path = target.split('?').next().unwrap();
        let mut inspection =
            firewall.inspect_of(caller, Connection::default(), "request", path, SystemTime::now());
        let line = RequestLine { method: "GET", target, version: Version::HTTP_11 };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "shop.test".parse().unwrap());
        headers.insert(header::USER_AGENT, "Mozilla/5.0".parse().unwrap());
        let found =
            inspection.request_head(line, &headers, None).and_then(|()| inspection.request_body(&[], true));
        (found.map_err(|refusal| (refusal.status().as_u16(), refusal)), inspection.account())
    };
    let (refused, _) = asked(challenge, Caller::Unasked, ATTACK);
    assert_eq!(refused.unwrap_err().0, 403);
    let (refused, account) = asked(challenge, Caller::Unproven, ATTACK);
    let (status, refusal) = refused.unwrap_err();
    assert_eq!((status, refusal.code), (401, Code::InsufficientUserAuthentication));
    let (_, asks) = refusal.headers.iter().find(|(name, _)| name == header::WWW_AUTHENTICATE).unwrap();
    assert!(asks.to_str().unwrap().contains("max_age=\"900\""), "{asks:?}");
    assert_eq!(account.judged, Judged::RefusedRequest);

    let (passed, account) = asked(challenge, Caller::Proven, ATTACK);
    assert!(passed.is_ok() && !account.rules.is_empty(), "it is told all the same: {account:?}");
    // Other classes are as ever for everybody.
    let (refused, _) =
        asked(&challenge.replace("1000", "5"), Caller::Proven, "/0/a?q=%3Cscript%3Ealert(1)%3C/script%3E");
    assert_eq!(refused.unwrap_err().0, 403);
    assert!(asked(challenge, Caller::Unproven, "/0/a?page=2").0.is_ok());
    assert!(asked(&format!("{challenge}, mode: log"), Caller::Unproven, ATTACK).0.is_ok());
}

/// What only is found above the paranoia level does not refuse, whatever its class.
#[test]
fn a_class_refuses_by_the_rules_that_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own-before.conf");
    let own = "SecRule ARGS:q \"@streq x\" \"id:100,phase:2,pass,log,tag:own,tag:'paranoia-level/2',\
               setvar:tx.inbound_anomaly_score_pl2=+2\"\n";
    std::fs::write(&file, own).unwrap();
    let refuses = |paranoia: u8| {
        let keys = format!(
            "include: \"{}\", paranoia: {paranoia}, detection_paranoia: 2, actions: [{{ tag: own, action: deny }}]",
            file.display()
        );
        get(&starter(&keys), "/0/a?q=x").0.is_err()
    };
    assert!(refuses(2) && !refuses(1));
}

#[test]
fn an_exclusion_of_nothing_known_is_refused() {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nroutes:\n  - { path: /, to: \"http://a\", auth: none,\n      \
                waf: { exclude: [{ rule: 1, target: \"ARGUMENTS:id\" }] } }\n";
    let config = Config::parse(text, &Source::text("/")).unwrap().config;
    let sets = RuleSets::compile(&config, &Arc::default()).unwrap();
    let error = Firewall::new(config.routes[0].waf.as_ref().unwrap(), &sets).unwrap_err();
    assert!(error.to_string().starts_with("`ARGUMENTS:id` cannot be excluded"), "{error}");
}

/// The Core Rule Set that tests use; `None` where it is not there.
fn core_rule_set() -> Option<PathBuf> {
    let data = std::env::var_os("BARTIZAN_TEST_DATA").map(PathBuf::from);
    let folder = data.map(|data| data.join("crs-4.28.0")).filter(|folder| folder.is_dir());
    assert!(folder.is_some() || std::env::var_os("CI").is_none(), "BARTIZAN_TEST_DATA has no rule set");
    folder
}

#[test]
fn the_core_rule_set_counts_by_the_routes_paranoia() {
    let Some(folder) = core_rule_set() else { return };
    let crs = |keys: &str| format!("{{ rules: crs, path: \"{}\", {keys} }}", folder.display());
    let firewalls = firewalls(&[&crs("paranoia: 1"), &crs("paranoia: 4"), &crs("responses: on")]);
    assert!(Arc::ptr_eq(&firewalls[0].rules, &firewalls[2].rules), "the rules are compiled once");

    let (found, account) = get(&firewalls[0], ATTACK);
    assert!(found.is_err() && account.rules.iter().any(|rule| rule.id == 942_100), "{account:?}");
    assert!(account.inbound_score.unwrap() >= 5, "{account:?}");
    let prose = "/0/a?q=a;b%7C%7Cc+(d)+%5Be%5D";
    let scores = [0, 1].map(|route: usize| get(&firewalls[route], prose).1.inbound_score.unwrap());
    assert!(scores[0] < scores[1], "{scores:?}");
    assert!(get(&firewalls[0], "/0/a?page=2").0.is_ok());

    let mut inspection = begin(&firewalls[2], "/2/a");
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "shop.test".parse().unwrap());
    let line = RequestLine { method: "GET", target: "/2/a", version: Version::HTTP_11 };
    inspection.request_head(line, &headers, None).unwrap();
    inspection.request_body(b"", true).unwrap();
    headers.insert(header::CONTENT_TYPE, "text/html; charset=utf-8".parse().unwrap());
    assert_eq!(inspection.wants_response_body(&headers), Ok(512 << 10));
    let leak = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version";
    let found = inspection
        .response_head(StatusCode::OK, &headers)
        .and_then(|()| inspection.response_body(leak.as_bytes()));
    assert_eq!(found.unwrap_err().code, Code::WafResponseRefused);
    assert_eq!(inspection.account().judged, Judged::RefusedResponse);
}

#[test]
fn only_selected_responses_are_held() {
    let inspection = begin(&starter("responses: on"), "/0");
    let wants = |kind: &str, codings: &[&str]| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        for coding in codings {
            headers.append(header::CONTENT_ENCODING, coding.parse().unwrap());
        }
        inspection.wants_response_body(&headers)
    };
    for (kind, codings) in [
        ("text/html", &["identity"][..]),
        ("Application/JSON; charset=utf-8", &[]),
        ("text/html", &["Identity", ", identity"]),
    ] {
        assert_eq!(wants(kind, codings), Ok(512 << 10), "{kind} {codings:?}");
    }
    for kind in ["text/event-stream", "application/grpc", "application/octet-stream", "image/png"] {
        assert_eq!(wants(kind, &["gzip"]), Err(Unseen::MediaType), "{kind}");
    }
    for codings in [&["gzip"][..], &["identity", "gzip"], &["identity, br"]] {
        assert_eq!(wants("text/html", codings), Err(Unseen::Encoded), "{codings:?}");
    }
    assert_eq!(inspection.wants_response_body(&HeaderMap::new()), Err(Unseen::MediaType));
    assert!(!begin(&starter(""), "/0").wants_response());
}

#[test]
fn what_is_not_seen_to_its_end_is_no_fault_of_its_own() {
    let body = Bytes::from(format!("{{\"text\": \"{}", "word ".repeat(100)));
    for (is_whole, expected) in [(true, false), (false, true)] {
        let mut inspection = begin(&starter(""), "/0");
        let line = RequestLine { method: "POST", target: "/0", version: Version::HTTP_11 };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "shop.test".parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        inspection.request_head(line, &headers, None).unwrap();
        assert_eq!(inspection.request_body(&body, is_whole).is_ok(), expected, "whole: {is_whole}");
    }
}

#[test]
fn time_ends_an_exclusion() {
    let firewall = starter("exclude: [{ tag: attack-sqli, expires: 2100-01-01 }]");
    let end = firewall.config().exclusions[0].expires.unwrap();
    let at = |now| {
        let mut inspection = firewall.inspect(Connection::default(), "request", "/0/a", now);
        let line = RequestLine { method: "GET", target: ATTACK, version: Version::HTTP_11 };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "shop.test".parse().unwrap());
        inspection.request_head(line, &headers, None).and_then(|()| inspection.request_body(b"", true))
    };
    assert!(at(end - Duration::from_secs(1)).is_ok());
    assert!(at(end).is_err());
}

#[test]
fn own_rules_know_where_clients_are() {
    let folder = tempfile::tempdir().unwrap();
    let (own, places) = (folder.path().join("own.conf"), folder.path().join("places.mmdb"));
    let rule = "SecRule ARGS:from \"@geoLookup\" \"id:100,phase:1,deny,log,chain\"\n\
                SecRule GEO:COUNTRY_CODE \"@streq DE\"\n";
    std::fs::write(&places, locations::tests::database("Test-City")).unwrap();
    std::fs::write(&own, format!("SecGeoLookupDb places.mmdb\n{rule}")).unwrap();
    let keys = format!("include: \"{}\"", own.display());
    let firewall = starter(&keys);
    assert!(get(&firewall, "/0/a?from=192.0.2.2").0.is_ok());
    let (found, account) = get(&firewall, "/0/a?from=192.0.2.1");
    assert!(found.is_err(), "{account:?}");
    let variables = &account.rules[0].variables;
    assert!(variables.iter().any(|one| one.name == "GEO:COUNTRY_CODE" && one.value == "DE"), "{variables:?}");

    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /, to: \"http://a\", auth: none, \
         waf: {{ {keys} }} }}]\n"
    );
    let config = Config::parse(&text, &Source::text("/")).unwrap().config;
    let complaint = || RuleSets::compile(&config, &Arc::default()).unwrap_err().to_string();
    for (rules, expected) in [
        (
            rule.to_owned(),
            "own.conf:1: `@geoLookup` needs a database of locations, which `SecGeoLookupDb` names",
        ),
        (
            format!("\nSecGeoLookupDb own.conf\n{rule}"),
            "own.conf` cannot be read: it is no database in the format",
        ),
        (format!("\nSecGeoLookupDb nowhere\n{rule}"), "own.conf:2: "),
    ] {
        std::fs::write(&own, rules).unwrap();
        assert!(complaint().contains(expected), "{}", complaint());
    }
}
