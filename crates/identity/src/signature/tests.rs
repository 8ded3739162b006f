mod keys;
mod legacy;
mod policy;
mod property;
mod standards;
mod upstream;
mod wycheproof;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_config::{
    IdentityProvider, NoncePolicy, Provider, SignatureAlgorithm, SignatureComponent, SignatureKey,
    SignatureProfile, SignatureProvider, VerifyingMaterial,
};
use bartizan_model::{Line, Zone};
use bartizan_policy::PermissionIndex;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts};

use super::{Message, SignatureFields, base::signature_base};
use crate::{Authenticated, AuthenticationError, Authenticator, InvalidReason, Presented, Selection};

/// `created` of every signature of RFC 9421, appendix B.
const CREATED: u64 = 1_618_884_473;
pub(super) const SECRET: &str = "a secret that only two parties know, and long enough";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Keys in files, as the configuration names them.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn key(id: &str, algorithm: SignatureAlgorithm, material: VerifyingMaterial) -> SignatureKey {
    let permissions = vec!["orders:read".parse().unwrap()];
    let organization = Some("acme".into());
    SignatureKey {
        id: id.into(),
        algorithm,
        material,
        permissions,
        roles: vec![],
        organization,
        zone: Zone::Public,
    }
}

fn shared_key(id: &str) -> SignatureKey {
    key(id, SignatureAlgorithm::HmacSha256, VerifyingMaterial::Secret(SECRET.as_bytes().to_vec().into()))
}

/// What accepts all that can be verified; tests narrow it.
fn lenient(keys: Vec<SignatureKey>) -> SignatureProvider {
    SignatureProvider {
        profile: SignatureProfile::Rfc9421,
        keys,
        components: vec![],
        window: Duration::from_mins(5),
        nonce: NoncePolicy::Optional,
        max_nonces: 1000,
        tag: None,
    }
}

fn provider(name: &str, settings: SignatureProvider) -> Arc<IdentityProvider> {
    Arc::new(IdentityProvider {
        name: name.parse().unwrap(),
        line: Line::NONE,
        provider: Provider::Signature(Arc::new(settings)),
    })
}

/// A gateway with one provider, `partners`.
struct Gate {
    authenticator: Authenticator,
    selection: Selection,
}

impl Gate {
    fn new(settings: SignatureProvider) -> Self {
        Self::after(None, settings)
    }

    fn after(previous: Option<&Self>, settings: SignatureProvider) -> Self {
        Self::demanding(previous, settings, &[])
    }

    fn demanding(
        previous: Option<&Self>,
        settings: SignatureProvider,
        signed: &[SignatureComponent],
    ) -> Self {
        let authenticator = Authenticator::of_providers(
            &[provider("partners", settings)],
            &[],
            &Arc::new(PermissionIndex::new([])),
            previous.map(|previous| &previous.authenticator),
        );
        let authenticator = authenticator.unwrap();
        let selection = authenticator.select(&["partners".parse().unwrap()], signed).unwrap();
        Self { authenticator, selection }
    }

    fn check(&self, head: &Parts, now: u64) -> Result<Authenticated, InvalidReason> {
        self.check_with(head, None, now)
    }

    fn check_with(
        &self,
        head: &Parts,
        content: Option<&[u8]>,
        now: u64,
    ) -> Result<Authenticated, InvalidReason> {
        let presented = Presented { head, secure: true, address: None, client_certificate: None, content };
        self.selection.authenticate(&presented, at(now)).map_err(|error| match error {
            AuthenticationError::Invalid { reason, .. } => reason,
            other => panic!("{other}"),
        })
    }
}

/// A request as it is written, without its body.
fn request(text: &str) -> Parts {
    let mut lines = text.trim().lines().map(str::trim);
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut head = Request::builder().method(method).uri(target).body(()).unwrap().into_parts().0;
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        append(&mut head.headers, name, value);
    }
    head
}

fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
}

/// Signs `head` with [`SECRET`] over what `input` says: `("@method");created=1;keyid="a"`.
fn sign(head: &mut Parts, label: &str, input: &str) {
    let signature = {
        let mut stub = head.headers.clone();
        set(&mut stub, "signature-input", &format!("{label}={input}"));
        set(&mut stub, "signature", &format!("{label}=::"));
        let fields = SignatureFields::read(&stub).unwrap();
        let base = {
            let message = Message::received(head, true).unwrap();
            signature_base(&message, &fields.0[0].components, &fields.0[0].parameters).unwrap()
        };
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
        STANDARD.encode(aws_lc_rs::hmac::sign(&key, &base))
    };
    append(&mut head.headers, "signature-input", &format!("{label}={input}"));
    append(&mut head.headers, "signature", &format!("{label}=:{signature}:"));
}

/// Later than the memory of nonces that any test starts.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600
}

fn get() -> Parts {
    request("GET /orders?id=1\nHost: shop.test\nContent-Type: application/json")
}

fn outcome(result: Result<Authenticated, InvalidReason>) -> Result<(), InvalidReason> {
    result.map(drop)
}

/// A fresh Ed25519 public key as PEM.
fn public_ed25519() -> String {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        signature::{Ed25519KeyPair, KeyPair},
    };
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
}
