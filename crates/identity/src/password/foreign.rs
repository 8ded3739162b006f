//! Hashes that other systems have made, of people who are brought along: bcrypt, scrypt, PBKDF2 and other forms of argon2.
//!
//! They are for one login only: with the first password that is right it is hashed as all others are. None may ask for more
//! than a machine has to give, so what is out of bounds is refused when it is brought. bcrypt looks at 72 bytes, and at no more.

use std::num::NonZeroU32;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, Salt},
};
use aws_lc_rs::pbkdf2;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};
use subtle::ConstantTimeEq;

use super::{Argon2Parameters, Password};

/// 2^14 rounds take about a second.
const MOST_COST: u32 = 14;
/// Of scrypt, for each hash.
const MOST_MEMORY: u64 = 128 * 1024 * 1024;
const MOST_PASSES: u32 = 4;
const MOST_ITERATIONS: u32 = 2_000_000;
const LEAST_OUTPUT: usize = 16;

/// A password as another system has stored it. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ForeignHash(Kind);

#[derive(Clone)]
enum Kind {
    Bcrypt(SecretString),
    Scrypt(scrypt::Params, Salt, Output),
    Pbkdf2(pbkdf2::Algorithm, NonZeroU32, Salt, Output),
    Argon2(Algorithm, Version, Argon2Parameters, Salt, Output),
}

/// Why a text is no hash that can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum ForeignHashError {
    #[error(
        "no hash of bcrypt (`$2b$...`), scrypt (`$scrypt$ln=,r=,p=$...`), PBKDF2 (`$pbkdf2-sha256$i=$...`) or argon2 (`$argon2id$...`)"
    )]
    Form,
    #[error("the hash asks for more time or memory than a login may take")]
    Bounds,
}

impl ForeignHash {
    /// Reads a hash as bcrypt writes it, or as a PHC string.
    pub fn parse(text: &str) -> Result<Self, ForeignHashError> {
        if text.starts_with("$2") {
            return bcrypt(text).map(Self);
        }
        let parsed = phc::PasswordHash::new(text).map_err(|_| ForeignHashError::Form)?;
        let (Some(salt), Some(output)) = (parsed.salt, parsed.hash) else {
            return Err(ForeignHashError::Form);
        };
        if output.len() < LEAST_OUTPUT {
            return Err(ForeignHashError::Form);
        }
        let number = |name| parsed.params.get_decimal(name).ok_or(ForeignHashError::Form);
        let iterations = || {
            let iterations = NonZeroU32::new(number("i")?).ok_or(ForeignHashError::Form)?;
            if iterations.get() > MOST_ITERATIONS { Err(ForeignHashError::Bounds) } else { Ok(iterations) }
        };
        let argon2 = |algorithm| {
            let version = match parsed.version {
                None | Some(0x10) => Version::V0x10,
                Some(0x13) => Version::V0x13,
                Some(_) => return Err(ForeignHashError::Form),
            };
            let parameters = Argon2Parameters::of_stored(number("m")?, number("t")?, number("p")?);
            let parameters = parameters.map_err(|_| ForeignHashError::Bounds)?;
            Ok(Kind::Argon2(algorithm, version, parameters, salt, output))
        };
        let kind = match parsed.algorithm.as_str() {
            "scrypt" => Kind::Scrypt(bounded(number("ln")?, number("r")?, number("p")?)?, salt, output),
            "pbkdf2" => Kind::Pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, iterations()?, salt, output),
            "pbkdf2-sha256" => Kind::Pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, iterations()?, salt, output),
            "pbkdf2-sha512" => Kind::Pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, iterations()?, salt, output),
            "argon2id" => argon2(Algorithm::Argon2id)?,
            "argon2i" => argon2(Algorithm::Argon2i)?,
            "argon2d" => argon2(Algorithm::Argon2d)?,
            _ => return Err(ForeignHashError::Form),
        };
        Ok(Self(kind))
    }

    /// Whether `password` is the one that was hashed. What cannot be computed matches nothing.
    pub(super) fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> bool {
        let typed = password.expose().as_bytes();
        match &self.0 {
            Kind::Bcrypt(text) => bcrypt::verify(typed, text.expose_secret()).unwrap_or(false),
            Kind::Scrypt(params, salt, output) => {
                let mut computed = vec![0; output.len()];
                scrypt::scrypt(typed, salt, params, &mut computed).is_ok()
                    && computed.as_slice().ct_eq(output.as_bytes()).into()
            }
            Kind::Pbkdf2(algorithm, iterations, salt, output) => {
                pbkdf2::verify(*algorithm, *iterations, salt, typed, output.as_bytes()).is_ok()
            }
            Kind::Argon2(algorithm, version, parameters, salt, output) => {
                let mut computed = vec![0; output.len()];
                let Ok(params) = parameters.params(output.len()) else { return false };
                argon2(&Argon2::new(*algorithm, *version, params), (typed, &**salt), memory, &mut computed)
                    && computed.as_slice().ct_eq(output.as_bytes()).into()
            }
        }
    }
}

impl std::fmt::Debug for ForeignHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ForeignHash(***)")
    }
}

fn bcrypt(text: &str) -> Result<Kind, ForeignHashError> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| ForeignHashError::Form)?;
    match parts.get_cost() {
        4..=MOST_COST => Ok(Kind::Bcrypt(text.into())),
        _ => Err(ForeignHashError::Bounds),
    }
}

fn bounded(log_n: u32, r: u32, p: u32) -> Result<scrypt::Params, ForeignHashError> {
    let memory = 1_u64.checked_shl(log_n).and_then(|n| n.checked_mul(128)?.checked_mul(r.into()));
    if !(1..=30).contains(&log_n) || p > MOST_PASSES || memory.is_none_or(|memory| memory > MOST_MEMORY) {
        return Err(ForeignHashError::Bounds);
    }
    let log_n = u8::try_from(log_n).map_err(|_| ForeignHashError::Bounds)?;
    scrypt::Params::new(log_n, r, p).map_err(|_| ForeignHashError::Bounds)
}

fn argon2(
    argon2: &Argon2<'_>,
    (typed, salt): (&[u8], &[u8]),
    memory: &mut Vec<Block>,
    output: &mut [u8],
) -> bool {
    memory.resize(argon2.params().block_count(), Block::new());
    let computed = argon2.hash_password_into_with_memory(typed, salt, output, memory.as_mut_slice());
    memory.iter_mut().for_each(Zeroize::zeroize);
    computed.is_ok()
}

impl Argon2Parameters {
    fn params(self, output: usize) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib(), self.passes(), self.lanes(), Some(output))
    }
}
