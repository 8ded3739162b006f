use std::{fmt::Write as _, sync::Arc};

use bartizan_config::{Config, Source};
use bytes::Bytes;
use http::{Request, Version};

use crate::{
    BodyFailure, Code, Exchange, Held, HeldBytes, HoldBody, Pipeline, Reservation, Verdict,
    tests::{config, exchange, pipeline},
};

/// A body that is there, and how much of all bodies may be.
struct Here<'h> {
    bytes: Bytes,
    all: &'h Arc<HeldBytes>,
    limit: u64,
}

impl HoldBody for Here<'_> {
    fn declared_length(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    async fn hold(&mut self, limit: usize) -> Result<Held, BodyFailure> {
        let length = self.bytes.len();
        Ok(if length > limit { Held::Front(length) } else { Held::Whole(length) })
    }

    fn held(&self) -> Bytes {
        self.bytes.clone()
    }

    fn reserve(&self) -> Reservation {
        self.all.reserve(self.limit)
    }
}

fn guarded(waf: &str) -> Pipeline {
    pipeline(&config(&format!("\n  - {{ path: /**, to: u, auth: none, body: {{ max: 4MiB }}, waf: {waf} }}")))
}

/// Many arguments: what takes rules longest and most memory.
fn many(arguments: usize) -> Bytes {
    let mut body = String::from("{");
    for number in 0..arguments {
        let _ = write!(body, "\"name{number}\": \"some words, (and) signs: 1%41 or so\", ");
    }
    body.push_str("\"last\": 1}");
    body.into()
}

fn post(kind: &str) -> Exchange {
    exchange(Request::post("/a").header("host", "shop.test").header("content-type", kind))
}

async fn decide(
    pipeline: &Pipeline,
    bytes: impl Into<Bytes>,
    all: &Arc<HeldBytes>,
    limit: u64,
) -> (Verdict, Exchange) {
    let mut exchange = post("application/json");
    let mut body = Here { bytes: bytes.into(), all, limit };
    let verdict = pipeline.decide(&mut exchange, &mut body).await;
    (verdict, exchange)
}

fn last_reason(exchange: &Exchange) -> String {
    exchange.trace.steps().last().unwrap().reason.to_string()
}

/// On one thread: whoever keeps it keeps everybody.
#[tokio::test]
async fn others_go_on_while_a_large_body_is_looked_at() {
    // A short one may become a long one: of each of its values the name is 100 bytes long.
    let grown = format!("{{\"{}\":[{}1]}}", "k".repeat(100), "1,".repeat(1000));
    for large in [many(3000), grown.into()] {
        Box::pin(others_go_on_while_this_is_looked_at(large)).await;
    }
}

async fn others_go_on_while_this_is_looked_at(large: Bytes) {
    let pipeline = guarded("starter");
    let all = HeldBytes::new();
    let order = parking_lot::Mutex::new(Vec::new());
    let one = async |name, body: Bytes| {
        let (verdict, _) = decide(&pipeline, body, &all, u64::MAX).await;
        assert!(matches!(verdict, Verdict::Pass), "{name}: {verdict:?}");
        order.lock().push(name);
    };
    tokio::join!(one("large", large), one("small", Bytes::from("{\"id\": 7}")), one("none", Bytes::new()));
    assert_eq!(*order.lock(), ["small", "none", "large"]);
}

#[tokio::test]
async fn what_rules_hold_counts_under_the_limit_of_all_bodies() {
    let (all, many) = (HeldBytes::new(), many(3000));
    let pipeline = guarded("{ responses: on }");
    let (verdict, exchange) = decide(&pipeline, many.clone(), &all, 3 * many.len() as u64).await;
    let Verdict::Deny(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refusal.code, refusal.close), (Code::Overloaded, true));
    assert_eq!(last_reason(&exchange), "no room left under `hardening.max_held_bytes`");
    drop(exchange);
    all.reserve(1).grow(1).unwrap();

    // What is kept for the response counts until that is over.
    let (verdict, exchange) = decide(&pipeline, many.clone(), &all, u64::MAX).await;
    assert!(matches!(verdict, Verdict::Pass), "{verdict:?}");
    assert!(all.reserve(many.len() as u64).grow(1).is_err());
    drop(exchange);
    all.reserve(1).grow(1).unwrap();
}

