//! Spellings of a protected path that some servers read as that path and others do not: none reaches the upstream
//! as what is protected, and what is served has one spelling only.

use crate::{
    frames::{FrameConnection, Outcome, get},
    harness::Gateway,
    upstream::Upstream,
};

/// What comes of a target without a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It is the protected path: 401.
    Protected,
    /// It is refused as ambiguous: 400.
    Malformed,
    /// It is another path, which is public, and reaches the upstream like this.
    Public(&'static str),
}

use Expected::{Malformed, Protected, Public};

/// `/admin/**` is protected, everything else is public.
const TARGETS: &[(&str, Expected)] = &[
    ("/admin", Protected),
    ("/admin/", Protected),
    ("/admin/users", Protected),
    ("/admin?x", Protected),
    ("/admin/?x=/public", Protected),
    // encodings of plain characters
    ("/%61dmin", Protected),
    ("/%61%64%6d%69%6e", Protected),
    ("/%61%64%6D%69%6E/users", Protected),
    ("/admin%2fusers", Malformed),
    ("/admin%2Fusers", Malformed),
    ("/admin%2f", Malformed),
    ("/public%2f..%2fadmin", Malformed),
    ("/admin%5cusers", Malformed),
    ("/admin%00", Malformed),
    ("/admin%0a", Malformed),
    ("/admin%0d%0ax", Malformed),
    ("/admin%", Malformed),
    ("/admin%6", Malformed),
    ("/admin%zz", Malformed),
    ("/%u0061dmin", Malformed),
    // encoded twice: decoded once it is still encoded, and the upstream gets it as it came
    ("/%2561dmin", Public("/%2561dmin")),
    ("/%252e%252e/admin", Public("/%252e%252e/admin")),
    // slashes
    ("//admin", Protected),
    ("///admin//users", Protected),
    ("/./admin", Protected),
    ("/admin/.", Protected),
    ("/admin/./users", Protected),
    ("/public/../admin", Protected),
    ("/public/..//admin", Protected),
    ("/public/%2e%2e/admin", Protected),
    ("/public/%2E./admin", Protected),
    ("/public/.%2e/admin/users", Protected),
    ("/%2e/admin", Protected),
    ("/public/x/../../admin", Protected),
    ("/admin/../admin/users", Protected),
    ("/admin/../public", Public("/public")),
    ("/admin/..", Public("/")),
    ("/..;/admin", Malformed),
    ("/../admin", Malformed),
    ("/public/../../admin", Malformed),
    ("/%2e%2e/admin", Malformed),
    ("/public\\..\\admin", Malformed),
    ("/\\admin", Malformed),
    // path parameters, which some servers strip
    ("/admin;x", Protected),
    ("/admin;x=1/users", Protected),
    ("/;x/admin", Protected),
    ("/public/..;/admin", Protected),
    ("/public/..;x=1/admin;y", Protected),
    ("/./;/admin", Protected),
    ("/admin%3bx", Protected),
    ("/admin%3B/users", Protected),
    ("/public/%2e%2e%3b/admin", Protected),
    ("/public%3bx", Public("/public%3Bx")),
    // what is another path all the same
    ("/administrator", Public("/administrator")),
    ("/admin.", Public("/admin.")),
    ("/admin%20", Public("/admin%20")),
    ("/admin.json", Public("/admin.json")),
    ("/ADMIN", Public("/ADMIN")),
    ("/%41DMIN", Public("/ADMIN")),
    ("/public/admin", Public("/public/admin")),
    ("/...", Public("/...")),
    ("/%c0%af/admin", Public("/%C0%AF/admin")),
    ("/%ef%bc%8fadmin", Public("/%EF%BC%8Fadmin")),
    ("/public?/../admin", Public("/public?/../admin")),
    ("/public?x=%2fadmin", Public("/public?x=%2fadmin")),
    ("/p%75blic/%7euser", Public("/public/~user")),
];

async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "identity: {{ partners: {{ api_key: {{ keys: [] }} }} }}
routes:
  - {{ path: /admin/**, to: \"{upstream}\", auth: partners }}
  - {{ path: /**, to: \"{upstream}\", auth: none }}
"
    ))
    .await
}

/// Status and code over HTTP/1.1.
async fn http1(gateway: &Gateway, target: &str) -> (u16, Option<String>) {
    let answer = gateway.raw(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    (answer.status, answer.code())
}

/// Status and code over HTTP/2.
async fn http2(gateway: &Gateway, target: &str) -> (u16, Option<String>) {
    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send(get(1, target)).await;
    match connection.outcome(1).await {
        outcome @ Outcome::Answered(..) => outcome.refusal(),
        // What HTTP/2 itself does not take for a path.
        Outcome::Reset(_) => (400, Some("malformed_request".into())),
        ended @ Outcome::Ended(_) => panic!("{target}: {ended:?}"),
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_dodges_its_route() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for &(target, expected) in TARGETS {
        for version in ["HTTP/1.1", "HTTP/2"] {
            let (status, code) = match version {
                "HTTP/2" => http2(&gateway, target).await,
                _ => http1(&gateway, target).await,
            };
            let what = format!("{version}, {target}");
            match expected {
                Protected => {
                    assert_eq!(
                        (status, code.as_deref()),
                        (401, Some("missing_authentication_token")),
                        "{what}"
                    );
                }
                Malformed => {
                    assert_eq!((status, code.as_deref()), (400, Some("malformed_request")), "{what}");
                }
                Public(path) => {
                    assert_eq!(status, 200, "{what}");
                    let received = upstream.received().await.uri.to_string();
                    assert_eq!(received, path, "{what}");
                }
            }
            assert!(upstream.has_received_nothing().await, "{what}: reached the upstream");
        }
    }
}
