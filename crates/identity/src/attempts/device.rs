//! Device cookies: what shows that an account was used on a device before (OWASP, "Slow Down Online Guessing
//! Attacks with Device Cookies").
//!
//! It opens nothing. It only has failures on the device counted apart from those of strangers, so whoever steals it
//! wins five guesses. Set it after a full login, `Secure; HttpOnly; SameSite=Strict`, under a `__Host-` name.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use crate::IdentityError;

const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const TAG_BYTES: usize = 32;
const MAX_AGE: Duration = Duration::from_hours(180 * 24);

/// Makes and reads device cookies, with a key of 256 bits that is the same on every node.
pub struct DeviceCookies(hmac::Key);

/// A device, as one account knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; ID_BYTES]);

impl DeviceCookies {
    /// How long a cookie is good: the `Max-Age` to set.
    pub const MAX_AGE: Duration = MAX_AGE;

    /// Takes the key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A cookie for a device that has just proven `account` in full; a new one each time.
    pub fn issue(&self, account: &str, now: SystemTime) -> Result<SecretString, IdentityError> {
        let mut id = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| IdentityError::Random)?;
        let issued = seconds(now).to_be_bytes();
        let tag = hmac::sign(&self.0, &message(account, &id, issued));
        Ok(URL_SAFE_NO_PAD.encode([id.as_slice(), &issued, tag.as_ref()].concat()).into())
    }

    /// The device, if the cookie was issued for `account` in the last 180 days.
    pub fn verify(&self, account: &str, cookie: &str, now: SystemTime) -> Option<DeviceId> {
        // 56 bytes make 75 characters.
        if cookie.len() > 80 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (issued, tag) = rest.split_first_chunk::<TIME_BYTES>()?;
        if tag.len() != TAG_BYTES {
            return None;
        }
        hmac::verify(&self.0, &message(account, id, *issued), tag).ok()?;
        let age = seconds(now).saturating_sub(u64::from_be_bytes(*issued));
        (age < MAX_AGE.as_secs()).then_some(DeviceId(*id))
    }
}

impl fmt::Debug for DeviceCookies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeviceCookies(***)")
    }
}

fn message(account: &str, id: &[u8; ID_BYTES], issued: [u8; TIME_BYTES]) -> Vec<u8> {
    [b"bartizan device cookie v1\0".as_slice(), id, &issued, account.as_bytes()].concat()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