#[tokio::test]
async fn log_mode_lets_pass_what_there_is_no_room_to_look_at_and_looks_at_the_rest() {
    let target = Request::post("/a?id=1%27%20OR%20%271%27%3D%271").header("host", "shop.test");
    let mut exchange = exchange(target.header("content-type", "application/json"));
    let mut body = Here { bytes: many(100), all: &HeldBytes::new(), limit: 1 };
    let verdict = guarded("{ mode: log }").decide(&mut exchange, &mut body).await;
    assert!(matches!(verdict, Verdict::Pass), "{verdict:?}");
    let reason = last_reason(&exchange);
    assert!(reason.starts_with("body not looked at (no room left under"), "{reason}");
    assert!(reason.contains("would refuse: ") && reason.contains("(ARGS:id)"), "{reason}");
}

#[tokio::test]
async fn a_body_that_is_too_long_hides_nothing_that_was_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    let own =
        "SecAction \"id:100,phase:1,pass,log,msg:'Head'\"\nSecAction \"id:101,phase:5,pass,log,msg:'End'\"\n";
    std::fs::write(&file, own).unwrap();
    let pipeline = guarded(&format!("{{ max_body: 1KiB, include: \"{}\" }}", file.display()));
    let (verdict, exchange) = decide(&pipeline, many(100), &HeldBytes::new(), u64::MAX).await;
    let Verdict::Deny(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(refusal.code, Code::BodyTooLarge);
    let found: Vec<u64> = exchange.inspected.unwrap().rules.iter().map(|rule| rule.id).collect();
    assert_eq!(found, [100, 101]);
}

/// What anybody can call gRPC is looked at, unless the service is said to speak nothing else.
#[tokio::test]
async fn a_body_that_is_called_grpc_is_looked_at_unless_the_service_is_said_to_speak_http2() {
    let asked = async |upstream: &str, route: &str| {
        let text = format!(
            "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nupstreams: {{ u: {{ {upstream} }} }}\n\
             routes: [{{ path: /**, to: u, auth: none, {route} }}]"
        );
        let pipeline = pipeline(&Config::parse(&text, &Source::text("")).unwrap().config);
        let mut exchange = exchange(
            Request::post("http://shop.test/a")
                .version(Version::HTTP_2)
                .header("content-type", "application/grpc")
                .header("te", "trailers"),
        );
        let bytes = Bytes::from_static(br#"{"id": "1' OR '1'='1"}"#);
        let verdict = pipeline
            .decide(&mut exchange, &mut Here { bytes, all: &HeldBytes::new(), limit: u64::MAX })
            .await;
        let steps: String = exchange.trace.steps().iter().map(|step| step.reason.to_string()).collect();
        (matches!(verdict, Verdict::Pass), steps)
    };
    for upstream in [
        "targets: \"https://a\"",
        "targets: \"http://a\"",
        "targets: \"https://a\", protocol: auto",
        "targets: \"http://a\", protocol: http1",
    ] {
        let (passes, steps) = asked(upstream, "waf: starter").await;
        assert!(
            !passes && steps.contains("held ") && steps.contains("`protocol: http2`"),
            "{upstream}: {steps}"
        );
    }
    for (upstream, route) in [
        ("targets: \"http://a\", protocol: http2", "waf: starter"),
        ("targets: \"https://a\", protocol: http2", "waf: starter"),
        ("targets: \"https://a\"", "waf: { mode: log }"),
        ("targets: \"https://a\"", "waf: off"),
    ] {
        let (_, steps) = asked(upstream, route).await;
        assert!(steps.contains("gRPC, streamed"), "{upstream}, {route}: {steps}");
    }
}
