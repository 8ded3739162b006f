//! Certificates that the configuration names, and when they end.

use std::{
    fs::File,
    io::Read,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_config::{ClientCertificates, Config, Tls};
use bartizan_events::Severity;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Check, Found, days};

/// From so long before its end on a certificate is a worry.
const SOON: Duration = Duration::from_hours(30 * 24);
/// From so long before its end on it is a bad one.
const VERY_SOON: Duration = Duration::from_hours(7 * 24);
/// The largest file that is read.
const LARGEST: u64 = 4 * 1024 * 1024;
/// The most certificates of one file: a list of authorities has a few hundred.
const MOST: usize = 1000;

pub(super) fn look(config: &Config, found: &mut Found) {
    if let Some(Tls::Files { certificates, client_certificates }) = &config.tls {
        for certificate in certificates {
            look_at(&certificate.cert, "tls.certificates", Which::First, found);
        }
        match client_certificates {
            ClientCertificates::Off => {}
            ClientCertificates::Optional(path) | ClientCertificates::Required(path) => {
                look_at(path, "tls.client_certificates", Which::AllAtOnce, found);
            }
        }
    }
    for upstream in &config.upstreams {
        let setting = format!("upstreams.{}.tls", upstream.name);
        if let Some(ca) = &upstream.tls.ca {
            look_at(ca, &setting, Which::AllAtOnce, found);
        }
        if let Some(certificate) = &upstream.tls.certificate {
            look_at(&certificate.cert, &setting, Which::First, found);
        }
    }
    if let Some(shared) = &config.shared {
        if let Some(ca) = &shared.tls.ca {
            look_at(ca, "shared.tls", Which::AllAtOnce, found);
        }
        if let Some(certificate) = &shared.tls.certificate {
            look_at(&certificate.cert, "shared.tls", Which::First, found);
        }
    }
}

/// Which certificate of a file counts.
#[derive(Clone, Copy)]
enum Which {
    /// Of a chain the one at its front: whoever issued the others renews them.
    First,
    /// Of a list of authorities the one that lasts longest: others may be there to be replaced by it.
    AllAtOnce,
}

fn look_at(path: &Path, setting: &str, which: Which, found: &mut Found) {
    let subject = path.display().to_string();
    let end = match end(path, which) {
        Ok(end) => end,
        Err(reason) => {
            let said = format!("the certificate in `{subject}` cannot be read: {reason}");
            return found.add(
                Check::CertificateUnreadable,
                &subject,
                said,
                format!("mend the file or `{setting}`"),
            );
        }
    };
    let renew = format!(
        "put a newer certificate into `{subject}` (`{setting}`): it is taken over when the file changes"
    );
    match end.duration_since(found.now) {
        Err(ended) => {
            let said = format!("the certificate in `{subject}` ended {} ago", days(ended.duration()));
            found.add(Check::CertificateExpired, &subject, said, renew);
        }
        Ok(left) if left < SOON => {
            let severity = if left < VERY_SOON { Severity::High } else { Severity::Medium };
            let said = format!("the certificate in `{subject}` ends in {}", days(left));
            found.add_as(Check::CertificateExpires, severity, &subject, said, renew);
        }
        Ok(_) => {}
    }
}

/// When what a file holds ends.
fn end(path: &Path, which: Which) -> Result<SystemTime, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let certificates = CertificateDer::pem_slice_iter(&text).take(MOST).map(|der| {
        let der = der.map_err(|error| error.to_string())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
        // RFC 5280 ends at the last second of 9999.
        Ok(UNIX_EPOCH + Duration::from_secs(end.min(LAST)))
    });
    let mut ends = certificates.collect::<Result<Vec<_>, String>>()?.into_iter();
    let end = match which {
        Which::First => ends.next(),
        Which::AllAtOnce => ends.max(),
    };
    end.ok_or_else(|| "there is none in it".into())
}

const LAST: u64 = 253_402_300_799;
