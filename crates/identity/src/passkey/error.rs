//! Why a passkey is refused.

/// Why a passkey is refused: most often another page than the relying party's asked, or what a browser says was changed
/// on the way; [`Self::Counter`] means a copied authenticator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
#[non_exhaustive]
pub enum PasskeyError {
    #[error("the client data is not a JSON object with unique members")]
    ClientData,
    #[error("the client data is about another ceremony than `{0}`")]
    Ceremony(&'static str),
    #[error("the challenge was never given for this, or is too old: begin anew")]
    Challenge,
    #[error("the challenge was answered before: begin anew")]
    Replayed,
    #[error("the page is `{0}`, which is not among `origins` of `accounts.passkeys`")]
    Origin(String),
    #[error("the page stands in a frame of another origin")]
    CrossOrigin,
    #[error("the data of the authenticator is malformed: {0}")]
    AuthenticatorData(&'static str),
    #[error("the credential belongs to another relying party than `{0}`")]
    RelyingParty(String),
    #[error("nobody was present at the authenticator")]
    UserPresence,
    #[error("the authenticator did not verify who holds it")]
    UserVerification,
    #[error("the attestation is refused: {0}")]
    Attestation(&'static str),
    #[error("the key is refused: {0}")]
    Key(&'static str),
    #[error("the credential is not known here")]
    Unknown,
    #[error("the user handle is another person's")]
    UserHandle,
    #[error("the signature is not the credential's")]
    Signature,
    #[error("a credential that could not be backed up now can, or the other way round")]
    BackupEligibility,
    #[error("the signature counter is {found} and was {stored}: the authenticator may have been copied")]
    Counter { stored: u32, found: u32 },
}
