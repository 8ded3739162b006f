//! What a person shows besides a password: codes of an authenticator app ([`totp`]), codes kept on paper
//! ([`recovery`]), codes sent by e-mail or SMS ([`code`]).
//!
//! Everything here is a pure function of a secret, a text and a time. The caller keeps what must outlive the call,
//! and counts failures with [`crate::attempts`], one counter a factor.
//!
//! ```
//! use std::time::SystemTime;
//! use bartizan_identity::second_factor::totp::{Totp, TotpError, TotpSecret};
//!
//! let (totp, secret) = (Totp::default(), TotpSecret::generate()?);
//! let enrolment = totp.enrol(&secret, "Bartizan", "alice@shop.example")?;
//! assert!(enrolment.svg().starts_with("<?xml"));
//!
//! let now = SystemTime::now();
//! let code = totp.code(&secret, now);
//! let step = totp.verify(&secret, &code, now, None)?;
//! assert_eq!(totp.verify(&secret, &code, now, Some(step)), Err(TotpError::Replayed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod code;
pub mod recovery;
#[cfg(test)]
mod tests;
pub mod totp;

/// The last `digits` decimal digits of `number`.
fn decimal(number: u32, digits: u8) -> String {
    let width = usize::from(digits);
    format!("{:0width$}", number % 10_u32.pow(digits.into()))
}

/// What a person typed, without the spaces and hyphens that they or their phone put into it.
fn compact(typed: &str) -> String {
    typed.chars().filter(|character| !character.is_whitespace() && *character != '-').collect()
}
