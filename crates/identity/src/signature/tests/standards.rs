//! The examples of RFC 9421 (sections 2.1, 2.2 and appendix B) and of RFC 9530 (appendix B).

use bartizan_config::{SignatureAlgorithm, SigningMaterial, VerifyingMaterial};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{CREATED, Gate, Keys, at, key, lenient, request, set};
use crate::{
    InvalidReason, content_digest,
    signature::{
        ExpectedContent, Message, SignatureFields,
        base::signature_base,
        component::Component,
        key::{SigningKey, VerificationKey},
    },
};

const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2\n\
    +QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+\n\
    oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq\n\
    gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W\n\
    Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4\n\
    aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI\n\
    2wIDAQAB\n\
    -----END PUBLIC KEY-----\n";
const ECC_P256: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n\
    w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n\
    -----END PUBLIC KEY-----\n";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n\
    -----END PUBLIC KEY-----\n";
const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n\
    -----END PRIVATE KEY-----\n";
const SHARED_SECRET: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

/// Appendix B.2.
const REQUEST: &str = "POST /foo?param=Value&Pet=dog
    Host: example.com
    Date: Tue, 20 Apr 2021 02:07:55 GMT
    Content-Type: application/json
    Content-Digest: sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
    Content-Length: 18";
const BODY: &[u8] = b"{\"hello\": \"world\"}";

/// Appendix B.2.1 to B.2.6 as far as they are about requests (B.2.4 is about a response).
const SIGNED: [(&str, &str); 5] = [
    (
        "sig-b21=();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"",
        "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wg\
            GxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWh\
            zx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5Tm\
            cAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
    ),
    (
        "sig-b22=(\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473\
            ;keyid=\"test-key-rsa-pss\";tag=\"header-example\"",
        "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtj\
            vuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17\
            SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5\
            rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
    ),
    (
        "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content\
            -digest\" \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"",
        "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt68\
            3+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJ\
            H1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH\
            8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
    ),
    (
        "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-se\
            cret\"",
        "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
    ),
    (
        "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");\
            created=1618884473;keyid=\"test-key-ed25519\"",
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBK\
            RCw==:",
    ),
];

/// Appendix B.3: what a TLS-terminating proxy sends on, signed by the proxy.
const CLIENT_CERT: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBg\
    NVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CA\
    QYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwC\
    QYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDV\
    R0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHS\
    B4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

/// A gateway that knows the keys of appendix B.1.
fn gate() -> Gate {
    let keys = Keys::new();
    let public = |id: &str, algorithm, pem| {
        let path = keys.file(id, pem);
        key(id, algorithm, VerifyingMaterial::PublicKey(path))
    };
    let ecc = public("test-key-ecc-p256", SignatureAlgorithm::EcdsaP256Sha256, ECC_P256);
    let ed25519 = public("test-key-ed25519", SignatureAlgorithm::Ed25519, ED25519);
    let rsa = public("test-key-rsa-pss", SignatureAlgorithm::RsaPssSha512, RSA_PSS);
    let secret = STANDARD.decode(SHARED_SECRET).unwrap();
    let secret = VerifyingMaterial::Secret(secret.into());
    let shared = key("test-shared-secret", SignatureAlgorithm::HmacSha256, secret);
    let mut settings = lenient(vec![ecc, ed25519, rsa, shared]);
    // What the memory of nonces says of signatures from 2021 is another test's.
    settings.window = std::time::Duration::from_secs(u64::from(u32::MAX));
    Gate::new(settings)
}

#[test]
fn the_signatures_of_rfc_9421_are_verified() {
    let gate = gate();
    for (input, signature) in SIGNED {
        if input.starts_with("sig-b21") {
            // A nonce from before the memory: see below.
            continue;
        }
        let mut head = request(REQUEST);
        set(&mut head.headers, "signature-input", input);
        set(&mut head.headers, "signature", signature);
        let authenticated = gate.check(&head, CREATED + 10);
        let authenticated = authenticated.unwrap_or_else(|reason| panic!("{input}: {reason}"));
        if let Some(content) = &authenticated.content {
            content.verify(BODY).unwrap();
            content.verify(b"{\"hello\": \"World\"}").unwrap_err();
        }
        assert_eq!(authenticated.content.is_some(), input.contains("content-digest"), "{input}");

        head.method = http::Method::PUT;
        head.uri = "/foo?param=Value&Pet=cat".parse().unwrap();
        set(&mut head.headers, "date", "Tue, 20 Apr 2021 02:07:56 GMT");
        assert_eq!(gate.check(&head, CREATED + 10).unwrap_err(), InvalidReason::Signature, "{input}");
    }
}

