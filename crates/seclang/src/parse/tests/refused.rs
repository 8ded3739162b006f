//! Every way in which rules are refused, and what the message says.

use super::parse;

fn message(text: &str) -> String {
    parse(text, "r.conf").expect_err(text).to_string()
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let cases = [
        ("\n\nSecRul ARGS a id:1", "r.conf:3: unknown directive `SecRul`, did you mean `SecRule`?"),
        ("Frobnicate", "r.conf:1: unknown directive `Frobnicate`"),
        (
            "SecRuleScript a.lua",
            "r.conf:1: directive `SecRuleScript` is not supported: this engine runs no scripts",
        ),
        ("SecRule", "r.conf:1: `SecRule` needs targets"),
        ("SecRule ARGS", "r.conf:1: `SecRule` needs an operator after the targets"),
        ("SecRule ARGS a", "r.conf:1: a rule needs an `id`"),
        ("SecRule ARGS a \"phase:1,pass\"", "r.conf:1: a rule needs an `id`"),
        ("SecRule ARG a id:1", "r.conf:1: unknown variable `ARG`, did you mean `ARGS`?"),
        ("SecRule ARGS \"@regex a\" id:1", "r.conf:1: unknown operator `regex`"),
        ("SecRule ARGS \"a id:1", "r.conf:1: a quotation is not closed: `\"a id:1`"),
        ("SecRule ARGS a id:1 b", "r.conf:1: unexpected `b` after a complete directive"),
        ("SecAction id:0", "r.conf:1: `0` is not a value of `id`: expected a number above 0"),
        ("SecAction id:a", "r.conf:1: `a` is not a value of `id`: expected a number above 0"),
        ("SecAction id", "r.conf:1: `id` needs a number above 0"),
        (
            "SecAction id:1,phase:6",
            "r.conf:1: `6` is not a value of `phase`: expected 1 to 5, `request`, `response` or `logging`",
        ),
        (
            "SecAction id:1,severity:9",
            "r.conf:1: `9` is not a value of `severity`: expected 0 to 7, or `EMERGENCY` to `DEBUG`",
        ),
        ("SecAction id:1,status:44", "r.conf:1: `44` is not a value of `status`: expected 100 to 599"),
        ("SecAction id:1,denny", "r.conf:1: unknown action `denny`, did you mean `deny`?"),
        ("SecAction id:1,deny:now", "r.conf:1: unexpected `:now` after an action that takes no value"),
        (
            "SecAction id:1,allow:all",
            "r.conf:1: `all` is not a value of `allow`: expected `phase`, `request` or nothing",
        ),
        (
            "SecAction id:1,t:lowercas",
            "r.conf:1: unknown transformation `lowercas`, did you mean `lowercase`?",
        ),
        (
            "SecAction id:1,exec:/a",
            "r.conf:1: action `exec` is not supported: this engine starts no programs",
        ),
        ("SecAction id:1,setvar:foo.a=1", "r.conf:1: unknown collection `foo`"),
        (
            "SecAction id:1,setvar:tx=1",
            "r.conf:1: `tx` is not a value of `setvar`: expected a collection, a dot and a name, as in `tx.score`",
        ),
        (
            "SecAction id:1,initcol:tx=a",
            "r.conf:1: `tx=a` is not a value of `initcol`: expected `ip`, `session`, `user`, `global` or \
             `resource`, then `=` and a key",
        ),
        ("SecAction id:1,expirevar:ip.a", "r.conf:1: `expirevar` needs `collection.name=seconds`"),
        (
            "SecAction id:1,expirevar:ip.a=soon",
            "r.conf:1: `soon` is not a value of `expirevar`: expected a number of seconds",
        ),
        ("SecAction \"id:1,msg:'%{tx.a'\"", "r.conf:1: a macro is not closed: `%{tx.a`"),
        (
            "SecAction id:1,ctl:ruleEngine=maybe",
            "r.conf:1: `maybe` is not a value of `ruleEngine`: expected `On`, `Off` or `DetectionOnly`",
        ),
        (
            "SecAction id:1,ctl:ruleEngin=On",
            "r.conf:1: unknown `ctl` `ruleEngin`, did you mean `ruleEngine`?",
        ),
        (
            "SecAction id:1,ctl:hashEngine=On",
            "r.conf:1: action `ctl:hashEngine` is not supported: this engine signs no links",
        ),
        ("SecAction id:1,ctl:ruleRemoveById", "r.conf:1: `ctl:ruleRemoveById` needs `=` and a value"),
        (
            "SecAction id:1,ctl:ruleRemoveById=a",
            "r.conf:1: `a` is not a value of `ruleRemoveById`: expected numbers of rules and ranges such as \
             `942100-942999`",
        ),
        (
            "SecAction id:1,ctl:ruleRemoveTargetById=1",
            "r.conf:1: `1` is not a value of `ctl`: expected rules, a semicolon and one target, as in \
             `942100;ARGS:q`",
        ),
        (
            "SecAction id:1,ctl:auditLogParts=+X",
            "r.conf:1: `X` is not a value of `auditLogParts`: expected letters from A to K, and Z",
        ),
        (
            "SecDefaultAction phase:2,log",
            "r.conf:1: `SecDefaultAction` needs a disruptive action, such as `pass`",
        ),
        (
            "SecDefaultAction phase:2,pass,id:1",
            "r.conf:1: `id` is not a value of `SecDefaultAction`: expected actions for many rules",
        ),
        (
            "SecDefaultAction block",
            "r.conf:1: `block` is not a value of `SecDefaultAction`: expected actions for many rules",
        ),
        (
            "SecDefaultAction pass,t:none",
            "r.conf:1: `t:none` is not a value of `SecDefaultAction`: expected actions for many rules",
        ),
        (
            "SecRuleUpdateActionById 1 id:2",
            "r.conf:1: `id` is not a value of `SecRuleUpdateActionById`: expected actions that may change after a \
             rule is written",
        ),
        (
            "SecRuleRemoveById 9-1",
            "r.conf:1: `9-1` is not a value of `SecRuleRemoveById`: expected numbers of rules and ranges such as \
             `942100-942999`",
        ),
        (
            "SecRequestBodyLimit 1k",
            "r.conf:1: `1k` is not a value of `SecRequestBodyLimit`: expected a number",
        ),
        ("SecRequestBodyLimit", "r.conf:1: `SecRequestBodyLimit` needs a value"),
        ("SecRuleEngine On now", "r.conf:1: unexpected `now` after a complete directive"),
        (
            "SecParseXmlIntoArgs OnlyArgs",
            "r.conf:1: `OnlyArgs` is not a value of `SecParseXmlIntoArgs`: expected `Off`: a document is `XML:/*` and \
             `XML://@*`, and no arguments are made of it",
        ),
        (
            "SecUnicodeMapFile unicode.mapping 1252",
            "r.conf:1: `1252` is not a value of `SecUnicodeMapFile`: expected the code page 20127 after the file: \
             `t:urlDecodeUni` knows no other",
        ),
        (
            "SecXmlExternalEntity On",
            "r.conf:1: `On` is not a value of `SecXmlExternalEntity`: expected `Off`: a document must not make \
             the server read files",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), expected);
    }
}

