//! Hashes of passwords: argon2id (RFC 9106) in the PHC string format, within bounds.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Ident, Output, ParamsString, Salt},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};
use subtle::ConstantTimeEq;

use super::Password;

const OUTPUT_BYTES: usize = 32;
/// The least memory among OWASP's choices, and what it and every other choice amounts to over its passes.
const LEAST_MEMORY_KIB: u32 = 7 * 1024;
const LEAST_WORK_KIB: u32 = 5 * LEAST_MEMORY_KIB;
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// What one hash costs: memory, passes over it, and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Parameters {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// 19 MiB, two passes, one lane: OWASP's first choice for argon2id.
impl Default for Argon2Parameters {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Argon2Parameters {
    /// Parameters that are neither weaker than the weakest of OWASP's choices nor a danger to the machine:
    /// 7 MiB to 1 GiB, 1 to 16 passes and lanes, and at least 35 MiB when memory and passes are multiplied.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParametersError> {
        let parameters = Self { memory_kib, passes, lanes };
        parameters.computable()?;
        if memory_kib < LEAST_MEMORY_KIB || memory_kib.saturating_mul(passes) < LEAST_WORK_KIB {
            return Err(ParametersError::Weak { memory_kib, passes });
        }
        Ok(parameters)
    }

    /// The memory of one hash in KiB.
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Those of a hash that is stored already.
    pub(super) fn of_stored(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParametersError> {
        let parameters = Self { memory_kib, passes, lanes };
        parameters.computable().map(|()| parameters)
    }

    pub(super) fn passes(self) -> u32 {
        self.passes
    }

    pub(super) fn lanes(self) -> u32 {
        self.lanes
    }

    /// What a stored hash may ask for: an old one may be weak, none may take the machine.
    fn computable(self) -> Result<(), ParametersError> {
        let Self { memory_kib, passes, lanes } = self;
        let possible = (1..=MOST_LANES).contains(&lanes)
            && (1..=MOST_PASSES).contains(&passes)
            && (8 * lanes..=MOST_MEMORY_KIB).contains(&memory_kib);
        if possible { Ok(()) } else { Err(ParametersError::OutOfBounds { memory_kib, passes, lanes }) }
    }
}

/// Why parameters are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum ParametersError {
    #[error(
        "argon2id with {memory_kib} KiB and {passes} passes is too weak: take at least {LEAST_MEMORY_KIB} KiB, \
         and {LEAST_WORK_KIB} KiB when memory and passes are multiplied"
    )]
    Weak { memory_kib: u32, passes: u32 },
    #[error(
        "argon2id with {memory_kib} KiB, {passes} passes and {lanes} lanes is out of bounds: take at most \
         {MOST_MEMORY_KIB} KiB, 1 to {MOST_PASSES} passes, 1 to {MOST_LANES} lanes, and 8 KiB a lane"
    )]
    OutOfBounds { memory_kib: u32, passes: u32, lanes: u32 },
}

/// A stored password: `$argon2id$v=19$m=...,t=...,p=...$salt$hash`. `Debug` shows the parameters only.
#[derive(Clone)]
pub struct PasswordHash {
    text: SecretString,
    parameters: Argon2Parameters,
    salt: Salt,
    output: Output,
}

impl PasswordHash {
    /// Reads a PHC string from the store.
    pub fn parse(text: &str) -> Result<Self, HashFormatError> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| HashFormatError::Form)?;
        if parsed.algorithm.as_str() != Algorithm::Argon2id.as_str() || parsed.version != Some(0x13) {
            return Err(HashFormatError::Algorithm);
        }
        let number = |name| parsed.params.get_decimal(name).ok_or(HashFormatError::Form);
        let parameters =
            Argon2Parameters { memory_kib: number("m")?, passes: number("t")?, lanes: number("p")? };
        if parsed.params.iter().count() != 3 {
            return Err(HashFormatError::Form);
        }
        parameters.computable()?;
        let (Some(salt), Some(output)) = (parsed.salt, parsed.hash) else {
            return Err(HashFormatError::Form);
        };
        if output.len() < OUTPUT_BYTES {
            return Err(HashFormatError::Short);
        }
        Ok(Self { text: text.into(), parameters, salt, output })
    }

    /// The PHC string, for the store and nobody else.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whether it was made with other parameters than `wanted`: make a new one when the password is at hand.
    pub fn needs_rehash(&self, wanted: Argon2Parameters) -> bool {
        self.parameters != wanted
    }

    pub(super) fn compute(
        password: &Password,
        salt: [u8; 16],
        parameters: Argon2Parameters,
        memory: &mut Vec<Block>,
    ) -> Result<Self, argon2::Error> {
        let mut output = [0; OUTPUT_BYTES];
        argon2id(password, &salt, parameters, memory, &mut output)?;
        let phc = |_| argon2::Error::OutputTooShort;
        let (salt, output) = (Salt::new(&salt).map_err(phc)?, Output::new(&output).map_err(phc)?);
        let mut params = ParamsString::new();
        let Argon2Parameters { memory_kib, passes, lanes } = parameters;
        for (name, value) in [("m", memory_kib), ("t", passes), ("p", lanes)] {
            params.add_decimal(name, value).map_err(phc)?;
        }
        let algorithm = Ident::new(Algorithm::Argon2id.as_str()).map_err(phc)?;
        let version = Some(Version::V0x13.into());
        let text = phc::PasswordHash { algorithm, version, params, salt: Some(salt), hash: Some(output) };
        Ok(Self { text: text.to_string().into(), parameters, salt, output })
    }

    pub(super) fn matches(
        &self,
        password: &Password,
        memory: &mut Vec<Block>,
    ) -> Result<bool, argon2::Error> {
        let mut output = vec![0; self.output.len()];
        argon2id(password, &self.salt, self.parameters, memory, &mut output)?;
        Ok(output.as_slice().ct_eq(self.output.as_bytes()).into())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHash").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// Computes in `memory`, which keeps its size for the next hash and none of the contents.
fn argon2id(
    password: &Password,
    salt: &[u8],
    parameters: Argon2Parameters,
    memory: &mut Vec<Block>,
    output: &mut [u8],
) -> Result<(), argon2::Error> {
    let Argon2Parameters { memory_kib, passes, lanes } = parameters;
    let params = Params::new(memory_kib, passes, lanes, Some(output.len()))?;
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let computed = argon2.hash_password_into_with_memory(
        password.expose().as_bytes(),
        salt,
        output,
        memory.as_mut_slice(),
    );
    memory.iter_mut().for_each(Zeroize::zeroize);
    computed
}

/// Why a stored text is not a usable hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum HashFormatError {
    #[error("not a PHC string with the parameters m, t and p, a salt and a hash")]
    Form,
    #[error("the algorithm is not argon2id, version 19")]
    Algorithm,
    #[error("the hash has fewer than {OUTPUT_BYTES} bytes")]
    Short,
    #[error(transparent)]
    Parameters(#[from] ParametersError),
}