#[test]
fn a_signature_over_nothing_is_valid_and_from_before_the_memory() {
    let (input, signature) = SIGNED[0];
    let mut head = request(REQUEST);
    set(&mut head.headers, "signature-input", input);
    set(&mut head.headers, "signature", signature);
    assert_eq!(gate().check(&head, CREATED).unwrap_err(), InvalidReason::BeforeMemory);
    set(&mut head.headers, "signature", &signature.replace("d2pm", "e2pm"));
    assert_eq!(gate().check(&head, CREATED).unwrap_err(), InvalidReason::Signature);
}

/// Appendix B.2.4 is about a response, which no gateway verifies; its key and its signature are like those of requests.
#[test]
fn the_signature_of_a_response_fits_its_key() {
    let keys = Keys::new();
    let path = keys.file("ecc", ECC_P256);
    let material = VerifyingMaterial::PublicKey(path);
    let key = VerificationKey::new(SignatureAlgorithm::EcdsaP256Sha256, &material).unwrap();
    let base = "\"@status\": 200\n\
        \"content-type\": application/json\n\
        \"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\
        \"content-length\": 23\n\
        \"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473\
        ;keyid=\"test-key-ecc-p256\"";
    let signature =
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==";
    let signature = STANDARD.decode(signature).unwrap();
    assert!(key.verify(base.as_bytes(), &signature));
    assert!(!key.verify(base.replace("200", "201").as_bytes(), &signature));
}

/// The base of the first signature that `head` carries.
fn base(head: &http::request::Parts) -> (Vec<u8>, Vec<u8>) {
    let fields = SignatureFields::read(&head.headers).unwrap();
    let message = Message::received(head, true).unwrap();
    let signature = &fields.0[0];
    let base = signature_base(&message, &signature.components, &signature.parameters).unwrap();
    (base, signature.signature.clone())
}

#[test]
fn the_deterministic_signatures_of_rfc_9421_are_made() {
    let keys = Keys::new();
    let path = keys.file("ed25519", ED25519_PRIVATE);
    let ed25519 = SigningKey::new(SignatureAlgorithm::Ed25519, &SigningMaterial::PrivateKey(path)).unwrap();
    let secret = STANDARD.decode(SHARED_SECRET).unwrap();
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    for (input, signature) in SIGNED {
        let mut head = request(REQUEST);
        set(&mut head.headers, "signature-input", input);
        set(&mut head.headers, "signature", signature);
        let (base, signature) = base(&head);
        if input.contains("test-shared-secret") {
            assert_eq!(aws_lc_rs::hmac::sign(&hmac, &base).as_ref(), signature, "{input}");
        } else if input.contains("test-key-ed25519") {
            assert_eq!(ed25519.sign(&base).unwrap(), signature, "{input}");
        }
    }
}

#[test]
fn the_base_is_written_as_in_rfc_9421() {
    let (input, signature) = SIGNED[1];
    let mut head = request(REQUEST);
    set(&mut head.headers, "signature-input", input);
    set(&mut head.headers, "signature", signature);
    let expected = "\"@authority\": example.com\n\
        \"content-digest\": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n\
        \"@query-param\";name=\"Pet\": dog\n\
        \"@signature-params\": (\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473;\
        keyid=\"test-key-rsa-pss\";tag=\"header-example\"";
    assert_eq!(String::from_utf8(base(&head).0).unwrap(), expected);
}

