//! Nonces that need no memory: the minute, and a keyed hash of it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const MINUTE: u64 = 60;
/// For how many minutes a nonce counts after its own.
const MINUTES: u64 = 2;
const TAG: usize = 16;

#[derive(Debug)]
pub(super) struct NonceMaker(Option<hmac::Key>);

impl NonceMaker {
    /// Without a key no nonce is known.
    pub(super) fn new(key: Option<hmac::Key>) -> Self {
        Self(key)
    }

    pub(super) fn make(&self, now: u64) -> String {
        let Some(key) = &self.0 else { return String::new() };
        let minute = (now / MINUTE).to_be_bytes();
        let tag = hmac::sign(key, &minute);
        let tag = tag.as_ref().get(..TAG).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&minute, tag].concat())
    }

    pub(super) fn knows(&self, nonce: &str, now: u64) -> bool {
        let known = (0..=MINUTES).map(|ago| self.make(now.saturating_sub(ago * MINUTE)));
        self.0.is_some()
            && known.fold(false, |known, ours| {
                bool::from(subtle::ConstantTimeEq::ct_eq(ours.as_bytes(), nonce.as_bytes())) | known
            })
    }
}
