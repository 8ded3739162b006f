//! A token issuer: it signs tokens (RFC 7519), well or badly, and publishes its keys over HTTP (RFC 7517).

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper_util::{rt::TokioExecutor, server::conn::auto};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    time::timeout,
};

use crate::{harness::PATIENCE, service::Service};

pub(crate) const ISSUER: &str = "https://id.shop.test";
pub(crate) const AUDIENCE: &str = "orders";

/// Displays itself as the URL of its key set.
pub(crate) struct Issuer {
    address: SocketAddr,
    /// Reserves the port while nobody listens on it.
    socket: Option<TcpSocket>,
    service: Option<Service>,
    published: Arc<Mutex<Value>>,
    fetches: watch::Sender<usize>,
    key: SigningKey,
}

/// A P-256 key with an id of its own.
pub(crate) struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
}

// === impl Issuer ===

impl Issuer {
    pub(crate) fn start() -> Self {
        let mut issuer = Self::down();
        issuer.rise();
        issuer
    }

    /// One that refuses connections until it rises.
    pub(crate) fn down() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let key = SigningKey::generate("key-1");
        let published = Arc::new(Mutex::new(key.set()));
        let address = socket.local_addr().unwrap();
        Self { address, socket: Some(socket), service: None, published, fetches: watch::Sender::new(0), key }
    }

    pub(crate) fn rise(&mut self) {
        let listener: TcpListener = self.socket.take().expect("down").listen(64).unwrap();
        let (published, fetches) = (Arc::clone(&self.published), self.fetches.clone());
        let protocols = auto::Builder::new(TokioExecutor::new());
        self.service = Some(Service::on(listener, protocols, move |_| {
            let set = published.lock().unwrap().to_string();
            let fetches = fetches.clone();
            async move {
                fetches.send_modify(|count| *count += 1);
                Response::new(Full::new(Bytes::from(set)).boxed())
            }
        }));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Signs with a new key from now on, and publishes that one only.
    pub(crate) fn rotate(&mut self, id: &str) {
        self.key = SigningKey::generate(id);
        *self.published.lock().unwrap() = self.key.set();
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The key set as it is published.
    pub(crate) fn set(&self) -> Value {
        self.published.lock().unwrap().clone()
    }

    pub(crate) fn fetches(&self) -> usize {
        *self.fetches.borrow()
    }

    /// Waits for this many further fetches.
    pub(crate) async fn fetched(&self, further: usize) {
        let (goal, mut fetches) = (self.fetches() + further, self.fetches.subscribe());
        let reached = timeout(PATIENCE, fetches.wait_for(|count| *count >= goal)).await;
        reached.expect("the keys were not fetched").unwrap();
    }

    /// Stops publishing; the key stays.
    pub(crate) fn into_key(self) -> SigningKey {
        self.key
    }

    /// The entry of `identity:` that trusts this issuer; `besides` is what else stands under `jwt`.
    pub(crate) fn provider(&self, besides: &str) -> String {
        format!("{{ jwt: {{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks: \"{self}\"{besides} }} }}")
    }

    /// A good token for `ada`, with these claims besides; `null` leaves one out.
    pub(crate) fn token(&self, claims: Value) -> String {
        self.key.sign(&self.header(), &self::claims(claims))
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "JWT", "kid": self.key.id })
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/jwks", self.address)
    }
}

// === impl SigningKey ===

impl SigningKey {
    pub(crate) fn generate(id: &str) -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        Self { id: id.into(), pair }
    }

    /// A key set with this key alone.
    pub(crate) fn set(&self) -> Value {
        let point = self.public();
        let (x, y) = point[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y }] })
    }

    /// The public key as an uncompressed point.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A token that is not signed at all.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", message(header, claims))
}

/// A token signed with a secret (HS256).
pub(crate) fn sign_with_secret(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a good token for `ada`, with these besides; `null` leaves one out.
pub(crate) fn claims(besides: Value) -> Value {
    let now = now();
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300 });
    let (Some(members), Value::Object(besides)) = (claims.as_object_mut(), besides) else {
        panic!("an object")
    };
    members.extend(besides);
    members.retain(|_, value| !value.is_null());
    claims
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn message(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}
