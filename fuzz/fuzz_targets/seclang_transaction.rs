//! A whole exchange in front of rules of every kind: no panic, the same answer however the bodies are cut, and
//! reports of a bounded size.
#![no_main]

use std::sync::{Arc, LazyLock};

use bartizan_seclang::{Connection, Matched, RuleFiles, RuleMatch, RuleSet, Transaction};
use libfuzzer_sys::fuzz_target;

const RULES: &str = r#"
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecRequestBodyLimit 4096
SecRequestBodyLimitAction ProcessPartial
SecArgumentsLimit 50
SecDefaultAction "phase:1,log,pass"
SecAction "id:1,phase:1,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.seen=+1,setvar:'tx.%{ARGS_NAMES}=%{ARGS}'"
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:2,phase:1,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:3,phase:1,nolog,ctl:requestBodyProcessor=XML"
SecRule ARGS:off "@rx ." "id:4,phase:1,ctl:ruleRemoveTargetById=10-20;ARGS:/^o/,ctl:ruleRemoveByTag=gone,skipAfter:END"
SecRule ARGS:one|REQUEST_COOKIES "@within %{TX.one} %{REQUEST_URI}" "id:5,phase:1,skip:1,tag:gone"
SecRule &ARGS|&TX|REQUEST_BASENAME "!@eq 0" "id:6,phase:1,multiMatch,t:length"
SecMarker END
SecRule ARGS|ARGS_NAMES|!ARGS:none|REQUEST_HEADERS|FILES|XML:/*|XML://@*|REQUEST_BODY "@rx (?i)(a+)(b)?" \
    "id:10,phase:2,pass,capture,t:none,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,logdata:'%{MATCHED_VAR_NAME}=%{TX.1}',chain"
SecRule MATCHED_VARS|TX:/^[0-9]/ "@pm ab cd" "t:base64Decode,t:cmdLine,multiMatch,setvar:tx.score=+5,setvar:'tx.all=%{MATCHED_VAR}'"
SecRule ARGS|REQUEST_URI_RAW|FULL_REQUEST "@detectSQLi" "id:11,phase:2,pass,capture,t:utf8toUnicode,t:urlDecodeUni,t:removeNulls"
SecRule ARGS|REQUEST_COOKIES_NAMES|QUERY_STRING "@detectXSS" "id:12,phase:2,pass,t:cssDecode,t:normalizePathWin"
SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR|MULTIPART_PART_HEADERS "!@eq 0" "id:13,phase:2,pass"
SecRule TX:score "@ge 10" "id:14,phase:2,deny,status:406,msg:'%{TX.all}'"
SecRule RESPONSE_BODY|RESPONSE_HEADERS "@rx (error)|(x)" "id:30,phase:4,redirect:'https://example.com/%{MATCHED_VAR}'"
SecAction "id:40,phase:5,logdata:'%{HIGHEST_SEVERITY} %{DURATION} %{IP.seen}'"
"#;

static SET: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let mut files = RuleFiles::default();
    files.add_text(RULES, "fuzz.conf").expect("the rules are understood");
    Arc::new(RuleSet::compile(&files).expect("the rules compile"))
});

type Headers<'i> = Vec<(&'i [u8], &'i [u8])>;

fuzz_target!(|input: (u8, u8, &[u8], Headers<'_>, &[u8], &[u8])| {
    let (kind, size, target, headers, body, answer) = input;
    let types: [&[u8]; 5] = [
        b"application/x-www-form-urlencoded",
        b"application/json",
        b"text/xml",
        b"multipart/form-data; boundary=b",
        b"text/plain",
    ];
    let content_type = types[usize::from(kind) % types.len()];
    let ask = |size: usize| {
        let mut exchange = Transaction::new(SET.clone(), Connection::default(), "fuzz");
        exchange.request_line(b"POST", target, b"HTTP/1.1");
        exchange.request_header(b"Content-Type", content_type);
        for (name, value) in &headers {
            exchange.request_header(name, value);
        }
        exchange.request_headers_done();
        for piece in body.chunks(size) {
            exchange.request_body(piece);
        }
        exchange.request_body_done();
        exchange.response_line(200, b"HTTP/1.1");
        exchange.response_header(b"Content-Type", b"text/html");
        exchange.response_headers_done();
        for piece in answer.chunks(size) {
            exchange.response_body(piece);
        }
        exchange.response_body_done();
        let outcome = (exchange.matches().to_vec(), exchange.interruption().cloned());
        exchange.finish();
        for found in exchange.matches() {
            assert!(found.matched.len() <= RuleMatch::MOST_MATCHED);
            assert!(found.matched.iter().all(|one| one.value.len() <= Matched::LONGEST));
        }
        outcome
    };
    assert_eq!(ask(usize::MAX), ask(usize::from(size).max(1)), "pieces matter");
});
