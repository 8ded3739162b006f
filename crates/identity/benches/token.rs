//! What a credential costs: a token seen before, a token seen for the first time, an API key, a signed request. Beside each first
//! check stands `jsonwebtoken::decode` of the same token into a `serde_json::Value`, with issuer, audience and
//! expiry required.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use bartizan_config::{
    Algorithm as Allowed, ApiKey, ApiKeyProvider, ClaimNames, IdentityProvider, JwtKeys, JwtProvider,
    NoncePolicy, Provider, SignatureAlgorithm, SignatureComponent, SignatureKey, SignatureProfile,
    SignatureProvider, SigningMaterial, UpstreamSigning, VerifyingMaterial,
};
use bartizan_identity::{
    Authenticator, Outgoing, Presented, RequestSigner, Selection, content_digest, generate_api_key,
};
use bartizan_model::{CallerType, Line, Zone};
use bartizan_policy::PermissionIndex;
use base64::{Engine, engine::general_purpose::STANDARD};
use divan::{Bencher, black_box};
use http::{HeaderName, HeaderValue, Request, header, request::Parts};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];
const ISSUER: &str = "https://id.shop.test";

fn main() {
    divan::main();
}

#[divan::bench(args = ALGORITHMS)]
fn first_check(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let shop = Shop::open(algorithm);
    bencher
        .with_inputs(|| shop.issuer.head())
        .bench_refs(|head| shop.authenticator.authenticate(&shop.users, &presented(head)).unwrap());
}

#[divan::bench(args = ALGORITHMS)]
fn first_check_by_jsonwebtoken(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let issuer = Issuer::new(algorithm);
    let key = DecodingKey::from_jwk(&Jwk::from_encoding_key(&issuer.key, algorithm).unwrap()).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["orders"]);
    bencher
        .with_inputs(|| issuer.token())
        .bench_refs(|token| jsonwebtoken::decode::<Value>(token.as_bytes(), &key, &validation).unwrap());
}

#[divan::bench(args = ALGORITHMS)]
fn check_again(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let shop = Shop::open(algorithm);
    let head = shop.issuer.head();
    bencher
        .bench_local(|| shop.authenticator.authenticate(&shop.users, &presented(black_box(&head))).unwrap());
}

#[divan::bench]
fn api_key(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(Algorithm::EdDSA);
    let head = head(HeaderName::from_static("x-api-key"), shop.api_key.clone());
    bencher.bench_local(|| {
        shop.authenticator.authenticate(&shop.partners, &presented(black_box(&head))).unwrap()
    });
}

const SIGNED_WITH: [SignatureAlgorithm; 4] = [
    SignatureAlgorithm::HmacSha256,
    SignatureAlgorithm::Ed25519,
    SignatureAlgorithm::EcdsaP256Sha256,
    SignatureAlgorithm::RsaPssSha512,
];

#[divan::bench(args = SIGNED_WITH)]
fn signed_request(bencher: Bencher<'_, '_>, algorithm: SignatureAlgorithm) {
    let (partner, authenticator, selection) = partner(algorithm);
    bencher
        .with_inputs(|| signed(&partner))
        .bench_refs(|head| authenticator.authenticate(&selection, &presented(head)).unwrap());
}

#[divan::bench(args = SIGNED_WITH)]
fn signing_a_request(bencher: Bencher<'_, '_>, algorithm: SignatureAlgorithm) {
    let (partner, ..) = partner(algorithm);
    bencher.bench_local(|| signed(black_box(&partner)));
}

/// Whoever signs with this algorithm, and a gateway that knows the key.
fn partner(algorithm: SignatureAlgorithm) -> (RequestSigner, Authenticator, Selection) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, kind: &str, der: &[u8]| {
        let (path, text) = (folder.path().join(name), STANDARD.encode(der));
        std::fs::write(&path, format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")).unwrap();
        path
    };
    let pair = |private: &[u8], public: PublicKeyX509Der<'_>| {
        let private = SigningMaterial::PrivateKey(file("private", "PRIVATE KEY", private));
        (private, VerifyingMaterial::PublicKey(file("public", "PUBLIC KEY", public.as_ref())))
    };
    let (ours, theirs) = match algorithm {
        SignatureAlgorithm::Ed25519 => {
            let key = Ed25519KeyPair::generate().unwrap();
            pair(key.to_pkcs8v1().unwrap().as_ref(), key.public_key().as_der().unwrap())
        }
        SignatureAlgorithm::EcdsaP256Sha256 => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            pair(key.to_pkcs8v1().unwrap().as_ref(), key.public_key().as_der().unwrap())
        }
        SignatureAlgorithm::HmacSha256 => {
            let secret = b"0123456789abcdef".repeat(4);
            (SigningMaterial::Secret(secret.clone().into()), VerifyingMaterial::Secret(secret.into()))
        }
        _ => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
            pair(private.as_ref(), key.public_key().as_der().unwrap())
        }
    };
    let components =
        vec![SignatureComponent::Method, SignatureComponent::TargetUri, SignatureComponent::CONTENT_DIGEST];
    let signing = UpstreamSigning {
        id: "partner".into(),
        algorithm,
        material: ours,
        components: components.clone(),
        tag: None,
    };
    let key = SignatureKey {
        id: "partner".into(),
        algorithm,
        material: theirs,
        permissions: vec!["orders:read".parse().unwrap()],
        roles: vec![],
        organization: None,
        zone: Zone::Public,
    };
    let provider = SignatureProvider {
        profile: SignatureProfile::Rfc9421,
        keys: vec![key],
        components,
        window: Duration::from_mins(5),
        nonce: NoncePolicy::Required,
        max_nonces: 10_000_000,
        tag: None,
    };
    let provider = Arc::new(IdentityProvider {
        name: "partners".parse().unwrap(),
        line: Line::NONE,
        provider: Provider::Signature(Arc::new(provider)),
    });
    let index = Arc::new(PermissionIndex::new([]));
    let authenticator = Authenticator::of_providers(&[provider], &[], &index, None).unwrap();
    let selection = authenticator.select(&["partners".parse().unwrap()], &[]).unwrap();
    (RequestSigner::new(&signing).unwrap(), authenticator, selection)
}

