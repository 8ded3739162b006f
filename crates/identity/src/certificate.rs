//! Client certificates: a subject alternative name of the wanted kind, exactly as configured, is the client.
//!
//! The chain has been verified by the listener (RFC 5280) before anything comes here. The subject's common name
//! is never looked at (RFC 9525).

use std::{collections::HashMap, sync::Arc};

use bartizan_config::{CertificateProvider, SubjectAlternativeName};
use bartizan_model::{CallerType, Name, Principal, PrincipalKind};

use crate::{
    ClientCertificate, Identified, IdentityError, InvalidReason,
    identified::{Entitlements, Standing},
};

/// The clients of one provider.
#[derive(Debug)]
pub(crate) struct CertificateTable {
    name: Name,
    kind: SubjectAlternativeName,
    clients: HashMap<Box<str>, Arc<Identified>>,
}

impl CertificateTable {
    pub(crate) fn new(
        name: &Name,
        settings: &CertificateProvider,
        entitlements: &Entitlements,
    ) -> Result<Self, IdentityError> {
        let mut clients = HashMap::new();
        for client in &settings.clients {
            let principal = Principal {
                id: client.san.as_str().into(),
                kind: PrincipalKind::Certificate,
                organization: client.organization.clone(),
                provider: name.clone(),
                multi_factor: false,
            };
            let roles = client.roles.iter().map(Name::as_str);
            let standing = Standing { caller_type: CallerType::Service, zone: client.zone };
            let identified = entitlements.identify(principal, standing, &client.permissions, roles, None);
            let identified = Arc::new(identified);
            if clients.insert(client.san.as_str().into(), identified).is_some() {
                return Err(IdentityError::SameCredential {
                    provider: name.clone(),
                    first: client.san.clone(),
                    second: client.san.clone(),
                });
            }
        }
        Ok(Self { name: name.clone(), kind: settings.name, clients })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// The one client that `certificate` names. A certificate that names two could act as either, so it is none.
    pub(crate) fn find(
        tables: &[Arc<Self>],
        certificate: &ClientCertificate,
    ) -> Result<Arc<Identified>, InvalidReason> {
        let mut found: Option<&Arc<Identified>> = None;
        for table in tables {
            for identified in
                table.names(certificate).iter().filter_map(|name| table.clients.get(name.as_str()))
            {
                if found.is_some_and(|other| !Arc::ptr_eq(other, identified)) {
                    return Err(InvalidReason::AmbiguousCertificate);
                }
                found = Some(identified);
            }
        }
        found.cloned().ok_or(InvalidReason::UnknownCertificate)
    }

    fn names<'a>(&self, certificate: &'a ClientCertificate) -> &'a [String] {
        match self.kind {
            SubjectAlternativeName::Uri => &certificate.uris,
            SubjectAlternativeName::Dns => &certificate.dns_names,
            SubjectAlternativeName::Email => &certificate.emails,
        }
    }
}
