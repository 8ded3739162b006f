//! Applications that ask for tokens, and how they prove to be who they are (RFC 6749, section 2.3).

use bartizan_config::{TokenClient, Tokens};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{OAuthError, TokenError};

/// What a client says of itself.
#[derive(Debug, Default)]
pub struct ClientProof {
    /// Its `client_id`.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<SecretString>,
    /// A JWT that it signed in the place of a secret (RFC 7523).
    pub assertion: Option<SecretString>,
}

/// The client that `proof` is from.
pub(crate) fn authenticate<'t>(
    tokens: &'t Tokens,
    proof: &ClientProof,
) -> Result<&'t TokenClient, TokenError> {
    let client = known(tokens, &proof.id).ok_or_else(unknown)?;
    let is_itself = match (&client.secret, &proof.secret) {
        (None, None) => true,
        (Some(hash), Some(secret)) => {
            bool::from(Sha256::digest(secret.expose_secret()).as_slice().ct_eq(hash.as_slice()))
        }
        (None, Some(_)) | (Some(_), None) => false,
    };
    if is_itself && proof.assertion.is_none() { Ok(client) } else { Err(unknown()) }
}

/// The same for every client that is not what it says.
pub(crate) fn unknown() -> TokenError {
    TokenError::refused(OAuthError::InvalidClient, "the client is unknown, or its proof is wrong")
}

/// The client with this id.
pub(crate) fn known<'t>(tokens: &'t Tokens, id: &str) -> Option<&'t TokenClient> {
    tokens.clients.iter().find(|client| client.id.as_str() == id)
}

/// What the tokens are to be for: every one a resource of the configuration (RFC 8707, section 2).
pub(crate) fn targets(tokens: &Tokens, asked: &[String]) -> Result<Vec<String>, TokenError> {
    if asked.is_empty() {
        return Ok(tokens.resources.iter().take(1).cloned().collect());
    }
    if asked.iter().any(|resource| !tokens.resources.contains(resource)) {
        return Err(TokenError::refused(OAuthError::InvalidTarget, "no token is for this resource"));
    }
    let mut targets = asked.to_vec();
    targets.sort();
    targets.dedup();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_proves_itself_by_is_not_shown() {
        let (secret, assertion) = (Some("its-secret".into()), Some("its-assertion".into()));
        let shown = format!("{:?}", ClientProof { id: "app".into(), secret, assertion });
        assert!(shown.contains("app") && !shown.contains("its-"), "{shown}");
    }
}
