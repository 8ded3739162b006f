//! No byte of what is covered can be changed, and nothing that arrives breaks the parsers.

use http::{HeaderName, HeaderValue, request::Parts};
use proptest::prelude::*;

use super::{Gate, lenient, request, shared_key, sign};
use crate::signature::{ExpectedContent, Message, SignatureFields, base::signature_base};

const NOW: u64 = 4_000_000_000;

fn signed() -> Parts {
    let mut head = request(
        "POST /orders/17?id=1&q=a%20b
        Host: shop.test
        Content-Type: application/json
        X-List: one, two
        X-List: three
        X-Dict: a=1, b=(2 3);c",
    );
    let covered = "\"@method\" \"@target-uri\" \"@authority\" \"@path\" \"@query\" \"@query-param\";name=\"id\" \
        \"content-type\" \"x-list\" \"x-dict\";key=\"b\" \"x-list\";bs";
    sign(&mut head, "sig", &format!("({covered});created={NOW};keyid=\"partner\""));
    head
}

/// Changes one byte of one covered part; `None` where the result could not have arrived.
fn changed(part: usize, position: prop::sample::Index, flip: u8) -> Option<Parts> {
    let mut head = signed();
    let flipped = |text: &[u8]| {
        let mut text = text.to_vec();
        let at = position.index(text.len());
        text[at] ^= flip;
        text
    };
    let replace = |head: &mut Parts, name: &'static str| {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_bytes(&flipped(head.headers[&name].as_bytes())).ok()?;
        *head.headers.get_mut(&name)? = value;
        Some(())
    };
    match part {
        0 => head.method = http::Method::from_bytes(&flipped(head.method.as_str().as_bytes())).ok()?,
        1 => {
            let text = flipped(head.uri.to_string().as_bytes());
            let uri = http::Uri::try_from(text.as_slice()).ok()?;
            // A fragment never arrives.
            head.uri = (uri.to_string().as_bytes() == text).then_some(uri)?;
        }
        2 => replace(&mut head, "host")?,
        3 => replace(&mut head, "content-type")?,
        4 => replace(&mut head, "x-list")?,
        _ => replace(&mut head, "signature")?,
    }
    Some(head)
}

/// Whether two requests are the same to RFC 9421: hosts do not tell upper from lower case, and the bits that pad base64
/// belong to no byte (RFC 9651, section 4.2.7: a reader does not refuse them).
fn same(one: &Parts, other: &Parts) -> bool {
    let host = |head: &Parts| head.headers["host"].as_bytes().to_ascii_lowercase();
    let signatures = |head: &Parts| -> Option<Vec<Vec<u8>>> {
        Some(
            SignatureFields::read(&head.headers)
                .ok()?
                .0
                .into_iter()
                .map(|labelled| labelled.signature)
                .collect(),
        )
    };
    let rest = |head: &Parts| {
        let mut headers = head.headers.clone();
        headers.remove("host");
        headers.remove("signature");
        headers
    };
    signatures(one).is_some()
        && signatures(one) == signatures(other)
        && one.method == other.method
        && one.uri == other.uri
        && host(one) == host(other)
        && rest(one) == rest(other)
}

proptest! {
    #[test]
    fn a_changed_byte_is_refused(part in 0_usize..6, position: prop::sample::Index, flip in 1_u8..) {
        let gate = Gate::new(lenient(vec![shared_key("partner")]));
        let head = changed(part, position, flip);
        prop_assume!(head.is_some());
        let head = head.unwrap();
        prop_assume!(!same(&head, &signed()));
        prop_assert!(gate.check(&head, NOW).is_err(), "{head:?}");
    }

    #[test]
    fn any_fields_are_read_or_refused(input: Vec<u8>, signature: Vec<u8>, digest: Vec<u8>) {
        let mut head = signed();
        let fields = [("signature-input", input), ("signature", signature), ("content-digest", digest)];
        for (name, bytes) in fields {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                head.headers.insert(name, value);
            }
        }
        let _ = ExpectedContent::of_field(&"partners".parse().unwrap(), &head.headers);
        if let Ok(fields) = SignatureFields::read(&head.headers) {
            let message = Message::received(&head, true).unwrap();
            for signature in &fields.0 {
                let _ = signature_base(&message, &signature.components, &signature.parameters);
            }
        }
    }
}

#[test]
fn what_is_unchanged_is_accepted() {
    let gate = Gate::new(lenient(vec![shared_key("partner")]));
    assert!(gate.check(&signed(), NOW).is_ok());
}
