//! Any text is a configuration or a list of problems that point into it; parsing twice gives the same.
#![no_main]

use bartizan_config::{Config, Severity, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parse = || Config::parse(text, &Source::text("/nonexistent"));
    match parse() {
        Ok(loaded) => {
            assert!(!loaded.config.routes.is_empty(), "a configuration without routes was accepted");
            let again = parse().expect("the same text was accepted a moment ago");
            assert_eq!(loaded.config.revision, again.config.revision);
        }
        Err(error) => {
            let diagnostics = error.diagnostics();
            assert!(
                diagnostics.iter().any(|one| one.severity == Severity::Error),
                "refused without a reason"
            );
            let lines =
                u32::try_from(text.split(['\n', '\r']).count()).expect("libFuzzer's inputs are small");
            for one in diagnostics {
                assert!((1..=lines).contains(&one.line), "line {} of {lines}", one.line);
                assert!(!one.message.is_empty());
            }
            assert!(!error.to_string().is_empty());
        }
    }
});
