//! How much work an exchange is. Bytes are counted, not time: what operators and transformations were given.

use super::{Request, ask, get, post};
use crate::work;

const RULES: &str = r#"
SecAction "id:1,phase:1,pass,nolog,setvar:tx.word=attack"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|REQUEST_BODY "@rx (?:a+)+b|union.*select" "id:2,phase:2,pass,t:none,t:urlDecodeUni,t:lowercase"
SecRule ARGS|!ARGS:none|REQUEST_COOKIES "@pm attack select %27" "id:3,phase:2,pass,t:none,t:htmlEntityDecode,t:removeNulls,multiMatch"
SecRule ARGS "@contains %{tx.word}" "id:4,phase:2,pass,capture,chain"
SecRule MATCHED_VARS "@rx (a)(t)" "t:none,t:base64Decode,capture,setvar:tx.found=+1,chain"
SecRule MATCHED_VARS|TX:1 "!@streq none" "t:none"
SecRule ARGS|REQUEST_URI "@detectSQLi" "id:5,phase:2,pass,t:none,t:utf8toUnicode,t:urlDecodeUni,t:removeComments"
SecRule &ARGS "@gt 100000" "id:6,phase:2,pass"
"#;

fn work_of(request: Request<'_>) -> usize {
    work::measured(|| {
        ask(&format!("SecArgumentsLimit 1000000\n{RULES}"), request);
    })
}

#[test]
fn work_grows_with_the_input_and_no_faster() {
    let hostile = [
        "a=attack&",
        "&",
        "a&",
        "a",
        "%27",
        "%u0027%25",
        "&lt;",
        "/*",
        "aaaaaaab&",
        "x=union+select+",
        "\u{2019}",
        "%00",
        "=",
        "a=YXR0YWNr&",
    ];
    for piece in hostile {
        let work = |times: usize| {
            let text = piece.repeat(times);
            let target = format!("/?{}", text.replace('\u{2019}', "%E2%80%99"));
            let cookies = [("Cookie", text.replace('&', ";"))];
            let cookies = cookies.each_ref().map(|(name, value)| (*name, value.as_str()));
            work_of(get(&target)) + work_of(post(&text)) + work_of(Request { headers: &cookies, ..get("/") })
        };
        let (small, large) = (work(64), work(64 * 16));
        assert!(small > 0);
        // What is the same for every request makes the growth smaller, never larger.
        assert!(large <= small * 17, "`{piece}`: {small} bytes became {large}");
    }
}
