//! Recovery codes: ten secrets on paper for the day the other factors are lost.
//!
//! A code has 80 random bits. It is kept as SHA-256 over the account and the code: a slow hash is for what people
//! make up; nobody tries 2^80 codes, not even against a stolen store. The account is hashed along, so that equal
//! hashes tell nothing across accounts and a code of one account is worth nothing at another.
//!
//! A code is used up by deleting its hash: redeem with one statement (`DELETE ... WHERE account = ? AND hash = ?`)
//! and look at the number of rows, so that two requests cannot use it twice.

use std::fmt;

use secrecy::{SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};

use super::compact;
use crate::IdentityError;

/// Codes of one set.
pub const CODES: usize = 10;
const CHARACTERS: usize = 16;
const GROUP: usize = 4;
/// Douglas Crockford's base 32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What is kept of a recovery code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecoveryCodeHash([u8; 32]);

impl RecoveryCodeHash {
    /// The hash to look for, of what somebody typed: case, spaces and hyphens do not matter, and neither does
    /// an O for a 0 or an I or L for a 1. `None` if it cannot be a code.
    pub fn of(account: &str, typed: &str) -> Option<Self> {
        let typed = Zeroizing::new(compact(typed));
        let code: Option<Zeroizing<String>> =
            typed.chars().map(canonical).collect::<Option<String>>().map(Zeroizing::new);
        let code = code.filter(|code| code.len() == CHARACTERS)?;
        let mut hash = Sha256::new_with_prefix("bartizan recovery code v1\0");
        hash.update((account.len() as u64).to_be_bytes());
        hash.update(account);
        hash.update(code.as_bytes());
        Some(Self(hash.finalize().into()))
    }

    /// A hash from the store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash, for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RecoveryCodeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCodeHash(***)")
    }
}

/// Ten new codes of an account, such as `7XQ2-9KDM-04TB-ZC8R`, to be shown once, and their hashes. They replace
/// all earlier ones.
pub fn generate(account: &str) -> Result<Vec<(SecretString, RecoveryCodeHash)>, IdentityError> {
    let mut codes = Vec::with_capacity(CODES);
    while codes.len() < CODES {
        let mut random = Zeroizing::new([0; CHARACTERS]);
        aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        let mut code = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP));
        for (index, byte) in random.iter().enumerate() {
            if index > 0 && index % GROUP == 0 {
                code.push('-');
            }
            code.extend(ALPHABET.get(usize::from(byte & 31)).map(|byte| char::from(*byte)));
        }
        codes.extend(
            RecoveryCodeHash::of(account, &code).map(|hash| (SecretString::from(code.as_str()), hash)),
        );
    }
    Ok(codes)
}

fn canonical(character: char) -> Option<char> {
    match character.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        other => u8::try_from(other).is_ok_and(|byte| ALPHABET.contains(&byte)).then_some(other),
    }
}
