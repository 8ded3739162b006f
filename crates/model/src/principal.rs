use std::{fmt, sync::Arc};

use crate::Name;

/// Who a request speaks for, once that has been proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The subject: a token's `sub`, an API key's name, a certificate's subject alternative name, the id of the
    /// key that signed, a person's id.
    pub id: PrincipalId,
    /// How it was proven.
    pub kind: PrincipalKind,
    /// The organisation it acts for, where the proof names one.
    pub organization: Option<OrganizationId>,
    /// The entry of `identity:` that vouched for it.
    pub provider: Name,
    /// Whether the proof says that more than one factor was used (RFC 8176 `amr`).
    pub multi_factor: bool,
}

/// How a principal proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A signed token (RFC 7519).
    Token,
    /// An API key.
    ApiKey,
    /// A client certificate.
    Certificate,
    /// A signature over the request (RFC 9421).
    Signature,
    /// A session that began with a login.
    Session,
}

/// What a principal is, in the words of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerType {
    /// A person.
    User,
    /// A machine.
    Service,
    /// Whoever holds an API key.
    ApiKey,
}

impl CallerType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::User, Self::Service, Self::ApiKey];

    /// Its name in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Service => "Service",
            Self::ApiKey => "ApiKey",
        }
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $id:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(Arc<str>);

        impl $id {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $id {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifiers!(
    /// Identifies a principal within the provider that vouched for it.
    PrincipalId,
    /// Identifies an organisation (tenant).
    OrganizationId,
    /// Identifies a person whom the gateway knows itself.
    UserId,
    /// Identifies a session of such a person. No secret: it opens nothing.
    SessionId
);

macro_rules! generated {
    ($($id:ident),*) => {$(
        impl $id {
            /// A new one. Later ones sort behind earlier ones (UUID version 7, RFC 9562).
            pub fn generate() -> Self {
                Self(uuid::Uuid::now_v7().to_string().into())
            }
        }
    )*};
}

generated!(OrganizationId, UserId, SessionId);
