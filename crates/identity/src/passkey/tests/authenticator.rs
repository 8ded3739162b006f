//! A browser with an authenticator that also says what no honest one does.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use ciborium::Value;
use serde_json::json;
use sha2::{Digest, Sha256};

pub(crate) const USER_PRESENT: u8 = 1;
pub(crate) const USER_VERIFIED: u8 = 1 << 2;
pub(crate) const BACKUP_ELIGIBLE: u8 = 1 << 3;
pub(crate) const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;

/// One credential, and what is said with it. Everything can be changed.
pub(crate) struct Authenticator {
    key: Key,
    pub(crate) id: Vec<u8>,
    pub(crate) party: String,
    pub(crate) origin: String,
    pub(crate) flags: u8,
    /// What the next use says; a registration says one less.
    pub(crate) sign_count: u32,
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

/// What a browser hands over.
pub(crate) struct Signed {
    pub(crate) client_data: Vec<u8>,
    pub(crate) authenticator_data: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        Self::with(Key::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()))
    }

    pub(crate) fn ed25519() -> Self {
        Self::with(Key::EdDsa(Ed25519KeyPair::generate().unwrap()))
    }

    pub(crate) fn rsa(size: KeySize) -> Self {
        Self::with(Key::Rs256(Box::new(RsaKeyPair::generate(size).unwrap())))
    }

    fn with(key: Key) -> Self {
        let mut id = vec![0; 20];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        let (party, origin) = ("shop.test".into(), "https://shop.test".into());
        Self { key, id, party, origin, flags: USER_PRESENT | USER_VERIFIED, sign_count: 1 }
    }

    pub(crate) fn client_data(&self, ceremony: &str, challenge: &str) -> Vec<u8> {
        let data =
            json!({ "type": ceremony, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    /// Client data and attestation object of a registration.
    pub(crate) fn register(&self, challenge: &str) -> (Vec<u8>, Vec<u8>) {
        let data = self.new_credential();
        (self.client_data("webauthn.create", challenge), attestation("none", Vec::new(), data))
    }

    /// An assertion; the counter is one higher then.
    pub(crate) fn sign(&mut self, challenge: &str) -> Signed {
        let client_data = self.client_data("webauthn.get", challenge);
        let authenticator_data = self.data(self.flags, self.sign_count);
        self.sign_count += 1;
        let signature = self.signature(&authenticator_data, &client_data);
        Signed { client_data, authenticator_data, signature }
    }

    pub(crate) fn signature(&self, authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
        let message = [authenticator_data, Sha256::digest(client_data).as_slice()].concat();
        match &self.key {
            Key::Es256(key) => key.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec(),
            Key::EdDsa(key) => key.sign(&message).as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Authenticator data with a credential in it.
    pub(crate) fn new_credential(&self) -> Vec<u8> {
        let mut data = self.data(self.flags | ATTESTED, self.sign_count - 1);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(encoded(&self.cose_key()));
        data
    }

    fn data(&self, flags: u8, sign_count: u32) -> Vec<u8> {
        let mut data = Sha256::digest(&self.party).to_vec();
        data.push(flags);
        data.extend(sign_count.to_be_bytes());
        data
    }

    fn cose_key(&self) -> Value {
        let bytes = |bytes: &[u8]| Value::from(bytes.to_vec());
        let members: Vec<(i64, Value)> = match &self.key {
            Key::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                vec![(1, 2.into()), (3, (-7).into()), (-1, 1.into()), (-2, bytes(x)), (-3, bytes(y))]
            }
            Key::EdDsa(key) => {
                let point = bytes(key.public_key().as_ref());
                vec![(1, 1.into()), (3, (-8).into()), (-1, 6.into()), (-2, point)]
            }
            Key::Rs256(key) => {
                let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
                let exponent = key.public_key().exponent().big_endian_without_leading_zero().to_vec();
                vec![(1, 3.into()), (3, (-257).into()), (-1, modulus.into()), (-2, exponent.into())]
            }
        };
        Value::Map(members.into_iter().map(|(label, value)| (label.into(), value)).collect())
    }
}

pub(crate) fn attestation(
    format: &str,
    statement: Vec<(Value, Value)>,
    authenticator_data: Vec<u8>,
) -> Vec<u8> {
    encoded(&Value::Map(vec![
        ("fmt".into(), format.into()),
        ("attStmt".into(), Value::Map(statement)),
        ("authData".into(), authenticator_data.into()),
    ]))
}

pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}