/// A `POST` with ten bytes, signed now.
fn signed(partner: &RequestSigner) -> Parts {
    let mut head = head(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(header::HOST, HeaderValue::from_static("shop.test"));
    head.headers.insert("content-digest", content_digest(b"0123456789").try_into().unwrap());
    let mut headers = head.headers.clone();
    let request = Outgoing {
        method: &head.method,
        scheme: "https",
        authority: "shop.test",
        target: &head.uri,
        content: Some(b"0123456789"),
    };
    partner.sign(&request, &mut headers, SystemTime::now()).unwrap();
    head.headers = headers;
    head
}

fn head(name: HeaderName, value: HeaderValue) -> Parts {
    Request::get("/orders").header(name, value).body(()).unwrap().into_parts().0
}

fn presented(head: &Parts) -> Presented<'_> {
    Presented { head, secure: true, address: None, client_certificate: None, content: None }
}

/// Signs tokens that are all different.
struct Issuer {
    algorithm: Algorithm,
    key: EncodingKey,
    number: AtomicU64,
}

impl Issuer {
    fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let key = match algorithm {
            Algorithm::EdDSA => {
                EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref())
            }
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
                EncodingKey::from_ec_der(key.as_ref())
            }
            _ => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let text = STANDARD.encode(AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap().as_ref());
                let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
                EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
            }
        };
        Self { algorithm, key, number: AtomicU64::new(0) }
    }

    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": ISSUER, "aud": "orders", "sub": "3f0d8a52-5d0c-4c9e-9a55-0e6a3d1c7f10",
            "iat": now, "nbf": now, "exp": now + 3600, "jti": self.number.fetch_add(1, Ordering::Relaxed),
            "scope": "openid profile orders:read orders:write invoices:read", "org_id": "acme",
        });
        let header = Header { kid: Some("2026-01".into()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    fn head(&self) -> Parts {
        let value = HeaderValue::try_from(format!("Bearer {}", self.token())).unwrap();
        head(header::AUTHORIZATION, value)
    }
}

/// A gateway that knows users by tokens and partners by API keys.
struct Shop {
    issuer: Issuer,
    api_key: HeaderValue,
    authenticator: Authenticator,
    users: Selection,
    partners: Selection,
    _runtime: tokio::runtime::Runtime,
}

impl Shop {
    fn open(algorithm: Algorithm) -> Self {
        let issuer = Issuer::new(algorithm);
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&issuer.key, algorithm).unwrap()).unwrap();
        jwk["kid"] = "2026-01".into();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, json!({ "keys": [jwk] }).to_string()).unwrap();
        let (key, hash) = generate_api_key("shop").unwrap();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let authenticator = {
            let _inside = runtime.enter();
            let index = Arc::new(PermissionIndex::new([]));
            Authenticator::of_providers(&[users(&path), partners(hash)], &[], &index, None).unwrap()
        };
        Self {
            issuer,
            api_key: HeaderValue::from_str(key.expose_secret()).unwrap(),
            users: authenticator.select(&["users".parse().unwrap()], &[]).unwrap(),
            partners: authenticator.select(&["partners".parse().unwrap()], &[]).unwrap(),
            authenticator,
            _runtime: runtime,
        }
    }
}

fn users(jwks: &Path) -> Arc<IdentityProvider> {
    let settings = JwtProvider {
        issuer: ISSUER.into(),
        audiences: vec!["orders".into()],
        keys: JwtKeys::JwksFile(jwks.into()),
        algorithms: vec![Allowed::EdDSA, Allowed::ES256, Allowed::RS256],
        types: vec!["JWT".into()],
        leeway: Duration::from_secs(30),
        max_bytes: 8192,
        header: header::AUTHORIZATION,
        claims: ClaimNames::default(),
        principal: CallerType::User,
        zone: Zone::Public,
        service_zone: Zone::Public,
        dpop: bartizan_config::Dpop::default(),
    };
    Arc::new(IdentityProvider {
        name: "users".parse().unwrap(),
        line: Line::NONE,
        provider: Provider::Jwt(Arc::new(settings)),
    })
}

fn partners(hash: [u8; 32]) -> Arc<IdentityProvider> {
    let key = ApiKey {
        name: "partner".parse().unwrap(),
        hash,
        permissions: vec!["orders:read".parse().unwrap()],
        roles: vec![],
        organization: None,
        zone: Zone::Public,
    };
    let settings =
        ApiKeyProvider { header: HeaderName::from_static("x-api-key"), keys: vec![key], stored: None };
    Arc::new(IdentityProvider {
        name: "partners".parse().unwrap(),
        line: Line::NONE,
        provider: Provider::ApiKey(settings),
    })
}
