//! Who asks: where from, and with which session. How nearly every endpoint begins.

use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use bartizan_identity::{
    ClientCertificate, SessionToken, WriteGuard,
    account::{Accounts, Visit},
};
use http::{header, request::Parts};
use secrecy::SecretString;

use crate::failure::{Failure, FailureCode};

/// The other end, as the gateway tells it.
#[derive(Debug, Clone)]
pub struct AccountClient {
    /// Its address.
    pub address: IpAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
    /// The certificate that it has proven to hold.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The origins whose pages may act with the cookie, besides the gateway's own.
    pub trusted: Vec<String>,
}

/// The other end, for requests that do not ride on a cookie.
pub(crate) struct Connection {
    pub(crate) client: AccountClient,
    pub(crate) visit: Visit,
}

/// A request that no other site has made; where it comes from.
pub(crate) struct Visitor {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) visit: Visit,
    /// The cookie of the device.
    pub(crate) device: Option<SecretString>,
}

/// The same with a session: its cookie, and for writes the token that only its own pages know.
pub(crate) struct Holder {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) token: SessionToken,
    pub(crate) visit: Visit,
    /// The cookie of the device.
    pub(crate) device: Option<SecretString>,
}

impl<S: Sync> FromRequestParts<S> for Connection {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let client = client(parts)?;
        let visit = visit(parts, &client);
        Ok(Self { client, visit })
    }
}

impl FromRequestParts<Arc<Accounts>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, accounts: &Arc<Accounts>) -> Result<Self, Failure> {
        let client = client(parts)?;
        if !parts.method.is_safe() {
            guard(parts, &client).check_origin().map_err(refuse)?;
        }
        let (visit, device) = (visit(parts, &client), accounts.presented_device(&parts.headers));
        Ok(Self { accounts: Arc::clone(accounts), visit, device })
    }
}

impl FromRequestParts<Arc<Accounts>> for Holder {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, accounts: &Arc<Accounts>) -> Result<Self, Failure> {
        let client = client(parts)?;
        let token = accounts.presented(&parts.headers)?;
        guard(parts, &client).check(&token).map_err(refuse)?;
        let (visit, device) = (visit(parts, &client), accounts.presented_device(&parts.headers));
        Ok(Self { accounts: Arc::clone(accounts), token, visit, device })
    }
}

fn client(parts: &Parts) -> Result<AccountClient, Failure> {
    let told = parts.extensions.get::<AccountClient>().cloned();
    told.ok_or_else(|| Failure::new(FailureCode::InternalError, "the request has no client"))
}

fn guard<'a>(parts: &'a Parts, client: &'a AccountClient) -> WriteGuard<'a> {
    WriteGuard::new(parts, client.secure).trusting(&client.trusted)
}

fn visit(parts: &Parts, client: &AccountClient) -> Visit {
    let text = |name| {
        let value = parts.headers.get(name).map(|value: &http::HeaderValue| value.as_bytes());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    };
    Visit {
        address: Some(client.address),
        client: text(header::USER_AGENT),
        request_id: text(http::HeaderName::from_static("x-request-id")),
        operator: None,
    }
}

fn refuse(error: bartizan_identity::CrossSite) -> Failure {
    Failure::new(FailureCode::CrossSiteRefused, format!("the request was refused: {error}"))
}
