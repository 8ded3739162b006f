//! `tls:`: certificates and client certificates of the HTTPS listener.

use super::files::Files;
use crate::{
    Certificate, ClientCertificates, Tls,
    file::{self, ClientCertificate, TlsTable},
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
};

pub(crate) fn resolve(
    tls: &Optional<Parsed<file::Tls>>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Tls> {
    let at = tls.as_ref()?;
    match problems.borrow(at)? {
        file::Tls::Dev => Some(Tls::Dev),
        file::Tls::Table(table) => Some(Tls::Files {
            certificates: certificates(at.position, table, files, problems),
            client_certificates: client_certificates(table, files, problems),
        }),
    }
}

fn certificates(
    position: Position,
    table: &TlsTable,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Vec<Certificate> {
    let (cert, key) = (problems.read_optional(&table.cert), problems.read_optional(&table.key));
    let mut certificates: Vec<Certificate> = Vec::new();
    match (cert, key) {
        (Some(cert), Some(key)) => {
            certificates
                .push(Certificate { cert: files.public(&cert, problems), key: files.key(&key, problems) });
        }
        (Some(cert), None) if table.key.is_none() => {
            problems.error(cert.position, "`cert` needs its `key`");
        }
        (None, Some(key)) if table.cert.is_none() => {
            problems.error(key.position, "`key` needs its `cert`");
        }
        _ => {}
    }
    let listed = table.certificates.as_ref();
    if let (Some(listed), true) = (listed, table.cert.is_some() || table.key.is_some()) {
        problems
            .error(listed.position, "`certificates` and `cert` are two ways to say the same")
            .help("move `cert` and `key` into the list");
    }
    for pair in listed.iter().flat_map(|listed| listed.iter()) {
        if let (Some(cert), Some(key)) = (problems.read(&pair.cert), problems.read(&pair.key)) {
            let (cert, key): (At<_>, At<_>) = (pair.cert.with(cert), pair.key.with(key));
            certificates
                .push(Certificate { cert: files.public(&cert, problems), key: files.key(&key, problems) });
        }
    }
    if table.cert.is_none() && table.key.is_none() && listed.is_none_or(|listed| listed.is_empty()) {
        problems.error(position, "`tls` holds no certificate").help("add `cert` and `key`");
    }
    certificates
}

fn client_certificates(
    table: &TlsTable,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> ClientCertificates {
    let wanted = table.client_certificate.as_ref();
    let ca = files.optional(&table.client_ca, problems);
    match (ca, wanted.map(|at| at.value)) {
        (Some(ca), Some(ClientCertificate::Optional)) => ClientCertificates::Optional(ca),
        (Some(ca), Some(ClientCertificate::Required) | None) => ClientCertificates::Required(ca),
        (None, _) => {
            if let (Some(wanted), true) = (wanted, table.client_ca.is_none()) {
                problems
                    .error(wanted.position, "client certificates cannot be verified without `client_ca`")
                    .help("add `client_ca` with the PEM file of the authorities");
            }
            ClientCertificates::Off
        }
    }
}