#[test]
fn a_chain_that_is_torn_is_refused_where_it_is_torn() {
    let first = "SecRule ARGS a id:1,chain\n";
    let cases = [
        ("", "r.conf:1: the chain needs another `SecRule` as the next directive"),
        ("SecMarker A", "r.conf:1: the chain needs another `SecRule` as the next directive"),
        ("SecAction id:2", "r.conf:1: the chain needs another `SecRule` as the next directive"),
        ("SecRule ARGS b chain", "r.conf:2: the chain needs another `SecRule` as the next directive"),
        ("SecRule ARGS b id:2", "r.conf:2: `id` belongs to the first rule of a chain"),
        ("SecRule ARGS b phase:3", "r.conf:2: `phase` belongs to the first rule of a chain"),
        ("SecRule ARGS b deny", "r.conf:2: `a disruptive action` belongs to the first rule of a chain"),
    ];
    for (next, expected) in cases {
        assert_eq!(message(&format!("{first}{next}")), expected);
    }
}

#[test]
fn messages_quote_a_short_piece_of_one_line() {
    let long = format!("SecRule {} a id:1", "A\u{7}".repeat(1_000));
    let message = message(&long);
    assert!(message.chars().count() < 150, "{message}");
    assert!(!message.contains('\u{7}'), "{message:?}");
}
