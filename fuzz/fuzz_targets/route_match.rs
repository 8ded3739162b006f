//! The normal form of a path is normal, hides nothing, and finds the route that comparing every pattern finds.
#![no_main]

use std::sync::{Arc, LazyLock};

use bartizan_config::{Config, PathPattern, Segment, Source};
use bartizan_pipeline::{Found, NormalPath, Pipeline};
use bartizan_reputation::AddressLists;
use http::Method;
use libfuzzer_sys::fuzz_target;

const ROUTES: &str = r#"
version: 1
listen: { http: "127.0.0.1:0" }
routes:
  - { path: /, to: "http://127.0.0.1:9", auth: none }
  - { path: /a, to: "http://127.0.0.1:9", auth: none }
  - { path: /a/*, to: "http://127.0.0.1:9", auth: none }
  - { path: /a/b, to: "http://127.0.0.1:9", auth: none }
  - { path: /a/*/c, to: "http://127.0.0.1:9", auth: none }
  - { path: /a/b/**, to: "http://127.0.0.1:9", auth: none }
  - { path: /*/b/c, to: "http://127.0.0.1:9", auth: none }
  - { path: /admin/**, to: "http://127.0.0.1:9", auth: none }
"#;

static PIPELINE: LazyLock<Pipeline> = LazyLock::new(|| {
    let config = Config::parse(ROUTES, &Source::text("/")).expect("the routes above are valid").config;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let _entered = runtime.enter();
    Pipeline::new(&config, Arc::new(AddressLists::default()), None).expect("public routes need no identity")
});

fuzz_target!(|received: &str| {
    let Ok(normal) = NormalPath::of(received) else { return };
    let (forwarded, matched) = (normal.forwarded(received), normal.matched(received));
    for path in [forwarded, matched] {
        assert!(path.starts_with('/'));
        assert!(!path.contains("//") && !path.contains('\\'), "`{received}` became `{path}`");
        assert!(
            !path.split('/').any(|segment| matches!(segment, "." | "..")),
            "`{received}` became `{path}`"
        );
        let lower = path.to_ascii_lowercase();
        assert!(
            ["%2e", "%2f", "%5c", "%00"].iter().all(|escape| !lower.contains(escape)),
            "`{received}` became `{path}`"
        );
    }
    assert!(!matched.contains(';'), "`{received}` is matched as `{matched}`");
    let again = NormalPath::of(forwarded).expect("a normal path has a normal form");
    assert_eq!((again.forwarded(forwarded), again.matched(forwarded)), (forwarded, matched), "`{received}`");

    let matches = |pattern: &PathPattern| naive_match(pattern.segments(), &segments(matched));
    match PIPELINE.routes().find("shop.test", matched, &Method::GET) {
        Found::Route(route) => assert!(matches(&route.config.path), "`{matched}` found {}", route.label),
        Found::MethodNotAllowed { .. } => panic!("these routes admit every method"),
        Found::NotFound => {
            let missed = PIPELINE.routes().routes().iter().find(|route| matches(&route.config.path));
            assert!(missed.is_none(), "`{matched}` missed {:?}", missed.map(|route| &route.label));
        }
    }
});

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// The definition of a match, without a thought for speed.
fn naive_match(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) | ([Segment::Rest], _) => true,
        ([Segment::Any, pattern @ ..], [_, path @ ..]) => naive_match(pattern, path),
        ([Segment::Literal(text), pattern @ ..], [first, path @ ..]) => {
            text == first && naive_match(pattern, path)
        }
        _ => false,
    }
}
