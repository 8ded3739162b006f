//! Passkeys as browsers say and read them (W3C, Web Authentication Level 3, section 5.1): `parseCreationOptionsFromJSON`,
//! `parseRequestOptionsFromJSON` and `toJSON` take and make exactly this.

use std::fmt;

use bartizan_identity::{
    account::{PasskeyCreation, PasskeyDescriptor, PasskeyRequest},
    passkey::{ChallengeKey, KeyAlgorithm},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::ToSchema;

/// `PublicKeyCredentialCreationOptionsJSON`: what a browser needs to make a passkey.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreationOptions {
    /// Who it is for.
    pub rp: RelyingParty,
    /// Whose it is.
    pub user: PasskeyUser,
    /// What is signed, in base64url.
    pub challenge: String,
    /// The algorithms, the best first.
    pub pub_key_cred_params: Vec<KeyParameters>,
    /// How long it may take, in milliseconds.
    pub timeout: u64,
    /// The passkeys that the person has.
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What the authenticator should do.
    pub authenticator_selection: AuthenticatorSelection,
    /// `none`: who made the authenticator is not asked.
    pub attestation: &'static str,
}

/// `PublicKeyCredentialRequestOptionsJSON`: what a browser needs to use a passkey.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequestOptions {
    /// What is signed, in base64url.
    pub challenge: String,
    /// How long it may take, in milliseconds.
    pub timeout: u64,
    /// Who it is for.
    pub rp_id: String,
    /// The passkeys that may be used; none: whichever the authenticator knows.
    pub allow_credentials: Vec<CredentialDescriptor>,
    /// Whether the authenticator must verify who holds it.
    pub user_verification: &'static str,
}

/// Who passkeys are for.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelyingParty {
    /// Its domain.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// Whose a passkey is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// What passkeys know them by, in base64url: random.
    pub id: String,
    /// Their address.
    pub name: String,
    /// What they are called.
    pub display_name: String,
}

/// An algorithm of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyParameters {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its number in COSE.
    pub alg: i64,
}

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialDescriptor {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its id, in base64url.
    pub id: String,
    /// How it can be reached.
    pub transports: Vec<String>,
}

/// What an authenticator should do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// Whether the passkey can be found without knowing whose it is.
    pub resident_key: &'static str,
    /// Whether the authenticator must verify who holds it.
    pub user_verification: &'static str,
}

/// `RegistrationResponseJSON`: a passkey that a browser has made. Further members are left aside.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MadeCredential {
    /// What it says.
    pub response: AttestationResponse,
}

/// What an authenticator says about a new passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttestationResponse {
    /// What the browser says about the page, in base64url.
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String)]
    pub client_data: Base64Url,
    /// The passkey, in base64url.
    #[schema(value_type = String)]
    pub attestation_object: Base64Url,
    /// How it can be reached.
    #[serde(default)]
    pub transports: Vec<String>,
}

/// `AuthenticationResponseJSON`: a passkey that a browser has used. Further members are left aside.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UsedCredential {
    /// Its id, in base64url.
    #[schema(value_type = String)]
    pub id: Base64Url,
    /// What it says.
    pub response: AssertionResponse,
}

/// What an authenticator says about a use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// What the browser says about the page, in base64url.
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String)]
    pub client_data: Base64Url,
    /// What the authenticator says, in base64url.
    #[schema(value_type = String)]
    pub authenticator_data: Base64Url,
    /// The signature over both, in base64url.
    #[schema(value_type = String)]
    pub signature: Base64Url,
    /// What the passkey knows its person by, in base64url.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub user_handle: Option<Base64Url>,
}

/// Bytes that were written in base64url. `Debug` shows how many.
pub struct Base64Url(pub(crate) Vec<u8>);

impl Base64Url {
    /// Written again: two ways of writing the same bytes become one.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes =
            URL_SAFE_NO_PAD.decode(text).map_err(|_| D::Error::custom("not base64url without padding"))?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Base64Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Base64Url({} bytes)", self.0.len())
    }
}

const PUBLIC_KEY: &str = "public-key";

impl From<PasskeyCreation> for PasskeyCreationOptions {
    fn from(creation: PasskeyCreation) -> Self {
        let parameters =
            |algorithm: KeyAlgorithm| KeyParameters { kind: PUBLIC_KEY, alg: algorithm.number() };
        Self {
            rp: RelyingParty { id: creation.party.id.clone(), name: creation.party_name },
            user: PasskeyUser { id: creation.user_handle, name: creation.email, display_name: creation.name },
            challenge: creation.challenge,
            pub_key_cred_params: KeyAlgorithm::ALL.map(parameters).into(),
            timeout: timeout(),
            exclude_credentials: creation.known.into_iter().map(Into::into).collect(),
            authenticator_selection: AuthenticatorSelection {
                resident_key: "preferred",
                user_verification: creation.verification.as_str(),
            },
            attestation: "none",
        }
    }
}

impl From<PasskeyRequest> for PasskeyRequestOptions {
    fn from(request: PasskeyRequest) -> Self {
        Self {
            challenge: request.challenge,
            timeout: timeout(),
            rp_id: request.party.id.clone(),
            allow_credentials: request.allowed.into_iter().map(Into::into).collect(),
            user_verification: request.verification.as_str(),
        }
    }
}

impl From<PasskeyDescriptor> for CredentialDescriptor {
    fn from(PasskeyDescriptor { id, transports }: PasskeyDescriptor) -> Self {
        Self { kind: PUBLIC_KEY, id, transports }
    }
}

fn timeout() -> u64 {
    u64::try_from(ChallengeKey::lifetime().as_millis()).unwrap_or(u64::MAX)
}
