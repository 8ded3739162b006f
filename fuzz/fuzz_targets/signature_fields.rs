//! Whatever stands in the fields of a signed request, it is read or refused, and never accepted from nobody.
#![no_main]

use std::sync::LazyLock;

use bartizan_config::{Config, Source};
use bartizan_identity::{Authenticator, Presented, Selection, SignatureFields};
use bartizan_policy::PermissionIndex;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

/// A gateway whose only key nobody here can sign with.
static GATE: LazyLock<(Authenticator, Selection)> = LazyLock::new(|| {
    let text = "
version: 1
listen: { http: \"127.0.0.1:0\" }
identity:
  a: { signature: { keys: [{ id: p, algorithm: hmac-sha256, secret: a secret that the input never learns }], components: [\"@method\"], nonce: optional, window: 1h } }
routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: a }]
";
    let config = Config::parse(text, &Source::text("")).expect("a configuration").config;
    let index = std::sync::Arc::new(PermissionIndex::new([]));
    let authenticator = Authenticator::new(&config, &index, None, None).expect("a key");
    let selection = authenticator.select(&["a".parse().expect("a name")], &[]).expect("a provider");
    (authenticator, selection)
});

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let (mut head, ()) =
        Request::post("/orders?id=1").header("host", "shop.test").body(()).expect("a request").into_parts();
    for (name, value) in [("signature-input", input.0), ("signature", input.1), ("content-digest", input.2)] {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        head.headers.insert(name, value);
    }
    let is_read = SignatureFields::read(&head.headers).is_ok();
    let presented =
        Presented { head: &head, secure: true, client_certificate: None, address: None, content: None };
    let (authenticator, selection) = &*GATE;
    let refused = authenticator.authenticate(selection, &presented);
    assert!(refused.is_err(), "nobody has signed this: {is_read}");
});
