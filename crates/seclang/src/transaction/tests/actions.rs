//! What rules write: `setvar`, `setenv`, messages, severities.

use super::{ask, get, ids, matched, tx};
use crate::ast::Severity;

#[test]
fn setvar_writes() {
    // The actions, and what `TX.a` is then.
    let cases: &[(&str, Option<&str>)] = &[
        ("setvar:tx.a=5", Some("5")),
        ("setvar:tx.a", Some("1")),
        ("setvar:tx.A=5", Some("5")),
        ("setvar:tx.a=5,setvar:tx.a=+3", Some("8")),
        ("setvar:tx.a=5,setvar:tx.a=-7", Some("-2")),
        ("setvar:tx.a=+3", Some("3")),
        ("setvar:tx.a=-3", Some("-3")),
        ("setvar:tx.a=x,setvar:tx.a=+3", Some("3")),
        ("setvar:tx.a=12x,setvar:tx.a=+3", Some("15")),
        ("setvar:tx.a=1.9,setvar:tx.a=+1.9", Some("2")),
        ("setvar:tx.a=5,setvar:'tx.a=+%{tx.none}'", Some("5")),
        ("setvar:tx.b=5,setvar:'tx.a=%{tx.b}%{TX.B}'", Some("55")),
        ("setvar:tx.b=5,setvar:'tx.a=-%{tx.b}'", Some("-5")),
        ("setvar:tx.b=a,setvar:'tx.%{tx.b}=5'", Some("5")),
        ("setvar:tx.b=a,setvar:'tx.%{tx.b}=+5',setvar:'tx.%{tx.b}=+5'", Some("10")),
        ("setvar:'tx.a=%{REQUEST_METHOD} %{ARGS.x} %{args.X} %{REQUEST_HEADERS:none}'", Some("GET 1 1 ")),
        ("setvar:tx.a=5,setvar:!tx.a", None),
        ("setvar:!tx.a", None),
        ("setvar:tx.a=2147483647,setvar:tx.a=+1", Some("2147483648")),
        ("setvar:tx.a=9223372036854775807,setvar:tx.a=+1", Some("9223372036854775807")),
    ];
    for (actions, expected) in cases {
        let asked = ask(&format!("SecAction \"id:1,phase:1,pass,nolog,{actions}\""), get("/?x=1&X=2"));
        assert_eq!(tx(&asked, "a").as_deref(), *expected, "{actions}");
    }
}

#[test]
fn setvar_happens_for_each_value() {
    let rule = "SecRule ARGS|REQUEST_METHOD \"@rx ^[0-9G]\" \"id:1,phase:1,pass,nolog,setvar:tx.n=+1\"";
    for (target, expected) in [("/", "1"), ("/?a=1&b=2&c=x", "3")] {
        assert_eq!(tx(&ask(rule, get(target)), "n").as_deref(), Some(expected), "{target}");
    }
}

#[test]
fn names_put_together_are_found_by_patterns() {
    let rules = "SecRule ARGS \"@unconditionalMatch\" \"id:1,phase:1,pass,nolog,setvar:'tx.of_%{MATCHED_VAR}=1'\"\n\
                 SecRule TX:/^of_/|&TX:/^of_/|TX:of_y|!TX:of_z \"@unconditionalMatch\" \"id:2,phase:1,pass\"";
    let found = matched(&ask(rules, get("/?a=x&b=Y&c=z")), 2);
    assert_eq!(found, ["TX:of_y=1", "TX:of_x=1", "&TX=3", "TX:of_y=1"]);
}

#[test]
fn operators_compare_with_what_was_written() {
    let rules = "SecAction \"id:9,phase:1,pass,nolog,setvar:'tx.a=1 2'\"\n\
                 SecRule ARGS:a \"@streq %{tx.a}\" \"id:1,phase:1,pass\"\n\
                 SecRule ARGS:a \"@within %{tx.a}\" \"id:2,phase:1,pass\"\n\
                 SecRule ARGS:a \"!@within %{tx.a}\" \"id:3,phase:1,pass\"\n\
                 SecRule ARGS:a \"@contains %{tx.none}\" \"id:4,phase:1,pass\"\n\
                 SecRule ARGS:a \"@gt %{tx.none}\" \"id:5,phase:1,pass\"";
    for (target, expected) in [("/?a=1", &[2, 4, 5][..]), ("/?a=1+2", &[1, 2, 4, 5]), ("/?a=x", &[3, 4])] {
        assert_eq!(ids(&ask(rules, get(target))), expected, "{target}");
    }
}

#[test]
fn matches_are_told_with_macros_filled_in() {
    let rules = "SecRule ARGS \"@rx ^.\" \"id:1,phase:1,pass,t:lowercase,severity:WARNING,tag:'of %{ARGS.b}',\
                 msg:'%{rule.id} %{TX.none}!',logdata:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'\"\n\
                 SecAction \"id:2,phase:1,pass,nolog,severity:2\"\n\
                 SecRule ARGS:none \"@rx .\" \"id:3,phase:1,pass,severity:EMERGENCY\"\n\
                 SecRule HIGHEST_SEVERITY \"@unconditionalMatch\" \"id:4,phase:1,pass\"";
    let asked = ask(rules, get("/?a=X&b=Y"));
    assert_eq!(ids(&asked), [1, 4]);
    let found = &asked.matches()[0];
    assert_eq!((found.message.as_str(), found.log_data.as_str()), ("1 !", "ARGS:b=y"));
    assert_eq!((found.severity, found.tags.as_slice()), (Some(Severity::Warning), &["of Y".to_owned()][..]));
    assert_eq!(matched(&asked, 4), ["HIGHEST_SEVERITY=2"]);
    let none = "SecRule HIGHEST_SEVERITY \"@unconditionalMatch\" \"id:4,phase:1,pass\"";
    assert_eq!(matched(&ask(none, get("/")), 4), ["HIGHEST_SEVERITY=255"]);
}

#[test]
fn the_environment_is_the_exchange_s_own() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,setenv:'seen=%{REQUEST_METHOD}'\"\n\
                 SecRule ENV:seen|&ENV:seen|&ENV \"@unconditionalMatch\" \"id:2,phase:1,pass\"";
    assert_eq!(matched(&ask(rules, get("/")), 2), ["ENV:seen=GET", "&ENV=1", "&ENV=1"]);
}
