//! What is wrong with a proof.

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum DpopError {
    #[error("the token is bound to a key, and there is no proof")]
    Missing,
    #[error("there are several proofs")]
    Ambiguous,
    #[error("the proof is longer than allowed")]
    TooLong,
    #[error("the proof is not three base64url parts separated by dots, of which two are JSON objects")]
    Form,
    #[error("the type of the proof is not `dpop+jwt`")]
    Type,
    #[error("the proof has a critical extension")]
    Critical,
    #[error("the proof is signed with an algorithm that is not accepted")]
    Algorithm,
    #[error("the proof brings no public key that can be used")]
    Key,
    #[error("the signature of the proof does not match its key")]
    Signature,
    #[error("the proof is for another method")]
    Method,
    #[error("the proof is for another target")]
    Target,
    #[error("the proof is for another token, or for none")]
    TokenHash,
    #[error("the proof does not say when it was made")]
    IssuedAt,
    #[error("the proof was made in the future")]
    InFuture,
    #[error("the proof was made too long ago")]
    TooOld,
    #[error("the proof has no id of 1 to 256 bytes")]
    Identifier,
    #[error("the proof was made before this gateway began to remember proofs")]
    BeforeMemory,
    #[error("the proof was used before")]
    Replay,
    #[error("the proof lacks a nonce of this gateway")]
    Nonce,
    #[error("there is no room to remember another proof")]
    NoRoom,
    #[error("the proof is by another key than the token is bound to")]
    OtherKey,
    #[error("the token is bound to no key, and came with the scheme `DPoP`")]
    Unbound,
    #[error("the token is bound to a key, and came with the scheme `Bearer`")]
    Scheme,
}
