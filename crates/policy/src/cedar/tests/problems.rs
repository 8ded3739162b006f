//! What is wrong with policies is told at its place, and nothing of it is ever used.

use super::*;

/// What is said of `policies`: place and message.
fn problems(policies: &str) -> Vec<String> {
    let error = compile(policies).unwrap_err();
    let told = |problem: &bartizan_config::Diagnostic| {
        assert!(problem.snippet.contains('^'), "a snippet with a caret: {problem}");
        format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message)
    };
    error.diagnostics().iter().map(told).collect()
}

#[test]
fn mistakes_are_told_at_their_place() {
    let fine = "permit (principal, action, resource);\n";
    let cases = [
        ("permit (principal, action, resource)", "shop.cedar:2:37: ", "unexpected end of input"),
        ("permit (principal, action);", "shop.cedar:2:26: ", "missing the `resource` variable"),
        (
            "permit (principal, action, resource)\nwhen { context.mfaa };",
            "shop.cedar:3:8: ",
            "attribute `mfaa`",
        ),
        (
            "permit (principal, action, resource) when { principal.organization == resource };",
            "shop.cedar:2:45: ",
            "attribute `organization`",
        ),
        (
            "permit (principal, action == Action::\"orders:raed\", resource);",
            "shop.cedar:2:30: ",
            "unrecognized action `Action::\"orders:raed\"`",
        ),
        (
            "permit (principal is Usr, action, resource);",
            "shop.cedar:2:22: ",
            "unrecognized entity type `Usr`",
        ),
        (
            "permit (principal, action, resource) when { context.mfa == 1 };",
            "shop.cedar:2:45: ",
            "the types Bool and Long are not compatible",
        ),
        ("permit (principal == ?principal, action, resource);", "shop.cedar:2:1: ", "this is a template"),
    ];
    for (policy, place, message) in cases {
        let found = problems(&format!("{fine}{policy}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(place) && found[0].contains(message), "{policy}: {found:?}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let found = problems(
        "permit (principal, action, resource) when { context.a };\npermit (principal, action, resource) when { context.b };",
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn two_policies_of_one_name_are_refused() {
    let found = problems(
        "@id(\"one\") permit (principal, action, resource);\n@id(\"one\") forbid (principal, action, resource);",
    );
    assert_eq!(found, ["shop.cedar:2:1: a second policy is called `one`: the first is in shop.cedar:1"]);
}

#[test]
fn built_in_names_cannot_be_taken() {
    let config = config("@id(\"built-in/zone-data\") permit (principal, action, resource);", "");
    assert!(Policies::compile(&config).unwrap_err().to_string().contains("a second policy is called"));
}

#[test]
fn mistakes_of_an_added_schema_are_told_at_their_place() {
    let mut config = config("permit (principal, action, resource);", "");
    let schema = |text: &str| vec![PolicyFile { path: "more.cedarschema".into(), text: text.into() }];
    config.policies.as_mut().unwrap().schemas = schema("entity Todo;\nentity Todo2 = { a: };");
    let error = Policies::compile(&config).unwrap_err();
    assert_eq!((error.diagnostics()[0].line, error.diagnostics()[0].column), (2, 21), "{error}");
    config.policies.as_mut().unwrap().schemas = schema("entity User;");
    assert!(Policies::compile(&config).unwrap_err().to_string().contains("more.cedarschema"));
    config.policies.as_mut().unwrap().schemas = schema("entity Order = { \"owner\": String };");
    Policies::compile(&config).unwrap();
}

#[test]
fn a_policy_that_can_never_apply_is_questionable() {
    let policies = compile("permit (principal, action, resource) when { context.mfa && false };").unwrap();
    let warnings: Vec<_> = policies.warnings().iter().map(|warning| warning.message.as_str()).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("impossible"), "{warnings:?}");
}
