//! What an authenticator says and signs (section 6.1).

use bartizan_config::Passkeys;
use sha2::{Digest, Sha256};

use super::{
    PasskeyError, UserVerification,
    cose_key::{CoseKey, map},
};

/// The data of an authenticator, for this relying party, with somebody present.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) flags: Flags,
    pub(super) sign_count: u32,
    pub(super) attested: Option<AttestedCredential<'a>>,
}

/// What an authenticator says about a use. That somebody was present is checked when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) user_verified: bool,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
}

/// A new credential (section 6.5.1).
#[derive(Debug)]
pub(super) struct AttestedCredential<'a> {
    pub(super) id: &'a [u8],
    pub(super) key: CoseKey,
    /// As it is stored, in COSE.
    pub(super) encoded_key: &'a [u8],
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;
/// Which model it is, for whoever keeps lists of them.
const AAGUID: usize = 16;
/// The longest id of a credential (section 7.1).
pub(super) const LONGEST_ID: usize = 1023;

impl<'a> AuthenticatorData<'a> {
    /// Every byte belongs to something.
    pub(super) fn read(
        bytes: &'a [u8],
        party: &Passkeys,
        verification: UserVerification,
    ) -> Result<Self, PasskeyError> {
        const SHORT: PasskeyError = PasskeyError::AuthenticatorData("it is too short");
        let (party_hash, rest) = bytes.split_first_chunk::<32>().ok_or(SHORT)?;
        let ([flags], rest) = rest.split_first_chunk::<1>().ok_or(SHORT)?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        if party_hash.as_slice() != Sha256::digest(&party.id).as_slice() {
            return Err(PasskeyError::RelyingParty(party.id.clone()));
        }
        let attested = (flags & ATTESTED != 0).then(|| AttestedCredential::read(&mut rest)).transpose()?;
        let extensions = flags & EXTENSIONS != 0;
        if extensions && map(&mut rest).is_none() {
            return Err(PasskeyError::AuthenticatorData("its extensions are not a CBOR map"));
        }
        if !rest.is_empty() {
            return Err(PasskeyError::AuthenticatorData("something follows it"));
        }
        Ok(Self {
            flags: Flags::read(*flags, verification)?,
            sign_count: u32::from_be_bytes(*sign_count),
            attested,
        })
    }
}

impl Flags {
    fn read(flags: u8, verification: UserVerification) -> Result<Self, PasskeyError> {
        let has = |flag| flags & flag != 0;
        if !has(USER_PRESENT) {
            return Err(PasskeyError::UserPresence);
        }
        if verification == UserVerification::Required && !has(USER_VERIFIED) {
            return Err(PasskeyError::UserVerification);
        }
        if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return Err(PasskeyError::AuthenticatorData("it is backed up and cannot be"));
        }
        Ok(Self {
            user_verified: has(USER_VERIFIED),
            backup_eligible: has(BACKUP_ELIGIBLE),
            backed_up: has(BACKED_UP),
        })
    }
}

impl<'a> AttestedCredential<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, PasskeyError> {
        const SHORT: PasskeyError = PasskeyError::AuthenticatorData("the credential is cut off");
        let (_, after) = rest.split_at_checked(AAGUID).ok_or(SHORT)?;
        let (length, after) = after.split_first_chunk::<2>().ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !(1..=LONGEST_ID).contains(&length) {
            return Err(PasskeyError::AuthenticatorData("the id of the credential is not 1 to 1023 bytes"));
        }
        let (id, after) = after.split_at_checked(length).ok_or(SHORT)?;
        let mut behind = after;
        let key = CoseKey::read(&mut behind)?;
        let encoded_key = after.get(..after.len() - behind.len()).unwrap_or_default();
        *rest = behind;
        Ok(Self { id, key, encoded_key })
    }
}
