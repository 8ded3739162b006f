//! How diagnostics are shown.

use std::fs;

use bartizan_config::Config;

use crate::{folder, parse, with};

#[test]
fn a_diagnostic_reads_like_a_compiler_s() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    fs::write(&path, "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nrotues: []\n").unwrap();
    let error = Config::load(&path).unwrap_err();
    let expected = format!(
        "{}:3:1: error: unknown key `rotues`\n  |\n3 | rotues: ...\n  | ^^^^^^\nhelp: did you mean `routes`?",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn many_mistakes_are_counted_but_not_all_shown() {
    let routes: Vec<_> =
        (0..1000).map(|index| format!("  - {{ path: /{index}, to: \"http://a\" }}")).collect();
    let routes = routes.join("\n");
    let error =
        parse(&format!("version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes:\n{routes}")).unwrap_err();
    assert_eq!(error.diagnostics().len(), 200);
}

#[test]
fn a_document_cannot_write_to_the_terminal() {
    let long = "x".repeat(100_000);
    for text in
        [with("shutdown: { drain: \"\\e[31m\\n\\u2028\" }"), with(&format!("shutdown: {{ drain: {long} }}"))]
    {
        let error = parse(&text).unwrap_err();
        let [diagnostic] = error.diagnostics() else { panic!("{error}") };
        assert!(
            !diagnostic.message.contains(|character: char| character.is_control() || character == '\u{2028}')
        );
        assert!(diagnostic.to_string().len() < 2000, "{diagnostic}");
    }
}