#[test]
fn the_signature_of_a_proxy_is_verified() {
    let mut head = request(
        "POST /foo?param=Value&Pet=dog
        Host: service.internal.example
        Date: Tue, 20 Apr 2021 02:07:55 GMT
        Content-Type: application/json
        Content-Length: 18
        Signature-Input: ttrp=(\"@path\" \"@query\" \"@method\" \"@authority\" \"client-cert\");created=1618884473;keyid=\"test-key-ecc-p256\"
        Signature: ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:",
    );
    set(&mut head.headers, "client-cert", CLIENT_CERT);
    assert!(gate().check(&head, CREATED).is_ok());
    set(&mut head.headers, "client-cert", &CLIENT_CERT.replace("BDQTA", "BDQTB"));
    assert_eq!(gate().check(&head, CREATED).unwrap_err(), InvalidReason::Signature);
}

/// Appendix B.4.
#[test]
fn signatures_survive_what_may_happen_on_the_way() {
    let sent = "Signature-Input: transform=(\"@method\" \"@path\" \"@authority\" \"accept\");created=1618884473;keyid=\"test-key-ed25519\"
        Signature: transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:";
    let (get, host) = ("GET /demo?name1=Value1&Name2=value2", "Host: example.org");
    let cases = [
        (get, host, "Accept: application/json\nAccept: */*", true),
        (
            "GET /demo?name1=Value1&Name2=value2&param=added",
            host,
            "Accept: application/json\nAccept: */*",
            true,
        ),
        (get, host, "Accept: application/json, */*\nAccept-Language: en-US,en;q=0.5", true),
        (
            get,
            "Host: Example.org:443",
            "Accept: application/json\nReferer: https://x.test/\nAccept: */*",
            true,
        ),
        ("POST /demo?name1=Value1&Name2=value2", host, "Accept: application/json\nAccept: */*", false),
        (get, "Host: example.com", "Accept: application/json\nAccept: */*", false),
        (get, host, "Accept: */*\nAccept: application/json", false),
        ("GET /demo/?name1=Value1&Name2=value2", host, "Accept: application/json\nAccept: */*", false),
    ];
    let gate = gate();
    for (line, host, accept, is_valid) in cases {
        let head = request(&format!("{line}\n{host}\n{accept}\n{sent}"));
        assert_eq!(gate.check(&head, CREATED).is_ok(), is_valid, "{line} {host} {accept}");
    }
}

/// What a component is worth in a request, or why nothing.
fn value(component: &str, request: &str) -> Result<String, InvalidReason> {
    let head = super::request(request);
    let item = sfv::Parser::new(component).parse::<sfv::Item>().unwrap();
    let message = Message::received(&head, true)?;
    let value = Component::parse(&item)?.value(&message)?.into_owned();
    Ok(String::from_utf8(value).unwrap())
}

/// Sections 2.1 and 2.2.
#[test]
fn components_are_worth_what_rfc_9421_says() {
    let fields = "GET /path?param=value&foo=bar&baz=batman&qux=
        Host: www.example.com
        Date: Tue, 20 Apr 2021 02:07:56 GMT
        X-OWS-Header:   Leading and trailing whitespace.
        Cache-Control: max-age=60
        Cache-Control:    must-revalidate
        Example-Dict:  a=1,    b=2;x=1;y=2,   c=(a   b   c), d
        Content-Digest:   sha-256=:AA==:,   sha-512=:BB==:
        Example-Header: value, with, lots
        Example-Header: of, commas";
    let cases = [
        ("\"@method\"", "GET"),
        ("\"@target-uri\"", "https://www.example.com/path?param=value&foo=bar&baz=batman&qux="),
        ("\"@authority\"", "www.example.com"),
        ("\"@scheme\"", "https"),
        ("\"@path\"", "/path"),
        ("\"@query\"", "?param=value&foo=bar&baz=batman&qux="),
        ("\"@query-param\";name=\"baz\"", "batman"),
        ("\"@query-param\";name=\"qux\"", ""),
        ("\"@query-param\";name=\"param\"", "value"),
        ("\"date\"", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("\"x-ows-header\"", "Leading and trailing whitespace."),
        ("\"cache-control\"", "max-age=60, must-revalidate"),
        ("\"example-dict\"", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("\"example-dict\";key=\"a\"", "1"),
        ("\"example-dict\";key=\"d\"", "?1"),
        ("\"example-dict\";key=\"b\"", "2;x=1;y=2"),
        ("\"example-dict\";key=\"c\"", "(a b c)"),
        ("\"content-digest\";sf", "sha-256=:AA==:, sha-512=:BA==:"),
        ("\"example-header\"", "value, with, lots, of, commas"),
        ("\"example-header\";bs", ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
    ];
    for (component, expected) in cases {
        // `BB==` has bits that say nothing; what is strict writes them as zero.
        assert_eq!(value(component, fields).as_deref(), Ok(expected), "{component}");
    }
    let encoded = "GET /parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something
        Host: www.example.com";
    let cases = [
        ("\"@query-param\";name=\"var\"", "this%20is%20a%20big%0Amultiline%20value"),
        ("\"@query-param\";name=\"bar\"", "with%20plus%20whitespace"),
        ("\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"", "something"),
    ];
    for (component, expected) in cases {
        assert_eq!(value(component, encoded).as_deref(), Ok(expected), "{component}");
    }
    let bare = "GET /\nHost: www.example.com";
    assert_eq!(value("\"@query\"", bare).as_deref(), Ok("?"));
    assert_eq!(value("\"@target-uri\"", bare).as_deref(), Ok("https://www.example.com/"));
    assert_eq!(value("\"@request-target\"", bare).as_deref(), Ok("/"));
    // RFC 9421, section 2.2.5.
    let with_query = "GET /path?param=value&%61=+\nHost: www.example.com";
    assert_eq!(value("\"@request-target\"", with_query).as_deref(), Ok("/path?param=value&%61=+"));
}

/// What a proxy was asked for is a whole URL, of which nobody knows how it was written.
#[test]
fn a_target_with_a_scheme_is_known_over_http_2_alone() {
    let item = sfv::Parser::new("\"@request-target\"").parse::<sfv::Item>().unwrap();
    let component = Component::parse(&item).unwrap();
    for (version, expected) in [
        (http::Version::HTTP_11, Err(InvalidReason::Component)),
        (http::Version::HTTP_2, Ok("/path?a".to_owned())),
    ] {
        let request = http::Request::get("https://www.example.com/path?a").version(version);
        let request = request.header("host", "www.example.com").body(()).unwrap();
        let (head, ()) = request.into_parts();
        let message = Message::received(&head, true).unwrap();
        let value = component.value(&message).map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(value, expected, "{version:?}");
    }
}

#[test]
fn components_that_a_request_cannot_prove_are_refused() {
    let head = "GET /path?a=1&a=2&b=%FF
        Host: www.example.com
        Content-Digest: sha-256=:broken
        Signature-Input: a=()";
    let unsupported = [
        "\"@status\"",
        "\"@request-target\";req",
        "\"@signature-params\"",
        "\"@made-up\"",
        "\"@method\";req",
        "\"host\";req",
        "\"host\";tr",
        "\"host\";sf",
        "\"host\";unknown",
        "\"host\";bs;sf",
        "\"host\";bs;key=\"a\"",
        "\"host\";bs=?0",
        "\"@query-param\"",
        "\"@query-param\";name=\"a\";req",
        "\"@query-param\";name=\"a\"",
        "\"@query-param\";name=\"b\"",
    ];
    for component in unsupported {
        assert_eq!(value(component, head), Err(InvalidReason::Component), "{component}");
    }
    for missing in [
        "\"date\"",
        "\"date\";bs",
        "\"content-digest\";sf",
        "\"signature-input\";key=\"b\"",
        "\"@query-param\";name=\"c\"",
    ] {
        assert_eq!(value(missing, head), Err(InvalidReason::MissingComponent), "{missing}");
    }
    for unreadable in ["date", "1", "\"Host\"", "\"ho st\"", "\"\""] {
        assert_eq!(value(unreadable, head), Err(InvalidReason::SignatureFields), "{unreadable}");
    }
}

/// RFC 9530, section 2 and appendix B.
#[test]
fn the_digests_of_rfc_9530() {
    let hello = b"{\"hello\": \"world\"}\n";
    let (sha256, sha512) = (
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:",
    );
    assert_eq!(content_digest(hello), sha256);
    assert_eq!(content_digest(b""), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    let expected = |field: &str| {
        let mut headers = http::HeaderMap::new();
        set(&mut headers, "content-digest", field);
        ExpectedContent::of_field(&"partners".parse().unwrap(), &headers)
    };
    for good in [sha256, sha512, &format!("{sha256}, {sha512}"), &format!("md5=:AAAA:, {sha512}")] {
        let expected = expected(good).unwrap();
        expected.verify(hello).unwrap();
        for other in [&b"{\"hello\": \"world\"}"[..], b"", b"{\"hello\": \"World\"}\n"] {
            expected.verify(other).unwrap_err();
        }
    }
    let of_nothing = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let both = expected(&format!("{of_nothing}, {sha512}")).unwrap();
    both.verify(hello).unwrap_err();
    both.verify(b"").unwrap_err();
    // RFC 9530, section 2; the second is cut off as in the digest problem types.
    for bad in [
        "md5=:AAAA:",
        "",
        "sha-256=1",
        "sha-256=(1 2)",
        "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4:",
        "%",
    ] {
        assert_eq!(expected(bad), Err(InvalidReason::ContentDigest), "{bad:?}");
    }
    assert!(at(CREATED) < std::time::SystemTime::now());
}
