//! What an event costs with a hundred rules: the starter pack, and as many rules for web servers as are missing.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

use bartizan_detection::{Detector, Moment, RuleFile, RuleSet, STARTER, Settings, SigmaDetector};
use divan::{Bencher, black_box};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const RULES: usize = 100;

/// Which events.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Requests that nothing is wrong with.
    Ordinary,
    /// Failed logins to ever other accounts, which every correlation of logins counts.
    Failures,
    /// Requests of one address for what is not there.
    Scan,
}

fn detector() -> SigmaDetector {
    let mut files: Vec<_> =
        STARTER.iter().map(|rule| RuleFile { name: rule.name.into(), text: rule.text.into() }).collect();
    for number in files.len()..RULES {
        let text = format!(
            "title: Rule {number}\nid: own-{number}\nlogsource: {{ category: webserver }}\ndetection:\n    \
             path: {{ cs-uri-query|contains: ['/own-{number}.php', 'own{number}%27', '=own-{number}%20'] }}\n    \
             method: {{ cs-method: GET }}\n    status: {{ sc-status: 404 }}\n    \
             condition: path and method and not status\n"
        );
        files.push(RuleFile { name: format!("{number}.yml"), text });
    }
    SigmaDetector::new(RuleSet::compile(&files).unwrap(), Settings::default())
}

fn event(kind: Kind, number: u64) -> Value {
    let address = format!("203.0.113.{}", number % 250);
    let metadata = json!({ "uid": format!("01930000-0000-7000-8000-{number:012}") });
    match kind {
        Kind::Ordinary | Kind::Scan => {
            let (event, decision, status, address) = match kind {
                Kind::Scan => ("request_refused", "refused", 404, "203.0.113.1".to_owned()),
                _ => ("request_allowed", "allowed", 200, address),
            };
            json!({
                "metadata": metadata, "class_uid": 4002,
                "bartizan": {
                    "event": event, "service": "gateway", "decision": decision, "route": "/api/**", "credential": "token",
                },
                "src_endpoint": { "ip": address },
                "actor": { "user": { "uid": format!("user-{}", number % 1000) } },
                "http_request": {
                    "http_method": "GET", "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
                    "url": { "path": format!("/api/orders/{number}"), "query_string": "page=1&size=20" },
                },
                "http_response": { "code": status, "latency": 12 },
            })
        }
        Kind::Failures => json!({
            "metadata": metadata, "class_uid": 3002,
            "bartizan": { "event": "authentication_failed", "service": "accounts", "reason": "wrong" },
            "src_endpoint": { "ip": address },
            "user": { "uid": format!("user-{number}") },
        }),
    }
}

#[divan::bench(args = [Kind::Ordinary, Kind::Failures, Kind::Scan])]
fn an_event(bencher: Bencher<'_, '_>, kind: Kind) {
    let events: Vec<_> = (0..4096).map(|number| event(kind, number)).collect();
    let mut detector = detector();
    let mut time = 0;
    bencher.counter(divan::counter::ItemsCount::new(1_usize)).bench_local(|| {
        time += 10;
        let event = &events[usize::try_from(time / 10).unwrap() % events.len()];
        black_box(detector.observe(black_box(event), Moment(time)))
    });
}
