//! Any text is rules or a problem with a place in it; targets that were read can be written and read again.
#![no_main]

use bartizan_seclang::{
    ast::{DirectiveKind, Link, Selector},
    parse,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text, "fuzz.conf") {
        Ok(directives) => {
            for directive in directives {
                if let DirectiveKind::Rule(rule) = directive.kind {
                    rule.links().for_each(check);
                }
            }
        }
        Err(error) => {
            let lines = u32::try_from(text.split('\n').count()).expect("libFuzzer's inputs are small");
            assert!((1..=lines).contains(&error.place.line), "line {} of {lines}", error.place.line);
            assert!(!error.to_string().contains('\n'));
        }
    }
});

fn check(link: &Link) {
    let Some(operator) = &link.operator else {
        assert!(link.targets.is_empty());
        return;
    };
    assert_eq!(operator.argument.is_empty(), !operator.name.takes_argument());
    let has_marks = |text: &str| text.contains(['"', '\'', '\\']);
    let is_plain = link.targets.iter().all(|target| match &target.selector {
        Some(Selector::Name(text) | Selector::Pattern(text) | Selector::Path(text)) => !has_marks(text),
        None => true,
    });
    if is_plain {
        let targets: Vec<String> = link.targets.iter().map(ToString::to_string).collect();
        let again = format!("SecRule \"{}\" \"@rx a\" id:1", targets.join("|"));
        let again = parse(&again, "again.conf").expect("targets that were read are read again");
        let DirectiveKind::Rule(again) = &again[0].kind else { panic!("a rule became another thing") };
        assert_eq!(again.first.targets, link.targets);
    }
}
