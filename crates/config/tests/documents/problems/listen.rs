//! Mistakes of `listen` and `tls`.

use bartizan_config::Severity;

use super::{Case, check, listen, upstream};
use crate::{folder, parse_in, set_mode, with};

#[test]
fn mistakes_of_listeners() {
    let cases: [Case<'_>; 16] = [
        (
            listen("http: \"127.0.0.1:0\", client_cert: §true"),
            &[("`client_cert` believes nobody without `trusted_proxies`", "add `trusted_proxies`")],
        ),
        (
            listen("http: §\":8080\""),
            &[(
                "`:8080` does not say which address to listen on: write `0.0.0.0:8080` for all of them or `127.0.0.1:8080` for this machine only",
                "",
            )],
        ),
        (
            listen("http: §8080"),
            &[(
                "`8080` does not say which address to listen on: write `0.0.0.0:8080` for all of them or `127.0.0.1:8080` for this machine only",
                "",
            )],
        ),
        (
            listen("http: §[a]"),
            &[("expected `redirect`, an address such as `0.0.0.0:80`, or `{ address, redirect }`", "")],
        ),
        (
            "version: 1\nlisten: §{ reuse_port: true }\nroutes: [{ path: /, to: \"http://a\", auth: none }]"
                .into(),
            &[("nothing listens for requests", "`https` or `http`")],
        ),
        (
            listen("https: §\"127.0.0.1:0\""),
            &[("`https` needs certificates, and there is no `tls`", "tls: dev")],
        ),
        (listen("http: §redirect"), &[("there is no `https` listener to redirect to", "add `https`")]),
        (
            listen("http: §{ address: \"127.0.0.1:0\", redirect: true }"),
            &[("there is no `https` listener to redirect to", "add `https`")],
        ),
        (
            format!("tls: §dev\n{}", listen("https: \"0.0.0.0:443\"")),
            &[("`tls: dev` is for loopback addresses, and `https` listens on 0.0.0.0:443", "127.0.0.1")],
        ),
        (
            listen("http: \"127.0.0.1:0\", admin: §\"0.0.0.0:9443\""),
            &[("the admin API would send its token in clear on 0.0.0.0:9443", "127.0.0.1")],
        ),
        (
            listen("http: \"127.0.0.1:80\", admin: §\"127.0.0.1:80\""),
            &[("`http` and `admin` both listen on 127.0.0.1:80", "own port")],
        ),
        (
            listen("http: §\"0.0.0.0:9464\""),
            &[("`http` and `metrics` both listen on 127.0.0.1:9464", "own port")],
        ),
        (
            listen("http: \"127.0.0.1:0\", proxy_protocol: §required"),
            &[(
                "`proxy_protocol: required` refuses every connection without `trusted_proxies`",
                "trusted_proxies",
            )],
        ),
        (
            listen("http: \"127.0.0.1:0\", trusted_proxies: [10.0.0.0/8, §10.0.0.1/8]"),
            &[("`10.0.0.1/8` has bits set beyond its prefix: write `10.0.0.0/8`", "")],
        ),
        (
            format!("tls: §{{}}\n{}", listen("https: \"127.0.0.1:0\"")),
            &[("`tls` holds no certificate", "`cert` and `key`")],
        ),
        (
            format!("tls: §devel\n{}", listen("https: \"127.0.0.1:0\"")),
            &[("`devel` is not known here: expected `dev`, or a mapping with `cert` and `key`", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_certificates() {
    let tls = |keys: &str| format!("tls: {{ {keys} }}\n{}", listen("https: \"127.0.0.1:0\""));
    let cases: [Case<'_>; 5] = [
        (tls("cert: §cert.pem"), &[("`cert` needs its `key`", "")]),
        (tls("key: §key.pem"), &[("`key` needs its `cert`", "")]),
        (
            tls("cert: cert.pem, key: key.pem, certificates: §[{ cert: cert.pem, key: key.pem }]"),
            &[("`certificates` and `cert` are two ways to say the same", "into the list")],
        ),
        (
            tls("cert: cert.pem, key: key.pem, client_certificate: §required"),
            &[("client certificates cannot be verified without `client_ca`", "client_ca")],
        ),
        (
            with("identity: { §a: { certificate: { clients: [{ san: s }] } } }")
                .replace("auth: none", "auth: a"),
            &[("`certificate` needs `tls.client_ca`: nobody is asked for a certificate", "client_ca")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn files_are_readable_and_keys_are_private() {
    let folder = folder();
    let shown = folder.path().display();
    let cases = [
        ("cert.pem", "key.pem", None),
        (
            "missing.pem",
            "key.pem",
            Some((Severity::Error, 14, format!("cannot read `{shown}/missing.pem`: there is no such file"))),
        ),
        ("folder", "key.pem", Some((Severity::Error, 14, format!("`{shown}/folder` is not a file")))),
        (
            "cert.pem",
            "open.pem",
            Some((
                Severity::Error,
                29,
                format!("every user of this machine has access to the key `{shown}/open.pem` (mode 0644)"),
            )),
        ),
        (
            "cert.pem",
            "group.pem",
            Some((
                Severity::Warning,
                29,
                format!("a whole group has access to the key `{shown}/group.pem` (mode 0640)"),
            )),
        ),
        (
            "/nonexistent/c.pem",
            "key.pem",
            Some((Severity::Error, 14, "cannot read `/nonexistent/c.pem`: there is no such file".into())),
        ),
    ];
    for (cert, key, expected) in cases {
        let text = format!("tls: {{ cert: {cert}, key: {key} }}\n{}", listen("https: \"127.0.0.1:0\""));
        let found = match parse_in(folder.path(), &text) {
            Ok(loaded) => loaded.warnings,
            Err(error) => error.diagnostics().to_vec(),
        };
        let found: Vec<_> =
            found.into_iter().map(|found| (found.severity, found.column, found.message)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
    set_mode(&folder.path().join("key.pem"), 0o604);
    let text = upstream("targets: \"https://a\", tls: { ca: cert.pem, cert: cert.pem, key: key.pem }");
    let error = parse_in(folder.path(), &text).unwrap_err().to_string();
    assert!(error.contains("(mode 0604)") && error.contains("chmod 600"), "{error}");
}
