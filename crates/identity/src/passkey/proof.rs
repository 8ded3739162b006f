//! A known credential that signs (section 7.2).

use bartizan_config::Passkeys;

use super::{
    ClientData, PasskeyError, UserVerification, authenticator_data::AuthenticatorData, cose_key::CoseKey,
};

/// What is stored of a credential.
#[derive(Debug, Clone)]
pub struct KnownCredential {
    /// Its public key, in COSE.
    pub key: Vec<u8>,
    /// The counter that was seen last.
    pub sign_count: u32,
    /// Whether it can be on several devices; that never changes.
    pub backup_eligible: bool,
}

/// What an authenticator says and signs.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `signature`.
    pub signature: Vec<u8>,
}

/// That somebody has the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The counter to store.
    pub sign_count: u32,
    /// Whether the credential is on several devices now.
    pub backed_up: bool,
    /// Whether the authenticator verified who holds it.
    pub user_verified: bool,
}

/// Checks a signature. That its challenge was given for this is the caller's to check.
pub fn prove(
    party: &Passkeys,
    client_data: &ClientData,
    assertion: &Assertion,
    known: &KnownCredential,
    verification: UserVerification,
) -> Result<Proof, PasskeyError> {
    let data = AuthenticatorData::read(&assertion.authenticator_data, party, verification)?;
    let key = CoseKey::read(&mut known.key.as_slice())?;
    if !key.verifies(&client_data.signed(&assertion.authenticator_data), &assertion.signature) {
        return Err(PasskeyError::Signature);
    }
    if data.flags.backup_eligible != known.backup_eligible {
        return Err(PasskeyError::BackupEligibility);
    }
    // One that does not count says 0 always (section 6.1.1).
    let (stored, found) = (known.sign_count, data.sign_count);
    if (stored != 0 || found != 0) && found <= stored {
        return Err(PasskeyError::Counter { stored, found });
    }
    Ok(Proof { sign_count: found, backed_up: data.flags.backed_up, user_verified: data.flags.user_verified })
}
