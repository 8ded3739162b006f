//! A new credential (section 7.1).

use bartizan_config::Passkeys;
use ciborium::Value;

use super::{
    ClientData, PasskeyError, UserVerification,
    authenticator_data::AuthenticatorData,
    cose_key::{CoseKey, integer, map},
};

/// What is kept of a new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key, in COSE.
    pub key: Vec<u8>,
    /// How often it has signed, if it counts.
    pub sign_count: u32,
    /// Whether it can be on several devices.
    pub backup_eligible: bool,
    /// Whether it is.
    pub backed_up: bool,
    /// Whether the authenticator verified who holds it.
    pub user_verified: bool,
}

/// Reads a new credential. That its challenge was given for this, and that nobody else has it, is the caller's to check.
pub fn register(
    party: &Passkeys,
    client_data: &ClientData,
    attestation_object: &[u8],
    verification: UserVerification,
) -> Result<NewCredential, PasskeyError> {
    let Attestation { format, statement, authenticator_data } = Attestation::read(attestation_object)?;
    let data = AuthenticatorData::read(&authenticator_data, party, verification)?;
    let credential = data.attested.ok_or(PasskeyError::AuthenticatorData("there is no credential in it"))?;
    check_statement(&format, &statement, &credential.key, &client_data.signed(&authenticator_data))?;
    Ok(NewCredential {
        id: credential.id.to_vec(),
        key: credential.encoded_key.to_vec(),
        sign_count: data.sign_count,
        backup_eligible: data.flags.backup_eligible,
        backed_up: data.flags.backed_up,
        user_verified: data.flags.user_verified,
    })
}

/// Section 6.5.4.
struct Attestation {
    format: String,
    statement: Vec<(Value, Value)>,
    authenticator_data: Vec<u8>,
}

impl Attestation {
    fn read(mut bytes: &[u8]) -> Result<Self, PasskeyError> {
        let members = map(&mut bytes).filter(|_| bytes.is_empty());
        let members = members.ok_or(PasskeyError::Attestation("it is not one CBOR map"))?;
        let (mut format, mut statement, mut authenticator_data) = (None, None, None);
        for (key, value) in members {
            match key.as_text() {
                Some("fmt") => format = value.into_text().ok(),
                Some("attStmt") => statement = value.into_map().ok(),
                Some("authData") => authenticator_data = value.into_bytes().ok(),
                _ => {}
            }
        }
        let missing = PasskeyError::Attestation("a member is missing");
        let parts = format.zip(statement).zip(authenticator_data);
        let ((format, statement), authenticator_data) = parts.ok_or(missing)?;
        Ok(Self { format, statement, authenticator_data })
    }
}

/// `none` (section 8.7), or `packed` by the credential itself (section 8.2).
fn check_statement(
    format: &str,
    statement: &[(Value, Value)],
    key: &CoseKey,
    signed: &[u8],
) -> Result<(), PasskeyError> {
    let member = |name: &str| {
        let found = statement.iter().find(|(key, _)| key.as_text() == Some(name));
        found.map(|(_, value)| value)
    };
    match format {
        "none" if statement.is_empty() => Ok(()),
        "none" => Err(PasskeyError::Attestation("`none` says something")),
        "packed" if member("x5c").is_none() => {
            let names_key = member("alg").and_then(integer) == Some(key.algorithm().number());
            let signature = member("sig").and_then(Value::as_bytes);
            if !names_key || !signature.is_some_and(|signature| key.verifies(signed, signature)) {
                return Err(PasskeyError::Attestation("the credential did not sign for itself"));
            }
            Ok(())
        }
        _ => Err(PasskeyError::Attestation("who made the authenticator was not asked: use `none`")),
    }
}
